"""Renders templates to HTML, in the language of the reader."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from ..money.budget import waits_for_money
from ..money.pricing import unit
from ..people.language import LANGUAGES, Language
from ..people.reasons import FOR_THE_OPERATOR, reason_in
from ..status.formatting import clean
from ..status.job_words import state_in_words
from ..status.story import severity
from .desk import LANGUAGE_COOKIE, VISITOR, Desk, language_of
from .guard import KEYS, SETTING

if TYPE_CHECKING:
    import jinja2

    from ..store.reading.records import JobSummary
    from .backend import Setting
    from .tokens import KnownTokens
    from .visitor import Visitor

NAV = (("/", "jobs"), ("/batches", "batches"), ("/spending", "spending"), ("/upload", "upload"))
"""The pages in the menu, each with the key of its name."""
_NOT_KEPT = frozenset({"lang", "note"})
YEAR = 365 * 86_400


class Why(Struct, frozen=True):
    """Why a job is in its state: the key of the words before it, and whether the text is in the page's language."""

    label: str
    text: str
    known: bool


class Words(Struct, frozen=True):
    """What templates write texts, amounts and times with."""

    language: Language
    currency: str
    now: float

    def say(self, key: str, /, **values: object) -> str:
        return self.language.say(f"page.{key}", **values)

    def word(self, table: str, key: str) -> str:
        """A word for a value such as a state; the value itself if there is none."""
        name = f"page.{table}_{key.replace(' ', '_').replace('-', '_')}"
        return self.language.say(name) if self.language.knows(name) else key

    def money(self, subunits: int | None, currency: str | None = None) -> str:
        named = currency or self.currency
        return self.language.money(None if subunits is None else subunits / unit(named), named)

    def plain_money(self, subunits: int) -> str:
        """An amount without its currency, for the marks of an axis, which must differ however small they are."""
        amount = subunits / unit(self.currency)
        if 0 < amount < 0.0001:
            decimals = f"{amount:.12f}".rstrip("0").partition(".")[2]
            return self.language.number(amount, digits=len(decimals))
        return self.money(subunits).removesuffix(f" {self.currency}")

    def most(self, subunits: int, currency: str) -> str:
        """An amount that is not exceeded, rounded up."""
        return self.language.at_most(subunits, unit(currency), currency)

    def time(self, at: float | None) -> str:
        return "" if at is None else self.language.time(datetime.fromtimestamp(at, UTC))

    def soon(self, at: float) -> str:
        return self.language.soon(datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(self.now, UTC))

    def iso(self, at: float | None) -> str:
        """A time for machines."""
        return "" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")

    def received(self, at: float) -> str:
        return self._ago("received", at)

    def finished(self, at: float) -> str:
        return self._ago("finished", at)

    def _ago(self, what: str, at: float) -> str:
        gone = self.now - at
        return self.say(f"{what}_ago", time=self.language.duration(gone)) if gone >= 60 else self.say(f"{what}_now")

    def size(self, size: int) -> str:
        for name in ("B", "kB", "MB", "GB"):
            if size < 1_000 or name == "GB":
                break
            size //= 1_000
        return f"{self.language.number(size)} {name}"

    def told(self, reason: str) -> str:
        """Why a file was rejected or held, or a row failed: in the page's language, if there is a translation."""
        said, mark, rest = reason.partition(FOR_THE_OPERATOR)
        whole = said.rstrip()
        in_language = reason_in(whole, self.language.code)
        if in_language == whole:
            in_language = reason_in(f"{whole}.", self.language.code)  # a reason that is part of a sentence
            in_language = whole if in_language == f"{whole}." else in_language
        return f"{in_language} {mark}{rest}" if mark else in_language

    def because(self, job: JobSummary, waits: str | None) -> Why:
        """Why the job is in its state. Where the command line offers a command, the page has a button."""
        if waits is None:
            label, text = "why_because", job.reason or ""
        elif job.reason and job.state == "held":
            label, text = "why_money" if waits_for_money(job.reason_code) else "why_approval", job.reason
        elif job.reason and job.state == "failed":
            label, text = "why_stopped", job.reason
        else:
            pieces = [self.told(piece) for piece in waits.split("; ")]
            said = all(new != old for new, old in zip(pieces, waits.split("; "), strict=True))
            return Why("why_waits", "; ".join(pieces) if said else waits, said or self.language.code == "en")
        told = self.told(text)
        return Why(label, told, told != text or self.language.code == "en")

    def for_all(self, text: str) -> str:
        """The text without the part that is only for the operator."""
        return text.partition(FOR_THE_OPERATOR)[0].rstrip()

    def advice(self, code: str) -> str:
        """What the person who dropped a file can do about rows that failed with this code."""
        key = f"advice.{code}"
        return self.language.say(key if self.language.knows(key) else "advice.other")


def commands(text: str) -> str:
    """The text as HTML, with `<code>` for what is in backticks."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text))


_SAID = [name for name, each in vars(Words).items() if not name.startswith("_") and callable(each)]
"""The methods of Words that templates call by name."""


@cache
def environment() -> jinja2.Environment:
    """The environment of the templates. All that comes from files, services and people is escaped."""
    import jinja2

    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("batchd.web", "templates"),
    )
    made.filters["clean"] = clean
    made.filters["commands"] = commands
    made.globals.update(state_in_words=state_in_words, severity=severity, nav=NAV)
    return made


class PageView(Struct, frozen=True):
    """What all pages have in common when they are rendered."""

    setting: Setting
    keys: KnownTokens
    language: Language
    visitor: Visitor | None
    path: str
    query: str
    note: tuple[str, bool] | None

    @classmethod
    def of(cls, desk: Desk, request: web.Request) -> PageView:
        setting = request[SETTING]
        return cls(
            setting=setting,
            keys=request[KEYS],
            language=language_of(request, setting),
            visitor=request.get(VISITOR),
            path=request.rel_url.raw_path,
            query="".join(f"&{urlencode({key: each})}" for key, each in request.query.items() if key not in _NOT_KEPT),
            note=desk.note(request.query.get("note", "")),
        )

    def words(self, now: float) -> Words:
        return Words(self.language, self.setting.places.currency, now)

    def render(self, template: str, now: float, **values: Any) -> bytes:
        """Return the HTML. Call this in a thread."""
        words = self.words(now)
        visitor = self.visitor
        text = (
            environment()
            .get_template(template)
            .render(
                code=self.language.code,
                languages=LANGUAGES,
                title=self.setting.web.title,
                path=self.path,
                note=self.note,
                signed_in=visitor is not None,
                has_session=visitor is not None and bool(visitor.cookie),
                may_order=visitor is not None and visitor.role.may_order,
                form_token="" if visitor is None else self.keys.form_token(visitor.key, visitor.cookie),
                number=self.language.number,
                **{name: getattr(words, name) for name in _SAID},
                providers=self.setting.providers,
                route_names=list(self.setting.routes),
                query=self.query,
                **values,
            )
        )
        # Half of a surrogate pair, as in a name that is not UTF-8, cannot be encoded.
        return text.encode("utf-8", "replace")


async def rendered(
    desk: Desk, request: web.Request, build: Callable[[PageView], bytes], *, status: int = 200
) -> web.Response:
    """Answer with the page that `build` makes in a thread."""
    page = PageView.of(desk, request)
    response = web.Response(
        body=await desk.read(lambda: build(page)), status=status, content_type="text/html", charset="utf-8"
    )
    if request.query.get("lang") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, request.query["lang"], max_age=YEAR, httponly=True, samesite="Strict")
    return response

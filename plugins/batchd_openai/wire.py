"""What the service says, and how we speak of it: calls in words, answers without secrets, Retry-After in seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from batchd import Json, Problem

from .normalise import problems_of

if TYPE_CHECKING:
    import httpx2

_STARRED = re.compile(r"[\w-]*\*{3,}[\w*-]*")
_MAX_TEXT = 500


class Kind(Enum):
    """What a refusal of a call means."""

    PLAIN = auto()
    UPLOAD = auto()
    CREATE = auto()
    LOOK = auto()
    """Looking through a list for a batch that may not be there."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call, for the sentences about it: `what` completes "when asked to ...". `about` is the id that it names."""

    what: str
    kind: Kind = Kind.PLAIN
    about: str | None = None


@dataclass(frozen=True)
class Service:
    """The service as we speak of it, and the secrets that no sentence may hold."""

    base_url: str
    key_where: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    key_renewal: str = "then start batchd again"

    def masked(self, text: str) -> str:
        """The text without our secrets, whole or starred as some services quote them."""
        return _STARRED.sub("…", self._secret.sub("…", text))

    def decoded(self, content: bytes) -> Json:
        """JSON without our secrets, before anything may cut one in two. DecodeError if it is no JSON."""
        return msgspec.json.decode(self._secret.sub("…", content.decode("utf-8", "replace")))

    @cached_property
    def _secret(self) -> re.Pattern[str]:
        # Shorter ones ("x", "none" of a server that wants no key) are no secrets, and stand in every sentence.
        forms = {form for secret in self.secrets if len(secret) > 4 for form in (secret, quote(secret, safe=""))}
        return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) or r"(?!)")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What a service wrote about an error, masked: a sentence, the codes in it, and all of it in lower case."""

    text: str
    codes: frozenset[str]
    whole: str
    problems: tuple[Problem, ...]

    @classmethod
    def read(cls, response: httpx2.Response, service: Service) -> ErrorBody:
        """Out of an answer of any shape."""
        content = content_of(response)
        raw = " ".join(service.masked(content.decode("utf-8", "replace")).split())
        try:
            body = service.decoded(content)
        except msgspec.DecodeError:
            body = None
        inner = (body.get("error") or body) if isinstance(body, Mapping) else body
        if isinstance(inner, Mapping):
            found = problems_of(inner.get("errors") or inner)
            codes = frozenset(str(inner[key]).lower() for key in ("code", "type", "status") if key in inner)
        else:
            found, codes = problems_of(inner), frozenset()
        unnamed = f"http_{response.status_code}"
        problems = tuple(
            Problem(unnamed if each.code == "error" else each.code, service.masked(each.message), each.line)
            for each in found
        )
        page = is_html(response, content)
        text = "an HTML page" if page else problems[0].message if problems else raw or "no reason given"
        text = text[:_MAX_TEXT]
        text += "" if text.endswith((".", "!", "?", "…")) else "."
        return cls(text, codes, raw.lower(), problems or (Problem(unnamed, text),))


def content_of(response: httpx2.Response) -> bytes:
    """The body, nothing if it was not read."""
    try:
        return response.content
    except RuntimeError:  # httpx2.StreamError, without importing it here
        return b""


def is_html(response: httpx2.Response, beginning: bytes) -> bool:
    """Whether what was sent is a page for people. No JSON begins with `<`."""
    return "html" in response.headers.get("content-type", "").lower() or beginning.lstrip()[:1] == b"<"


def retry_after(response: httpx2.Response) -> float | None:
    """The seconds that the service asks to wait, if it does."""
    headers = response.headers
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds, then = _seconds(text), _instant(text)
    if seconds is not None or then is None:
        return seconds
    # Both ends by the service's clock where it tells it: ours may be minutes off.
    now = _instant(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (then - now).total_seconds()) or None


def _seconds(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 < number < 1e9 else None


def _instant(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)

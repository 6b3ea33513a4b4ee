"""Refusals of single lines in a batch that has ended: whose fault they are, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from ..domain.routing import Route
from .refusal_policy import AccountRefused
from .whose_fault import ACCESS, PASSING_STATUSES, Blame, ServiceRefusal, advice_on_account, fault_of, is_locked

FIRST_REST = 15.0
"""Seconds before rows that met a fault of the service are asked again."""
MAX_REST = 3_600.0
NO_CHANCE = 20
"""If at least so many rows are all refused in the same words and none is answered, no row is at fault."""

SYSTEM_ROLE = "role"
"""The `key` of a RouteRefused if the service refuses the role of the prompt's instructions."""

_CONTENT = frozenset({"messages", "input", "prompt", "model", "user", "stop", "tools", "n"})
"""Keys of a body that are a row's content, or words that a sentence may have by chance."""
_ROLE = re.compile(
    r"\brole\b[^.]*\b(system|developer)\b|\b(system|developer)\b[^.]*\brole\b|"
    r"\b(system|developer) (message|prompt|instruction)s?[^.]*\bnot (supported|allowed|available)",
    re.IGNORECASE,
)


class RouteRefused(Struct, frozen=True):
    """The service refuses every request of the route. `key` is the setting at fault, if the service names it."""

    message: str
    key: str | None = None


class LineVerdict(Struct, frozen=True):
    """The decision on the refusals of a part's lines.

    `held` rows were refused because of the `account`; they are asked again, and the attempt does not count. If the
    `route` is refused, all rows are. With `rest`, some rows met a fault of the service; they are asked again later.
    """

    held: frozenset[int] = frozenset()
    account: AccountRefused | None = None
    route: RouteRefused | None = None
    rest: bool = False


NOTHING = LineVerdict()


def rest_after(attempt: int) -> float:
    """Seconds before rows that met a fault of the service in this attempt (from 1) are asked again."""
    return min(MAX_REST, FIRST_REST * 3.0 ** min(max(attempt, 1) - 1, 10))


@dataclass(slots=True)
class LineRefusals:
    """The refusals of a part's rows in one attempt, out of `asked` rows, some of them `answered`."""

    asked: int = 0
    answered: int = 0
    by_row: dict[int, ServiceRefusal] = field(default_factory=dict)

    def add(self, row: int, lines: Sequence[ServiceRefusal | None]) -> None:
        """Add a row that was asked, with the refusal in each line about it: None for a line without one."""
        self.asked += 1
        refusals = [each for each in lines if each is not None]
        if len(refusals) < len(lines):
            self.answered += 1
        elif refusals:
            self.by_row[row] = refusals[0]

    def judge(self, *, body_keys: Collection[str], proven: bool, batch_answered: bool = False) -> LineVerdict:
        """Decide whose fault they are. `proven` says that other rows of the job have been answered before.

        `batch_answered` says that rows of other parts were answered in the same batch.
        `body_keys` are the keys of the requests' bodies.
        """
        if not self.by_row:
            return NOTHING
        every = len(self.by_row) == self.asked
        if every and not proven and (route := self._route(body_keys)) is not None:
            return LineVerdict(route=route)
        held = {row: each for row, each in self.by_row.items() if self._is_account(each, batch_answered)}
        first = next(iter(held.values()), None)
        account = None if first is None else AccountRefused(first.message, advice_on_account(first) or "")
        rest = any(fault_of(refusal) is Blame.PASSING for refusal in self.by_row.values())
        return LineVerdict(frozenset(held), account, None, rest)

    def _is_account(self, refusal: ServiceRefusal, batch_answered: bool) -> bool:
        advice = advice_on_account(refusal)
        if advice != ACCESS:
            return advice is not None
        # If other rows were answered, the account has access, so this refusal is about the row.
        if self.answered or (batch_answered and not is_locked(refusal)):
            return False
        return all(fault_of(each) in {Blame.ACCOUNT, Blame.PASSING} for each in self.by_row.values())

    def _route(self, body_keys: Collection[str]) -> RouteRefused | None:
        refusals = list(self.by_row.values())
        first = refusals[0]
        status = first.status
        if status is None or not 400 <= status < 500 or status in PASSING_STATUSES:
            return None
        if any(fault_of(each) not in {Blame.ROUTE, Blame.UNKNOWN} for each in refusals):
            return None
        keys = {(each.status, _key_of(each, body_keys)) for each in refusals}
        key = _key_of(first, body_keys)
        if key is not None:
            return RouteRefused(first.message, key) if len(keys) == 1 else None
        if len({each.signature for each in refusals}) != 1:
            return None
        if fault_of(first) is Blame.ROUTE:
            return RouteRefused(first.message, "model")
        # If only a few rows are refused and no key is named, each row fails by itself: none has cost anything.
        return RouteRefused(first.message) if len(refusals) >= NO_CHANCE else None


def _key_of(refusal: ServiceRefusal, body_keys: Collection[str]) -> str | None:
    """The key of the body that a refusal is about, if it is one that the route sets."""
    param = refusal.param or ""
    if (
        _ROLE.search(param if "role" in param else "")
        or (param.startswith("messages") and param.endswith("role"))
        or (not param.startswith(("input", "prompt")) and _ROLE.search(refusal.message))
    ):
        return SYSTEM_ROLE
    top = re.split(r"[.\[]", param.removeprefix("body."))[0]
    if top and top in body_keys and top not in _CONTENT:
        return top
    quoted = set(re.findall(r"['\"`“]([A-Za-z_]\w*)", refusal.message))
    named = [key for key in body_keys if key not in _CONTENT and (key in quoted or _names(refusal.message, key))]
    return max(named, key=len, default=None)


def _names(message: str, key: str) -> bool:
    return len(key) > 4 and re.search(rf"\b{re.escape(key)}\b", message) is not None


def what_to_change(route: Route, refused: RouteRefused) -> str:
    """Which key of the route to change, and how: the beginning of a sentence."""
    key, table = refused.key, f"[routes.{route.name}"
    settings = route.prompt.settings
    if key is None:
        return f"Change the model, the params or the prompt of {table}]"
    if key == SYSTEM_ROLE:
        return f'Set `system_role = "user"` (or "developer") in {table}.prompt]'
    if key == "model":
        return f"Change `model` in {table}]"
    if key in route.params:
        other = replacement(key, refused.message)
        if other is not None:
            return f"Change `{key}` to `{other}` in {table}.params]"
        return f"Change `{key}`, or take it out, in {table}.params]"
    if key == "response_format" and "schema" in settings:
        return f'Set `schema_mode = "json_object"` (or "prompt") in {table}.prompt]'
    return f"Change `{key}` in the requests of the file, or the prompt of {table}]"


_REPLACEMENTS: Mapping[str, str] = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


def replacement(key: str, message: str) -> str | None:
    """The key that a service wants instead of this one; None if there is none."""
    other = _REPLACEMENTS.get(key)
    return other if other is not None and re.search(rf"\b{other}\b", message) else None

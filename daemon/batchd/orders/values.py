"""The orders there are, as values, and how each is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import asdict

MAX_DIGITS = 18
"""Digits of an amount of money before its point; more must be a mistake."""


class NotCarriedOut(Exception):
    """The order cannot be carried out, and nothing was changed; the words are the answer to the person who gave it."""


class Order(Struct, frozen=True):
    """An order to the daemon. `target` is mostly the id of a job, or the key of a batch."""

    target: str
    kind: ClassVar[str]

    def data(self) -> Mapping[str, Any]:
        """The values to store beside kind and target."""
        values = asdict(self).items()
        return {key: value for key, value in values if key != "target" and value is not None}


class Approve(Order, frozen=True):
    """Let a held job go on. `up_to` is what it may cost in all, in units, as text; None: the most that it can cost."""

    up_to: str | None = None
    kind: ClassVar[str] = "approve"


class Cancel(Order, frozen=True):
    """Ask nothing more of a job; what is answered is delivered."""

    kind: ClassVar[str] = "cancel"


class Retry(Order, frozen=True):
    """Ask the failed and skipped rows of a job again; a stopped job goes on."""

    kind: ClassVar[str] = "retry"


class SkipSink(Order, frozen=True):
    """Publish nothing of a job through this sink; the other sinks and the report stay as they are."""

    sink: str
    kind: ClassVar[str] = "skip-sink"


class Resolve(Order, frozen=True):
    """Say whether the provider has a batch that is held: under the id `found`, or not at all (None)."""

    found: str | None
    kind: ClassVar[str] = "resolve"

    def data(self) -> Mapping[str, Any]:
        """The provider's id, or that there is none."""
        return super().data() or {"absent": True}


class Purge(Order, frozen=True):
    """Delete all that batchd and the provider keep of a finished job."""

    kind: ClassVar[str] = "purge"


class Pause(Order, frozen=True):
    """Send nothing new. `target` is `everything`, `provider NAME` or `route NAME`."""

    kind: ClassVar[str] = "pause"

    @property
    def undone_by(self) -> str:
        """The command that ends the pause."""
        return f"batchd resume {self.target.partition(' ')[2]}".strip()


class Resume(Order, frozen=True):
    """Send again. `target` as for Pause; `everything` resumes all that is paused."""

    kind: ClassVar[str] = "resume"


class Try(Order, frozen=True):
    """Ask some rows of a file, which lie in the state folder; the answers stay there. `target` is the new job's id."""

    asked: Mapping[str, Any]
    kind: ClassVar[str] = "try"

    def data(self) -> Mapping[str, Any]:
        """The file's name, the route, the columns, the number of rows; and whether by live calls, if there are any."""
        return self.asked


def from_stored(kind: str, target: str, data: Mapping[str, Any]) -> Order | None:
    """Make an order from its stored values; None if this version does not know its kind."""
    match kind:
        case Approve.kind:
            up_to = data.get("up_to")
            return Approve(target, None if up_to is None else str(up_to))
        case SkipSink.kind:
            return SkipSink(target, str(data.get("sink", "")))
        case Try.kind:
            return Try(target, data)
        case Resolve.kind:
            return Resolve(target, str(data["found"]) if data.get("found") else None)
    plain = {order.kind: order for order in (Cancel, Retry, Purge, Pause, Resume)}
    return plain[kind](target) if kind in plain else None


def amount(text: str) -> str:
    """An amount of money as it is stored. Raise ValueError, in words, if `text` is no amount."""
    from decimal import Decimal, InvalidOperation

    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value < 0 or value.adjusted() >= MAX_DIGITS:
        raise ValueError("Write an amount of money such as 12.50.")
    return str(value)

"""The base class of events, and the events of the daemon itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base class. `job` and `batch` are the ids that it is about, if any; `severity` is a level of `logging`.

    An observer also gets `id`, a number that no other event has and that stays the same if the event comes again, and
    `at`, the time of the event in seconds since 1970.
    """

    job: str | None = None
    batch: str | None = None
    id: int | None = dataclasses.field(default=None, compare=False, repr=False)
    at: float | None = dataclasses.field(default=None, compare=False, repr=False)

    severity: ClassVar[str] = "info"

    @property
    def kind(self) -> str:
        """The stable name, for programs: that of the class."""
        return type(self).__name__

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """The fields of this kind of event, as JSON values: without job, batch, id and time."""
        record = dataclasses.asdict(self)
        del record["job"], record["batch"], record["id"], record["at"]
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRaised(Event):
    """Something keeps batchd waiting: a provider down, a key refused, a disk full, a file that cannot be read."""

    subject: str
    text: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return f"{self.subject}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionCleared(Event):
    """The condition that kept batchd waiting is over."""

    subject: str

    @property
    def sentence(self) -> str:
        return f"{self.subject}: all is well again."


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingPaused(Event):
    """A person paused the sending of new requests: of everything, of a provider or of a route."""

    what: str
    who: str | None = None
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        by = f" by {self.who}" if self.who else ""
        return f"Paused {self.what}{by}: nothing new is sent. What is at a provider is collected and delivered."


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingResumed(Event):
    """A person let the sending go on."""

    what: str
    who: str | None = None

    @property
    def sentence(self) -> str:
        by = f" by {self.who}" if self.who else ""
        return f"Resumed {self.what}{by}: requests are sent again."


def count(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size_in_words(size: int) -> str:
    """`812 bytes`, `27 KB`, `8.4 MB`, rounded for people."""
    if size < 1_000:
        return count(size, "byte")
    for unit in ("KB", "MB"):
        size_in_unit = size / 1_000
        if size_in_unit < 999.5:
            return f"{size_in_unit:.1f} {unit}" if size_in_unit < 9.95 else f"{size_in_unit:.0f} {unit}"
        size //= 1_000
    return f"{size / 1_000:,.1f} GB"


def listed(codes: Mapping[str, int]) -> str:
    """Write codes with their counts: `506 server error, 2 refused`."""
    return ", ".join(f"{number:,} {code.replace('_', ' ')}" for code, number in codes.items())

"""A call to the service, in words, and its kind, which decides what its refusal means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """The kind of a call."""

    PLAIN = auto()
    CREATE = auto()
    LOOK = auto()
    """A search through a list for a batch that may not be there."""
    ANSWER = auto()
    """The call of one row."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call, for messages: `what` completes "when asked to ..."."""

    what: str
    kind: Kind = Kind.PLAIN

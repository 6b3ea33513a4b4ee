"""The names of events and of groups of events, by which a configuration chooses what an observer gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from .base import ConditionCleared, ConditionRaised, Event, SendingPaused, SendingResumed
from .batches import BatchHeld, UsageDiffers
from .jobs import JobApproved, JobFailed, JobFinished, JobHeld, JobLate, JobMoved, JobPlanned, JobRejected

GROUPS: Final[Mapping[str, tuple[type[Event], ...]]] = {
    "done": (JobFinished,),
    "held": (JobHeld, BatchHeld),
    "failed": (JobFailed, JobRejected),
    "waiting": (ConditionRaised, ConditionCleared, SendingPaused, SendingResumed),
    "money": (JobPlanned, JobHeld, JobApproved, JobLate, JobMoved, UsageDiffers),
}
"""Events that are often chosen together. An event may be in several groups."""


def every_kind() -> frozenset[str]:
    """The names of all events."""
    return frozenset(kind.__name__ for kind in Event.__subclasses__())


def kinds_of(name: str) -> frozenset[str]:
    """The events of a group, or the one event of this name. Raises KeyError if it is neither."""
    if name in GROUPS:
        return frozenset(kind.__name__ for kind in GROUPS[name])
    if name in every_kind():
        return frozenset((name,))
    raise KeyError(name)


def kinds_of_all(names: Iterable[str] | None) -> frozenset[str]:
    """The events of all these names; every event if there are no names."""
    return every_kind() if names is None else frozenset().union(*map(kinds_of, names))

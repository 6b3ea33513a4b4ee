"""Which events an observer hears: names of events, and names for groups of them, as a configuration writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from .base import ConditionCleared, ConditionRaised, Event
from .batches import BatchHeld, UsageDiffers
from .jobs import JobApproved, JobFailed, JobFinished, JobHeld, JobPlanned, JobRejected

GROUPS: Final[Mapping[str, tuple[type[Event], ...]]] = {
    "done": (JobFinished,),
    "held": (JobHeld, BatchHeld),
    "failed": (JobFailed, JobRejected),
    "waiting": (ConditionRaised, ConditionCleared),
    "money": (JobPlanned, JobHeld, JobApproved, UsageDiffers),
}
"""What is often wanted together. An event may be in several groups."""


def every_kind() -> frozenset[str]:
    """The names of all events."""
    return frozenset(kind.__name__ for kind in Event.__subclasses__())


def kinds_of(name: str) -> frozenset[str]:
    """The events of a group, or the one event of this name. KeyError if it is neither."""
    if name in GROUPS:
        return frozenset(kind.__name__ for kind in GROUPS[name])
    if name in every_kind():
        return frozenset((name,))
    raise KeyError(name)


def kinds_of_all(names: Iterable[str] | None) -> frozenset[str]:
    """The events of all these names; every event where there are none to choose by."""
    return every_kind() if names is None else frozenset().union(*map(kinds_of, names))

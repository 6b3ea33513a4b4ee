"""Which actions may start, which are under way, and whether there is room for more of a kind.

Each provider and each sink has room of its own, so that a slow one delays only itself. At a provider, calls that send
work, polls and downloads each have their own room: twenty slow polls delay no upload.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import TypeAlias

from msgspec import Struct

from ..domain import lifecycle
from ..domain.lifecycle import Action
from ..domain.subjects import Subject

CALLS_AT_A_TIME = 8
"""At one provider, of each kind of call."""
SENDING_AT_A_TIME = 3
"""Uploads and creates at one provider: few, so that a refusal that all would get is heard before many are sent."""
DELIVERIES_AT_A_TIME = 4
"""To one sink."""
LOCAL_AT_A_TIME = 16
LIVE_AT_A_TIME = 64
"""Actions on live batches of one provider, each of which has a poll that waits for its end."""

_SENDING = (lifecycle.Upload, lifecycle.Submit, lifecycle.Find)
_WATCHING = (lifecycle.Poll, lifecycle.Recheck, lifecycle.CancelBatch, lifecycle.Forget)
_WORKER_ACTIONS = (lifecycle.Read, lifecycle.Plan, lifecycle.Split, lifecycle.Distribute, lifecycle.Collect)
_REMOTE_ACTIONS = (*_SENDING, lifecycle.Fetch, *_WATCHING)
_MOST_URGENT: tuple[type[Action], ...] = (lifecycle.Submit, lifecycle.Upload, *_REMOTE_ACTIONS[2:])
_URGENCY = {kind: place for place, kind in enumerate(_MOST_URGENT)}

_MOST = {
    # It has its own room: twenty thousand files to claim must not keep other rows from being sent.
    "pack": 1,
    "worker": 1,  # for all jobs over which plugins hang; others have twice the number of workers
    "deliver": DELIVERIES_AT_A_TIME,
    "live": LIVE_AT_A_TIME,
    "local": LOCAL_AT_A_TIME,
    "send": SENDING_AT_A_TIME,
}
"""How many of a kind may be under way at a time; of others, CALLS_AT_A_TIME."""

Kind: TypeAlias = tuple[str, str]
"""What is done, and where: the name of a provider or sink, or nothing."""


class Due(Struct, frozen=True):
    """An action that may be carried out now, and the provider it calls, if any."""

    action: Action
    provider: str | None = None
    live: bool = False

    @property
    def callee(self) -> Subject | None:
        """The provider or sink that it calls."""
        if isinstance(self.action, lifecycle.Deliver):
            return Subject.sink(self.action.sink)
        return Subject.provider(self.provider) if self.provider is not None else None


class Room:
    """The actions under way, and those that have ended since the last look began."""

    def __init__(self, *, workers: int, hanging: Container[str] = ()) -> None:
        """`hanging` has the jobs over which plugins hang: they get one worker at a time between them."""
        self.workers = workers
        self._hanging = hanging
        self._under_way: dict[Action, Kind] = {}
        self._ended_meanwhile: set[Action] = set()
        self._kinds: Counter[Kind] = Counter()
        self._calls: Counter[Subject | None] = Counter()

    def begin(self, due: Due) -> None:
        """Count the action as under way."""
        kind = self._under_way[due.action] = self.kind(due)
        self._kinds[kind] += 1
        self._calls[due.callee] += 1

    def end(self, due: Due) -> None:
        """Note that the action has ended, well or not."""
        self._kinds[self._under_way.pop(due.action)] -= 1
        self._ended_meanwhile.add(due.action)
        self._calls[due.callee] -= 1

    def look_begins(self) -> None:
        """Forget the actions that ended before: this look reads the state after them."""
        self._ended_meanwhile.clear()

    def is_taken_by(self, action: Action) -> bool:
        """Whether the action is under way, or has ended since the look began, which may have read the state before."""
        return action in self._under_way or action in self._ended_meanwhile

    def is_called(self, callee: Subject) -> bool:
        """Whether a call to the provider or sink is under way."""
        return self._calls[callee] > 0

    def has_room_for(self, due: Due) -> bool:
        """Whether one more of its kind may be under way."""
        kind = self.kind(due)
        most = self.workers * 2 if kind == ("worker", "") else _MOST.get(kind[0], CALLS_AT_A_TIME)
        return self._kinds[kind] < most

    def kind(self, due: Due) -> Kind:
        """The kind of the action: which room it takes."""
        action, provider = due.action, due.provider or ""
        if isinstance(action, lifecycle.Pack):
            return "pack", ""
        if isinstance(action, _WORKER_ACTIONS):
            return "worker", "hanging" if getattr(action, "job", "") in self._hanging else ""
        if isinstance(action, lifecycle.Deliver):
            return "deliver", action.sink
        if not is_remote(action):
            return "local", ""
        if due.live:
            return "live", provider
        what = "send" if isinstance(action, _SENDING) else "watch" if isinstance(action, _WATCHING) else "fetch"
        return what, provider


def is_remote(action: Action) -> bool:
    """Whether the action calls a provider."""
    return isinstance(action, _REMOTE_ACTIONS)


def urgency(due: Due) -> int:
    """The action's place among those that are due: lower is sooner. Creates and uploads come before polls."""
    return _URGENCY.get(type(due.action), 0)

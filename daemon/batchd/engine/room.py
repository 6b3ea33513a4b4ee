"""What may be carried out, what is under way, and whether there is room for more of its kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..domain import lifecycle
from ..domain.lifecycle import Action

REMOTE_AT_A_TIME = 16
LOCAL_AT_A_TIME = 16

_WORKER_ACTIONS = (lifecycle.Read, lifecycle.Plan, lifecycle.Split, lifecycle.Distribute, lifecycle.Collect)
_REMOTE_ACTIONS = (
    lifecycle.Upload,
    lifecycle.Submit,
    lifecycle.Find,
    lifecycle.Poll,
    lifecycle.CancelBatch,
    lifecycle.Fetch,
)

Kind: TypeAlias = Literal["worker", "remote", "local", "pack"]


@dataclass(frozen=True, slots=True)
class Due:
    """An action that may be carried out now, and the provider it concerns, if one."""

    action: Action
    provider: str | None = None


class Room:
    """The actions under way, and those that have ended since the last look began."""

    def __init__(self, *, workers: int) -> None:
        # Packing has room of its own: twenty thousand files that are to be taken must not keep others from being asked.
        self._most: dict[Kind, int] = {
            "worker": workers * 2,
            "remote": REMOTE_AT_A_TIME,
            "local": LOCAL_AT_A_TIME,
            "pack": 1,
        }
        self._under_way: set[Action] = set()
        self._ended_meanwhile: set[Action] = set()
        self._calls: Counter[str | None] = Counter()

    def begin(self, due: Due) -> None:
        """It is under way."""
        self._under_way.add(due.action)
        self._calls[due.provider] += 1

    def end(self, due: Due) -> None:
        """It has ended, well or not."""
        self._under_way.discard(due.action)
        self._ended_meanwhile.add(due.action)
        self._calls[due.provider] -= 1

    def look_begins(self) -> None:
        """What ended before now is read as it is now."""
        self._ended_meanwhile.clear()

    def is_taken_by(self, action: Action) -> bool:
        """Whether it is under way, or has ended since the look began and may have been read as it was before."""
        return action in self._under_way or action in self._ended_meanwhile

    def is_called(self, provider: str) -> bool:
        """Whether a call to the provider is under way."""
        return self._calls[provider] > 0

    def has_room_for(self, action: Action) -> bool:
        """Whether one more of its kind may be under way."""
        kind = _kind(action)
        return sum(_kind(each) == kind for each in self._under_way) < self._most[kind]


def is_remote(action: Action) -> bool:
    """Whether the action calls a provider."""
    return isinstance(action, _REMOTE_ACTIONS)


def _kind(action: Action) -> Kind:
    if isinstance(action, lifecycle.Pack):
        return "pack"
    if isinstance(action, _WORKER_ACTIONS):
        return "worker"
    return "remote" if is_remote(action) else "local"

"""Whose turn is next: each job that waits gets turns by its weight, however many rows it has.

A new job begins where the others are, so that it neither waits for them nor holds them up. Its first turns cost less:
otherwise, if calls are few, ten rows beside a million would take at least twice as long as alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

HEAD_START, HEAD_START_FACTOR = 16, 8.0
"""The first HEAD_START turns of each name cost an eighth."""


class FairTurns:
    """Stride scheduling: a turn costs 1/weight, and the one that has spent least is next."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._had: Counter[str] = Counter()
        self._now = 0.0

    def next(self, waiting: Iterable[str]) -> str | None:
        """Return the waiting name whose turn it is; None if none waits."""
        return min(waiting, key=lambda name: self._spent.get(name, self._now), default=None)

    def took(self, name: str, weight: float = 1.0) -> None:
        """Note that this name has taken its turn."""
        # A name that could not use its turns for a while does not get them all at once.
        self._now = max(self._spent.get(name, self._now), self._now)
        self._had[name] += 1
        self._spent[name] = self._now + 1.0 / weight / (HEAD_START_FACTOR if self._had[name] <= HEAD_START else 1.0)

    def forget(self, name: str) -> None:
        """Forget a name that no longer waits."""
        self._spent.pop(name, None)
        del self._had[name]

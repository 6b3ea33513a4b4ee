"""Whose turn is next: each of several that wait gets turns by its weight, however much it has to ask.

One that comes new begins where the others are, so that it neither waits for them nor holds them up. Its first turns
cost little: where calls are few, ten rows beside a million would take twice as long as alone, and longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

HEAD_START, HEAD_START_FACTOR = 16, 8.0
"""So many turns of each count an eighth."""


class FairTurns:
    """Stride scheduling: a turn costs 1/weight, and the one that has spent least is next."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._had: Counter[str] = Counter()
        self._now = 0.0

    def next(self, waiting: Iterable[str]) -> str | None:
        """The one of those that wait whose turn it is; None if nobody waits."""
        return min(waiting, key=lambda name: self._spent.get(name, self._now), default=None)

    def took(self, name: str, weight: float = 1.0) -> None:
        """It has taken its turn."""
        # One that could not use its turns for a while does not get them all at once.
        self._now = max(self._spent.get(name, self._now), self._now)
        self._had[name] += 1
        self._spent[name] = self._now + 1.0 / weight / (HEAD_START_FACTOR if self._had[name] <= HEAD_START else 1.0)

    def forget(self, name: str) -> None:
        """It does not wait any more."""
        self._spent.pop(name, None)
        del self._had[name]

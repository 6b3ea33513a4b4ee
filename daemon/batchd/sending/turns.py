"""Whose turn is next: each of several that wait gets turns by its weight, however much it has to ask.

One that comes new begins where the others are, so that it neither waits for them nor holds them up.
"""

from __future__ import annotations

from collections.abc import Iterable


class FairTurns:
    """Stride scheduling: a turn costs 1/weight, and the one that has spent least is next."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._now = 0.0

    def next(self, waiting: Iterable[str]) -> str | None:
        """The one of those that wait whose turn it is; None if nobody waits."""
        return min(waiting, key=lambda name: self._spent.get(name, self._now), default=None)

    def took(self, name: str, weight: float = 1.0) -> None:
        """It has taken its turn."""
        # One that could not use its turns for a while does not get them all at once.
        self._now = max(self._spent.get(name, self._now), self._now)
        self._spent[name] = self._now + 1.0 / weight

    def forget(self, name: str) -> None:
        """It does not wait any more."""
        self._spent.pop(name, None)

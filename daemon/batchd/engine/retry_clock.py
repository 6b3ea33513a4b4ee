"""What has to wait, and until when, by a clock that never jumps.

It is in memory only: after a restart everything is tried at once, which costs one call each.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from ..sending import backoff
from ..system.clock import Clock


@dataclass(slots=True)
class _Wait:
    failures: int = 0
    until: float = 0.0


class RetryClock:
    """Waiting times by key: an action, or a provider as a whole."""

    def __init__(self, clock: Clock, *, on_reset: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._on_reset = on_reset
        self._waits: dict[Hashable, _Wait] = {}
        self._crashes: Counter[Hashable] = Counter()
        self.resets = 0

    def failed(self, key: Hashable, *, retry_after: float | None = None) -> int:
        """Note a failure: wait longer each time. Return how often the key has failed in a row."""
        wait = self._waits.setdefault(key, _Wait())
        wait.failures += 1
        pause = backoff.delay(wait.failures, jitter=self._clock.jitter(), retry_after=retry_after)
        wait.until = self._clock.steady() + pause
        return wait.failures

    def refused(self, key: Hashable) -> None:
        """Note a refusal that a person has to resolve: try gently, now and then."""
        wait = self._waits.setdefault(key, _Wait())
        wait.failures += 1
        wait.until = self._clock.steady() + backoff.gentle(wait.failures)

    def pause(self, key: Hashable, pause: float) -> None:
        """Forget failures, and try again after this many seconds."""
        self._waits[key] = _Wait(0, self._clock.steady() + pause)

    def forget(self, key: Hashable) -> None:
        """Forget the wait and the failures: it went well."""
        self._waits.pop(key, None)

    def release(self, key: Hashable) -> None:
        """Allow a try now. The failures so far still count."""
        wait = self._waits.get(key)
        if wait is not None:
            wait.until = 0.0

    def failures(self, key: Hashable) -> int:
        """How often the key has failed in a row."""
        wait = self._waits.get(key)
        return wait.failures if wait is not None else 0

    def until(self, key: Hashable) -> float:
        """Steady time before which it must not be tried; 0 if it may be tried now."""
        wait = self._waits.get(key)
        return wait.until if wait is not None else 0.0

    def give_up(self, key: Hashable) -> None:
        """Do not try again before a person changes something."""
        self._waits[key] = _Wait(0, math.inf)

    def crashed(self, key: Hashable) -> int:
        """Count a worker crash. Return how many there were since a person last changed something."""
        self._crashes[key] += 1
        return self._crashes[key]

    def reset(self) -> None:
        """Try everything now: a person has changed something."""
        self.resets += 1
        self._crashes.clear()
        for wait in self._waits.values():
            wait.until = 0.0
        self._on_reset()

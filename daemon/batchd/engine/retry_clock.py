"""What has to wait, until when, and why: in memory, by a clock that never jumps.

Nothing of it is stored. After a restart everything is tried at once, which costs one call each.
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
        """It failed: wait longer each time. Returns how often in a row."""
        wait = self._waits.setdefault(key, _Wait())
        wait.failures += 1
        pause = backoff.delay(wait.failures, jitter=self._clock.jitter(), retry_after=retry_after)
        wait.until = self._clock.steady() + pause
        return wait.failures

    def refused(self, key: Hashable) -> None:
        """A person has to do something: one gentle try now and then."""
        wait = self._waits.setdefault(key, _Wait())
        wait.failures += 1
        wait.until = self._clock.steady() + backoff.gentle(wait.failures)

    def pause(self, key: Hashable, pause: float) -> None:
        """It worked, and is to be done again after this many seconds."""
        self._waits[key] = _Wait(0, self._clock.steady() + pause)

    def forget(self, key: Hashable) -> None:
        """It went well."""
        self._waits.pop(key, None)

    def release(self, key: Hashable) -> None:
        """It may be tried now. How often in a row it has gone wrong still counts."""
        wait = self._waits.get(key)
        if wait is not None:
            wait.until = 0.0

    def failures(self, key: Hashable) -> int:
        """How often in a row it has failed."""
        wait = self._waits.get(key)
        return wait.failures if wait is not None else 0

    def until(self, key: Hashable) -> float:
        """Steady time before which it must not be tried; 0 if it may be tried now."""
        wait = self._waits.get(key)
        return wait.until if wait is not None else 0.0

    def give_up(self, key: Hashable) -> None:
        """It is not tried again before somebody changes something."""
        self._waits[key] = _Wait(0, math.inf)

    def crashed(self, key: Hashable) -> int:
        """A worker process died over it. How often, since somebody has changed something."""
        self._crashes[key] += 1
        return self._crashes[key]

    def reset(self) -> None:
        """Something was changed by a person: try everything now."""
        self.resets += 1
        self._crashes.clear()
        for wait in self._waits.values():
            wait.until = 0.0
        self._on_reset()

"""How long to wait after something went wrong."""

from __future__ import annotations

FIRST = 1.0
"""Seconds after the first failure."""
MAX_DELAY = 300.0
"""Seconds at most, unless the service asked for more."""
MAX_ASKED = 3600.0
"""A service that asks for more than an hour is asked again after an hour all the same."""


def delay(failures: int, *, jitter: float, retry_after: float | None = None) -> float:
    """Seconds to wait after `failures` failures in a row (from 1).

    Doubles from a second to five minutes; `jitter` in [0, 1) takes up to a quarter off, so that many waiters
    do not come back at one instant. What the service asked for is kept to, up to an hour.
    """
    exponential = min(MAX_DELAY, FIRST * 2.0 ** min(failures - 1, 30))
    waited = exponential * (1 - jitter / 4)
    if retry_after is None or retry_after <= 0:
        return waited
    return max(waited if failures > 1 else 0.0, min(retry_after, MAX_ASKED))


def poll_delay(age: float, *, least: float, jitter: float) -> float:
    """Seconds until the next look at a batch of this age: 2 % of it, at least `least`, at most five minutes.

    Young batches are looked at soon, because a batch that fails validation does so in its first minute.
    """
    wanted = max(least, min(MAX_DELAY, age * 0.02))
    return wanted * (1 - jitter / 10)

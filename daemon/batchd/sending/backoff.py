"""How long to wait after a failure, and between polls."""

from __future__ import annotations

FIRST = 1.0
"""Seconds after the first failure."""
MAX_DELAY = 300.0
"""The most seconds, unless the service asked for more."""
MAX_ASKED = 3600.0
"""Seconds: batchd asks again after an hour even if the service asked it to wait longer."""


def delay(failures: int, *, jitter: float, retry_after: float | None = None) -> float:
    """Seconds to wait after `failures` failures in a row (from 1).

    Doubles from one second up to five minutes; `jitter` in [0, 1) subtracts up to a quarter, so that many waiting
    callers do not return at once. Waits as long as the service asked for, up to an hour.
    """
    exponential = min(MAX_DELAY, FIRST * 2.0 ** min(failures - 1, 30))
    jittered = exponential * (1 - jitter / 4)
    if retry_after is None or retry_after <= 0:
        return jittered
    return max(jittered if failures > 1 else 0.0, min(retry_after, MAX_ASKED))


def gentle(failures: int) -> float:
    """Seconds to the next try where only a person can help: a minute, doubling up to an hour."""
    return min(MAX_ASKED, 60.0 * 2.0 ** min(failures - 1, 30))


def poll_delay(age: float, *, least: float, jitter: float) -> float:
    """Seconds until the next poll of a batch of this age: 2 % of it, at least `least`, at most five minutes.

    Young batches are polled often, because a batch that fails validation does so in its first minute.
    """
    seconds = max(least, min(MAX_DELAY, age * 0.02))
    return seconds * (1 - jitter / 10)

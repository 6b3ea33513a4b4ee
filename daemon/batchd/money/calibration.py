"""What finished batches really used, against what was counted before: how far to trust the next count."""

from __future__ import annotations

MIN_FACTOR, MAX_FACTOR = 0.25, 4.0
"""However odd the past was, no estimate is taken for less than a quarter or for more than four times of itself."""

_DOUBT = 2_000
"""Tokens that count as if they had been estimated exactly: a few short answers do not turn an estimate over."""


def correction(estimated: int, actual: int) -> float:
    """The factor for the next estimates, from the sums so far: what requests were counted at, what the service counted.

    `estimated` must be the counts before any correction, else the factor would correct itself away.

    >>> correction(0, 0), correction(100_000, 200_000) > 1.9, correction(1_000_000, 1)
    (1.0, True, 0.25)
    """
    factor = (max(actual, 0) + _DOUBT) / (max(estimated, 0) + _DOUBT)
    return min(MAX_FACTOR, max(MIN_FACTOR, factor))

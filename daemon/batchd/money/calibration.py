"""Corrects token counts by comparing the counts of finished batches with their real usage."""

from __future__ import annotations

MIN_FACTOR, MAX_FACTOR = 0.25, 4.0
"""The limits of the factor: it never changes an estimate to less than a quarter or to more than four times."""

_DOUBT = 2_000
"""Tokens that are added as if their estimate had been exact, so that a few short answers do not change much."""


def correction(estimated: int, actual: int) -> float:
    """The factor for the next estimates, from two sums so far: our counts of requests, and the service's counts.

    `estimated` must be the counts before any correction, or the factor would cancel itself.

    >>> correction(0, 0), correction(100_000, 200_000) > 1.9, correction(1_000_000, 1)
    (1.0, True, 0.25)
    """
    factor = (max(actual, 0) + _DOUBT) / (max(estimated, 0) + _DOUBT)
    return min(MAX_FACTOR, max(MIN_FACTOR, factor))

"""Decides when a job would be late, so that its rows must be asked by live calls, and what those cost at most."""

from __future__ import annotations

from ..domain.records import Batch

STOPPING_TAKES = 600.0
"""Seconds that services take to stop a batch when asked."""
CALLS_A_MINUTE = 600
"""Live calls that most services take, assumed if no number is configured."""
MAX_SHARE = 0.5
"""The largest share of a job's time that is kept for live calls: the rest is for batches, which cost less."""


def earliest(accepted_at: float, finish_within: float) -> float:
    """The moment before which no job is late, however many rows it has (seconds since 1970)."""
    return accepted_at + finish_within * (1 - MAX_SHARE)


def may_wait_until(at: float, accepted_at: float, finish_within: float | None) -> bool:
    """Whether a job whose sending begins at that moment has enough time left."""
    return finish_within is None or at <= earliest(accepted_at, finish_within)


def late_from(accepted_at: float, finish_within: float, *, rows: int, calls_a_minute: int | None = None) -> float:
    """The moment from which a job with so many rows without an answer is late (seconds since 1970).

    The time from then to its deadline is what it takes to stop its batches and to call the service for each row.

    >>> late_from(0.0, 6 * 3600.0, rows=6_000) == (6 * 60 - 10 - 10) * 60.0
    True
    """
    calls = rows * 60.0 / (calls_a_minute or CALLS_A_MINUTE)
    return max(accepted_at + finish_within - STOPPING_TAKES - calls, earliest(accepted_at, finish_within))


def reserved_when_cut(batch: Batch, *, before: int, after: int) -> int:
    """The most that a part can cost if its batch is ended now: its answers at the old prices, the rest at the new ones.

    `before` and `after` are the cost of the whole part at the old and at the new prices.
    """
    total = max(batch.total, batch.requests, 1)
    answered = min(batch.completed, total)
    return -(-(before * answered + after * (total - answered)) // total)

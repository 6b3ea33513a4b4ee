"""When a batch that stands still is given up: long after its window, and never because a clock has jumped.

Batches have been seen in progress forever, at services that were restarted or had lost their workers. What is
answered by then is kept; so the price of giving up too soon is a place in the queue, and of never doing so a
job that never ends.
"""

from __future__ import annotations

from enum import Enum, auto

from ..domain.records import Batch, Moment
from ..model import BatchPhase, BatchStatus

GRACE = 1_800.0
"""Seconds after its window in which a service may still end a batch by itself."""
QUIET = 6 * 3_600.0
"""Seconds without any progress after which a batch that is past its window is cancelled."""
QUIET_FINALIZING = 24 * 3_600.0
"""The same for one that is finalizing: all of it is answered and paid, and only the files are awaited."""
OUT_OF_REACH = 3_600.0
"""Seconds of silence after which what a service said before counts for nothing."""
DEAF = 6 * 3_600.0
"""Seconds in which a service must have ended a batch that it was asked to stop."""


class StallDecision(Enum):
    """What to do about a batch that has not ended."""

    WAIT = auto()
    STOP = auto()
    """Ask the service to stop it; it will end as cancelled, with the answers that there are."""
    LEAVE = auto()
    """It was asked to, and nothing came of it: fetch what there is and wait no longer."""


def unmoved_since(batch: Batch, status: BatchStatus, now: Moment, *, poll: float) -> Moment:
    """Since when the service has been saying of the batch what it says now.

    Its counts may be wrong, but they do not change by themselves. A service that was out of reach for long may have
    had other things to do than our batch, so its time starts again.
    """
    before = (batch.phase, batch.total, batch.completed, batch.failed)
    if batch.progress is None or before != (status.phase, status.total, status.completed, status.failed):
        return now
    out_of_reach = batch.heard is None or batch.heard.elapsed(now) >= max(OUT_OF_REACH, 3 * poll)
    return now if out_of_reach else batch.progress


def decide_stall(batch: Batch, phase: BatchPhase, *, progress: Moment, now: Moment, window: float) -> StallDecision:
    """What to do about a batch whose service has just said that it is in this phase, since `progress` without a move.

    `window` is how long the service may take, by its own word. Services that do not keep to it (Azure never
    expires a batch) go on for as long as anything moves.
    """
    if batch.stopping is not None:
        return StallDecision.LEAVE if batch.stopping.elapsed(now) >= DEAF else StallDecision.WAIT
    since = batch.submitted_at if batch.submitted_at is not None else batch.created_at
    if now.at - since < window + GRACE:
        return StallDecision.WAIT
    quiet = QUIET_FINALIZING if phase is BatchPhase.FINALIZING else QUIET
    return StallDecision.STOP if progress.elapsed(now) >= quiet else StallDecision.WAIT

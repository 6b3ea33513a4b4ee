"""Decides when to cancel a batch that makes no progress: long after its window, and never because a clock jumped.

Some services leave a batch in progress without end after a restart or the loss of their workers. The answers so far are
kept. So a batch that is cancelled too early only loses its place in the queue; without cancelling, the job would never
end.
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
"""The same for a batch that is finalizing: all of it is answered and paid, and only its files are missing."""
OUT_OF_REACH = 3_600.0
"""Seconds without an answer from a service after which its earlier reports no longer count."""
DEAF = 6 * 3_600.0
"""Seconds that a service has to end a batch after it was asked to stop it."""


class StallDecision(Enum):
    """What to do about a batch that has not ended."""

    WAIT = auto()
    STOP = auto()
    """Ask the service to cancel it; it then ends with the answers that exist."""
    LEAVE = auto()
    """The service was asked and has not stopped it: download the answers that exist, and do not wait any longer."""


def unmoved_since(batch: Batch, status: BatchStatus, now: Moment, *, poll: float) -> Moment:
    """The time of the last change in the service's reports on the batch.

    The counts may be wrong, but they do not change by themselves. If the service could not be reached for long, it may
    not have worked on the batch either, so the time starts again.
    """
    before = (batch.phase, batch.total, batch.completed, batch.failed)
    if batch.progress is None or before != (status.phase, status.total, status.completed, status.failed):
        return now
    out_of_reach = batch.heard is None or batch.heard.elapsed(now) >= max(OUT_OF_REACH, 3 * poll)
    return now if out_of_reach else batch.progress


def decide_stall(batch: Batch, phase: BatchPhase, *, progress: Moment, now: Moment, window: float) -> StallDecision:
    """What to do about a batch that the service reports in this phase, without a change since `progress`.

    `window` are the seconds in which the service promises to finish. A service that takes longer (Azure never expires
    a batch) may go on as long as its reports change. A batch that is ended early, for a deadline, may still be at work:
    batchd leaves it only if it stands still as well.
    """
    if batch.stopping is not None and batch.stopping.elapsed(now) < DEAF:
        return StallDecision.WAIT
    if batch.stopping is not None and batch.cut_at is None:
        return StallDecision.LEAVE
    since = batch.submitted_at if batch.submitted_at is not None else batch.created_at
    if now.at - since < window + GRACE:
        return StallDecision.WAIT
    quiet = QUIET_FINALIZING if phase is BatchPhase.FINALIZING else QUIET
    if progress.elapsed(now) < quiet:
        return StallDecision.WAIT
    return StallDecision.STOP if batch.stopping is None else StallDecision.LEAVE

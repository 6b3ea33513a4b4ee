"""Missing answers: those that a service counts, and so bills, but that are not in its files.

batchd waits for them and does not ask again: files can be late, cut short, or those of another batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..domain.records import Batch
from ..model import BatchPhase

VANISHED = "batch_missing"
"""The code of the problem that batchd adds to a batch that its service has not known for an hour."""
ABANDONED = "batch_abandoned"
"""The same for a batch that its service did not stop when asked."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What was downloaded of a batch: `ours` counts its requests that have a line, `unreadable` the lines without a
    `custom_id`, `foreign` the lines of other batches, with some of their ids as `examples`. `cut` if the download ends
    within a line that would count; that line is not counted."""

    ours: int
    unreadable: int = 0
    foreign: int = 0
    examples: tuple[str, ...] = field(default=())
    cut: bool = False


def claimed(batch: Batch) -> int:
    """How many of the batch's requests were answered or failed, by the service's count."""
    return min(batch.requests, batch.completed + batch.failed)


def missing_answers(batch: Batch, arrived: Arrived) -> int:
    """How many answers are still to come."""
    if any(problem["code"] in {VANISHED, ABANDONED} for problem in batch.problems):
        return 0
    promised = claimed(batch)
    if not batch.total and not promised and batch.phase is BatchPhase.COMPLETED:
        # The service does not count. A completed batch has answers, but none came, or those of another batch.
        if not arrived.ours or arrived.foreign:
            promised = batch.requests
        elif arrived.cut:
            return 1
    return max(0, promised - arrived.ours - arrived.unreadable)

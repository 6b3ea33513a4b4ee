"""Missing answers: those that a service counts, and so bills, and that its files do not hold.

They are waited for and not asked again: files can be late, cut short, or those of another batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..domain.records import Batch
from ..model import BatchPhase

VANISHED = "batch_missing"
"""The code of our own problem for a batch that its service has not known for an hour."""
ABANDONED = "batch_abandoned"
"""The same for a batch that its service was asked to stop and did not."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What was downloaded of a batch: `ours` are requests of it that a line answers, `unreadable` lines without a
    `custom_id`, `foreign` lines of other batches, with some of their ids. If it ends within a line that would
    count, that is `cut`, and does not."""

    ours: int
    unreadable: int = 0
    foreign: int = 0
    examples: tuple[str, ...] = field(default=())
    cut: bool = False


def claimed(batch: Batch) -> int:
    """How many of the batch's requests its service says that it has dealt with."""
    return min(batch.requests, batch.completed + batch.failed)


def missing_answers(batch: Batch, arrived: Arrived) -> int:
    """How many answers are still to come."""
    if any(problem["code"] in {VANISHED, ABANDONED} for problem in batch.problems):
        return 0
    promised = claimed(batch)
    if not batch.total and not promised and batch.phase is BatchPhase.COMPLETED:
        # A service that does not count. A batch that it has completed has answers; these are none of it, or another's.
        if not arrived.ours or arrived.foreign:
            promised = batch.requests
        elif arrived.cut:
            return 1
    return max(0, promised - arrived.ours - arrived.unreadable)

"""The steps of jobs and parts, to be taken inside of a transaction: each only from where it is a step."""

from __future__ import annotations

from typing import Any

from ...domain.records import Job, JobState, Part, PartState
from ...events import Event
from ..database import Transaction
from .mapping import columns_of


def change_job(tx: Transaction, job: str, before: JobState, after: JobState, *events: Event, **columns: Any) -> bool:
    """Take a job from one state to another; False, and nothing is said, if it is not in the first."""
    # An event belongs to the step: taken a second time, the step finds another state and says nothing.
    changed = tx.update("jobs", {"id": job, "state": before}, state=after, **columns) > 0
    if changed:
        tx.record(*events)
    return changed


def change_part(tx: Transaction, part: Part, before: PartState, after: Part) -> bool:
    """Take a part's current attempt on; False if it is not there any more, or was cut meanwhile."""
    # The rows too: a part that was cut meanwhile begins at the same row, in the same state and attempt.
    where = {"job": part.job, "first": part.first, "rows": part.rows, "state": before, "attempt": part.attempt}
    return tx.update("parts", where, **part_columns(after)) > 0


def part_columns(part: Part) -> dict[str, Any]:
    """What may change of a part, as columns."""
    columns = columns_of(part)
    del columns["job"], columns["first"]
    return columns


def find_duplicate(
    tx: Transaction, job: Job, sha256: str, *, accepted_at: float | None = None, cancelled: bool = True
) -> str | None:
    """The job to take answers from, of all or of those accepted earlier. `cancelled`: even one that was cancelled."""
    rows = tx.fetch("duplicate_of", sha256=sha256, route=columns_of(job)["route"], id=job.id, accepted_at=accepted_at)
    return str(rows[0]["id"]) if rows and (cancelled or not rows[0]["cancelled"]) else None

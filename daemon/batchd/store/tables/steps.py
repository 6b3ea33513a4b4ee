"""The steps of jobs and parts, taken inside a transaction: each only from the state that it leads on from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...domain.records import Job, JobState, Part, PartState
from ...domain.states import BatchState
from ...events import BatchReturned, Event, JobApproved, PilotApproved
from ..database import Transaction
from .mapping import columns_of
from .orders import Door


def step(tx: Transaction, table: str, where: Mapping[str, Any], *events: Event, **columns: Any) -> bool:
    """Change the row that is as `where` says, and record the events. If there is none, return False."""
    # An event belongs to its step: taken a second time, the step finds another state and records nothing.
    changed = tx.update(table, where, **columns) > 0
    if changed:
        tx.record(*events)
    return changed


def change_job(tx: Transaction, job: str, before: JobState, after: JobState, *events: Event, **columns: Any) -> bool:
    """Take a job from one state to another, and record the events. If it is not in the first, return False."""
    return step(tx, "jobs", {"id": job, "state": before}, *events, state=after, **columns)


def change_part(tx: Transaction, part: Part, before: PartState, after: Part) -> bool:
    """Take a part's current attempt on. Return False if it is not there any more, or was cut meanwhile."""
    # Compare the rows, too: a part that was cut meanwhile begins at the same row, in the same state and attempt.
    where = {"job": part.job, "first": part.first, "rows": part.rows, "state": before, "attempt": part.attempt}
    return tx.update("parts", where, **part_columns(after)) > 0


def put_parts(tx: Transaction, parts: Iterable[Part]) -> None:
    """Store these parts as they are here, in whatever state they were."""
    for part in parts:
        tx.update("parts", {"job": part.job, "first": part.first}, **part_columns(part))


def replace_parts(tx: Transaction, job: str, parts: Iterable[Part]) -> None:
    """Give the job these parts, and no others."""
    tx.run("delete_parts", job=job)
    tx.insert("parts", (columns_of(part) for part in parts))


def part_columns(part: Part) -> dict[str, Any]:
    """The columns of a part that may change."""
    columns = columns_of(part)
    del columns["job"], columns["first"]
    return columns


def find_duplicate(
    tx: Transaction, job: Job, sha256: str, *, accepted_at: float | None = None, cancelled: bool = True
) -> str | None:
    """Find the job to take answers from, of all or of those accepted earlier. `cancelled`: even a cancelled one."""
    rows = tx.fetch("duplicate_of", sha256=sha256, route=columns_of(job)["route"], id=job.id, accepted_at=accepted_at)
    return str(rows[0]["id"]) if rows and (cancelled or not rows[0]["cancelled"]) else None


def return_batch(tx: Transaction, key: str, state: str, reason: str, changed: Iterable[Part] = ()) -> None:
    """A batch in this state did not run: its parts wait for another one, `changed` ones as they are here."""
    if tx.update("batches", {"key": key, "state": state}, state=BatchState.RETURNED, reason=reason):
        tx.insert("parts", (columns_of(part) for part in changed), otherwise="OR REPLACE")
        tx.run("release_batch", batch=key)
        tx.run("plan_moved_parts_again", batch=key)
        tx.record(BatchReturned(batch=key, reason=reason))


def take_unwanted_back(tx: Transaction) -> None:
    """Take back batches that are not sent, if they are unwanted or cut: their parts wait again."""
    tx.run("release_unwanted_parts")
    tx.run("return_unwanted_batches")


def note_approval(tx: Transaction, event: JobApproved | PilotApproved) -> None:
    """A person approves a job. If that was by a renamed note, store the order here, since no command has left it."""
    tx.record(event)
    if event.where is not None:
        order = {"at": tx.now, "kind": "approve", "target": event.job, "door": Door.HELD_FOLDER.value}
        tx.insert("orders", [{**order, "done_at": tx.now, "answer": event.sentence}])

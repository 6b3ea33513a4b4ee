"""A worker process crashed while working on a file or a part."""

from __future__ import annotations

from ...domain.records import Job
from ...errors import NodeLost, WorkerLost
from ..context import Context
from .reject import reject

MAX_WORKER_CRASHES = 3
"""Crashes of workers over the same file or part before it counts as their cause, and only its job stops."""


async def note_worker_crash(context: Context, job: Job, first: int | None, lost: WorkerLost) -> None:
    """Count it, unless its whole machine went away.

    After the last time the file is rejected (`first` is None) or the job stops at this part.
    """
    if isinstance(lost, NodeLost):
        # Not the fault of the file or part: it is simply tried again.
        raise lost
    times = await context.store.jobs.worker_died(job.id, first)
    if times < MAX_WORKER_CRASHES:
        return
    if first is None:
        reason = (
            f"Reading it crashed the worker process {times} times, most likely because memory ran out. "
            "The original is unchanged. Drop it again in smaller files."
        )
        await reject(context, job, "worker_died", reason)
        return
    await context.store.jobs.failed(
        job,
        "worker_died",
        f"working on the part from row {first} crashed the worker process {times} times, most likely because memory "
        f"ran out. Give batchd more memory or make the route's part_rows smaller, then `batchd retry {job.id}`; "
        f"or `batchd cancel {job.id}` to get the answers so far.",
    )

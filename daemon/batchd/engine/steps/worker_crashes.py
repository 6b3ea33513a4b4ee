"""A worker process died over a file or a part."""

from __future__ import annotations

from ...domain.records import Job
from ..context import Context
from .reject import reject

MAX_WORKER_CRASHES = 3
"""A file or part that kills its worker this often is what kills it; the job stands still instead of the daemon."""


async def note_worker_crash(context: Context, job: Job, first: int | None) -> None:
    """Count it; after the last time the file is rejected (`first` is None) or the job stands still at this part."""
    times = await context.store.jobs.worker_died(job.id, first)
    if times < MAX_WORKER_CRASHES:
        return
    if first is None:
        reason = (
            f"Reading it ended the worker process {times} times, most likely for want of memory. "
            "The original is untouched. Drop it again in smaller files."
        )
        await reject(context, job, "worker_died", reason)
        return
    await context.store.jobs.failed(
        job,
        "worker_died",
        f"working on the part from row {first} ended the worker process {times} times, most likely for want of memory. "
        f"Give batchd more memory or make the route's part_rows smaller, then `batchd retry {job.id}`; "
        f"or `batchd cancel {job.id}` to have what there is.",
    )

"""A worker process crashed, or the code of a plugin hung, while working on a file, a part or a batch."""

from __future__ import annotations

import logging

from ...domain.lifecycle import Action, Deliver
from ...domain.records import Job, JobState, Part
from ...errors import NodeLost, WorkerLost
from ...model import Failure
from ...people.reasons import FOR_THE_OPERATOR
from ...workers.limits import Hung
from ..context import Context
from .reject import reject

logger = logging.getLogger(__name__)

MAX_WORKER_CRASHES = 3
"""How many worker crashes on the same file or part make it count as their cause. Then only its job stops."""
_STOPPABLE = {JobState.PLANNING, JobState.RUNNING, JobState.DELIVERING}


async def note_worker_crash(context: Context, job: Job, first: int | None, lost: WorkerLost | Hung) -> None:
    """Count a crash of a worker, unless its whole machine went away.

    After the last time the file is rejected (`first` is None) or the job stops at this part.
    """
    if isinstance(lost, NodeLost):
        # The file or part is not at fault: it is simply tried again.
        raise lost
    times = await context.store.jobs.worker_died(job.id, first)
    if times < MAX_WORKER_CRASHES:
        return
    why = f"because {lost}" if isinstance(lost, Hung) else "most likely because memory ran out."
    if isinstance(lost, WorkerLost) and lost.where:
        why = f"because {lost.where}."
    if first is None:
        known = isinstance(lost, WorkerLost) and lost.where
        what = "For the operator: fix the plugin. Then drop it again." if known else "Drop it again in smaller files."
        reason = f"Reading it crashed the worker process {times} times, {why} The original is unchanged. {what}"
        await reject(context, job, "worker_died", reason)
        return
    await context.store.jobs.failed(
        job,
        "worker_died",
        f"working on the part from row {first} crashed the worker process {times} times, {why} "
        "Give batchd more memory or make the route's part_rows smaller, or fix the plugin if one is named; then "
        f"`batchd retry {job.id}`; or `batchd cancel {job.id}` to get the answers so far.",
    )


async def note_part_fault(context: Context, job: Job, part: Part, fault: WorkerLost | Hung) -> None:
    """Count a worker crash over a part. If a plugin hung at a row, fail the row and try the part without it."""
    if isinstance(fault, WorkerLost) or fault.row is None or not part.first <= fault.row < part.first + part.rows:
        await note_worker_crash(context, job, part.first, fault)
        return
    context.hung.setdefault(job.id, {})[fault.row] = Failure("hung", f"The row could not be processed: {fault}")
    logger.warning(
        "Row %d of %s failed: %s The rest of the file goes on.",
        fault.row,
        job.source,
        fault,
        extra={"action": "Hung", "job": job.id},
    )


async def reject_hung(context: Context, job: Job, hung: Hung) -> None:
    """Reject a file over which the plugin that reads it hung."""
    after = f" after row {hung.row:,}" if hung.row is not None else ""
    reason = (
        f"It could not be read: the program that reads it stopped making progress{after}. "
        f"{FOR_THE_OPERATOR}{hung} If the file only takes long, raise read_timeout in [workers]; else fix the plugin. "
        "Then drop the file again."
    )
    await reject(context, job, "hung", reason)


async def stop_after_crashes(context: Context, action: Action, lost: WorkerLost) -> None:
    """Stop the jobs of an action that has crashed its worker too often."""
    job = getattr(action, "job", None)
    batch = getattr(action, "batch", None)
    jobs = {job} if job is not None else set()
    if isinstance(batch, str):
        jobs |= {part.job for part in await context.store.batches.parts(batch)}
    what = f"delivering it through {action.sink}" if isinstance(action, Deliver) else type(action).__name__.lower()
    for each in sorted(jobs):
        found = await context.store.jobs.get(each)
        if found.state in _STOPPABLE:
            reason = (
                f"a worker process died {MAX_WORKER_CRASHES} times over it ({what}): {lost} Give batchd more memory, "
                f"then `batchd retry {found.id}`."
            )
            await context.store.jobs.failed(found, "worker_died", reason)

"""Reconcile the rows of a job, and reserve the names of its outputs."""

from __future__ import annotations

import asyncio

from ...delivery.archive import reserve
from ...domain.lifecycle import Close
from ...domain.records import Job
from ..context import Context
from .identical_rows import follow_other_parts
from .output_names import reserve_outbox_name


async def close(context: Context, action: Close) -> None:
    """Check that every row has its outcome, and reserve the names of the outputs."""
    job = await context.store.jobs.get(action.job)
    await follow_other_parts(context, job)
    if not await is_settled(context, job):
        return
    archive_name = await asyncio.to_thread(reserve, context.folders.archive, job.relative_path)
    await reserve_outbox_name(context, job, archive_name)


async def is_settled(context: Context, job: Job) -> bool:
    """Whether every row has its outcome. If not, the job stands still."""
    totals = await context.store.jobs.totals(job.id)
    settled = totals.settled
    if totals.rows != job.rows or settled > totals.rows or (settled < totals.rows and not job.cancelled):
        reason = (
            f"The file came in with {job.rows} rows, its parts hold {totals.rows}, and {totals.ok} ok + "
            f"{totals.failed} failed + {totals.empty} empty are settled."
        )
        await stand_still(context, job, reason)
        return False
    return True


async def stand_still(context: Context, job: Job, reason: str) -> None:
    """The rows do not add up. Louder than a wait: people would take what there is for the whole."""
    await context.store.jobs.failed(
        job,
        "rows_do_not_add_up",
        f"its rows do not add up. {reason} Nothing is delivered, and the original is kept. Either a file in the state "
        f"folder was changed or damaged, or this is a fault of batchd: please report it with the output of "
        f"`batchd events {job.id}`. Once the state folder is fixed: `batchd retry {job.id}`.",
    )

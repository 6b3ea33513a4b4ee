"""Put a file that cannot be taken into the rejected folder, with the reason beside it."""

from __future__ import annotations

import asyncio

from ...delivery.archive import put_into_rejected, reserve
from ...domain.lifecycle import Reject
from ...domain.records import Job
from ..context import Context
from .output_names import archive_elsewhere


async def reject(context: Context, job: Job, code: str, reason: str) -> None:
    """Decide that the file cannot be taken; the next action carries it out."""
    name = await asyncio.to_thread(reserve, context.folders.rejected, job.relative_path)
    await context.store.jobs.rejecting(job, code, reason, archive_name=name)


async def put_away(context: Context, action: Reject) -> None:
    """Put the file into the rejected folder with the reason beside it."""
    job = await context.store.jobs.get(action.job)
    assert job.archive_name is not None
    source, folders = context.spool.source(job.id), context.folders
    text = (
        f"{job.source} could not be processed.\n\n{job.reason}\n\n"
        "The file itself is unchanged; it lies beside this note. When it is fixed, drop it into the inbox again.\n\n"
        f"For the operator: reason {job.reason_code}, job {job.id}\n"
    )
    try:
        await asyncio.to_thread(
            put_into_rejected, source, folders.rejected, job.archive_name, text, mounted=folders.mounted
        )
    except FileExistsError:
        await archive_elsewhere(context, job, folders.rejected)
        return
    await context.store.jobs.rejected(job, context.clock.now())
    await asyncio.to_thread(context.spool.remove_job, job.id)

"""Put a file that cannot be taken into the rejected folder, with the reason beside it."""

from __future__ import annotations

import asyncio

from ...delivery.archive import put_into_rejected, reserve
from ...domain.lifecycle import Reject
from ...domain.records import Job
from ...people.reasons import FOR_THE_OPERATOR, reason_in
from ..context import Context
from .output_names import archive_elsewhere


async def reject(context: Context, job: Job, code: str, reason: str) -> bool:
    """Decide that the file cannot be taken; the next action carries it out. Return False if the job has gone on."""
    name = await asyncio.to_thread(reserve, context.folders.rejected, job.relative_path)
    return await context.store.jobs.rejecting(job, code, reason, archive_name=name)


async def put_away(context: Context, action: Reject) -> None:
    """Put the file into the rejected folder with the reason beside it."""
    job = await context.store.jobs.get(action.job)
    assert job.archive_name is not None
    source, folders = context.spool.source(job.id), context.folders
    reason, _, advice = str(job.reason).partition(FOR_THE_OPERATOR)
    configured = context.configured
    people = configured.people
    could_not, unchanged = people.say("why.could_not", file=job.source), people.say("why.unchanged")
    text = (
        f"{could_not}\n\n{reason_in(reason.rstrip(), people.code)}\n\n{unchanged}\n\n"
        f"{FOR_THE_OPERATOR}{advice}{' ' if advice else ''}(reason {job.reason_code}, job {job.id})\n"
    )
    try:
        await asyncio.to_thread(
            put_into_rejected,
            source,
            folders.rejected,
            job.archive_name,
            text,
            mounted=folders.mounted,
            rights=configured.rights(job),
        )
    except FileExistsError:
        await archive_elsewhere(context, job, folders.rejected)
        return
    if job.outbox_stem is not None:
        await asyncio.to_thread(context.waiting_notes.take_away, job.id, job.outbox_stem)
    await context.store.jobs.rejected(job, context.clock.now())
    await asyncio.to_thread(context.spool.remove_job, job.id)

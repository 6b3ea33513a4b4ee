"""Reads the notes in the held folder: people approve a job by renaming its note."""

from __future__ import annotations

import asyncio

from ...domain.records import Job, JobState
from ...events import OrderRefused
from ...orders.values import NotCarriedOut
from ..context import Context
from ..steps.approve import approve
from ..steps.hold_note import take_note_away


async def look(context: Context) -> None:
    """Approve jobs whose notes were renamed, if the operator allows that. Notes that are gone are written again."""
    approve_in_folder = context.configured.approve_in_folder
    for job in await context.store.money.held():
        if job.note is None:
            continue
        approval = await asyncio.to_thread(context.notes.approval, job.note)
        if approval is None:
            if await asyncio.to_thread(context.notes.is_gone, job.note):
                await context.store.money.noted(job, None)
        elif approve_in_folder:
            try:
                await approve(context, job, None, where=approval)
            except NotCarriedOut as refusal:
                await _refuse(context, job, str(refusal))


async def _refuse(context: Context, job: Job, why: str) -> None:
    """Report why the job stays held. Its note comes back under the old name, as the renamed one approves nothing."""
    if (await context.store.jobs.get(job.id)).state is not JobState.HELD:
        return  # another order has decided meanwhile
    await context.store.event_log.record(OrderRefused(job=job.id, order="approve", reason=why))
    await take_note_away(context, job)

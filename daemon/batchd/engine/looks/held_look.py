"""Reads the notes in the held folder: people approve a job by renaming its note."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ...orders.values import NotCarriedOut
from ..context import Context
from ..steps.approve import approve


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
            with suppress(NotCarriedOut):  # it stays as it is
                await approve(context, job, None, where=approval)

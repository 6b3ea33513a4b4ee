"""Take a file out of the inbox into the spool."""

from __future__ import annotations

import asyncio

from ...domain.lifecycle import Claim
from ...domain.records import JobState
from ...files import named
from ...intake.claiming import Changed, Claimed, Gone, claim
from ..context import Context


async def take(context: Context, action: Claim) -> None:
    """Take the file into the spool, or forget the job if it is not there any more as it was."""
    job = await context.store.jobs.find(action.job)
    if job is None or job.state is not JobState.CLAIMING:
        return
    source = context.spool.source(job.id)

    def take_it() -> Claimed | Gone | Changed:
        # Not synced here: claiming the file syncs the folder.
        context.spool.make_job(job.id, synced=False)
        name = context.spool.name(job.id)
        with named(name):
            name.write_bytes(job.inbox_path)
        return claim(context.folders.inbox, job.relative_path, job.stamp, source, job.id)

    outcome = await asyncio.to_thread(take_it)
    if isinstance(outcome, Gone | Changed):
        # A person has taken the file back, or a program writes to it again: the next look sees what is there then.
        await context.store.jobs.forget(job.id)
        await asyncio.to_thread(context.spool.remove_job, job.id)
        return
    await context.store.jobs.claimed(job, outcome.stamp)

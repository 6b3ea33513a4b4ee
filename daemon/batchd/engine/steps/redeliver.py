"""The same bytes dropped again for the same route: the answers are there already, and paid."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

from ...domain.lifecycle import Redeliver
from ...domain.records import JobState, Part, PartState
from ...files import fsync_folder
from ...model import Usage
from ..context import Context
from ..retry_later import RetryLater

PAUSE = 2.0
"""Seconds between looks whether the earlier job has its answers."""


async def redeliver(context: Context, action: Redeliver) -> None:
    """Make the earlier job's results this job's own, once they are all there."""
    job = await context.store.jobs.get(action.job)
    earlier = await context.store.jobs.find(job.duplicate_of or "")
    nothing = {JobState.CANCELLED, JobState.REJECTED, JobState.FAILED}
    if earlier is None or earlier.swept_at is not None or earlier.state in nothing:
        await context.store.jobs.without_duplicate(job)
        return
    if earlier.state is not JobState.DONE:
        raise RetryLater(PAUSE)
    theirs = await context.store.jobs.parts(earlier.id)
    ours = [
        replace(
            part,
            job=job.id,
            state=PartState.COLLECTED,
            attempt=1,
            batch=None,
            usage=Usage(),
            wasted=Usage(),
            reused=0,
            saved=Usage(),
            requests=0,
        )
        for part in theirs
    ]
    await asyncio.to_thread(_link_results, context, theirs, ours)
    await context.store.jobs.redelivered(job, ours)


def _link_results(context: Context, theirs: Sequence[Part], ours: Sequence[Part]) -> None:
    """Results files are never changed, so a second name is as good as a copy."""
    for their, our in zip(theirs, ours, strict=True):
        if their.results:
            target = context.spool.results(our)
            target.unlink(missing_ok=True)
            os.link(context.spool.results(their), target)
    for our in ours[:1]:
        fsync_folder(context.spool.results(our).parent)


async def duplicate_reason(context: Context, earlier: str) -> str:
    """Why a duplicate is rejected, and where its answers are."""
    job = await context.store.jobs.get(earlier)
    where = f"; its results are in the outbox as {job.outbox_stem}.results.*" if job.outbox_stem else ""
    return (
        f"The very same file was taken before as {job.source} (job {job.id}){where}. Asking again would cost the same "
        'again. If that is what you want, ask the operator to set duplicates = "process" under [intake].'
    )

"""Join a part's answers with its rows; what is left over is the next attempt."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ...domain.lifecycle import Collect
from ...domain.records import Part, PartState
from ...errors import WorkerLost
from ...money.budget import SURE, UNSURE
from ...store.money import Collected
from ...work.collect import CollectTask, collect
from ...work.limits import Hung
from ..context import Context
from .admit import correction_of
from .render import note_rendered, render_tasks
from .worker_crashes import note_hung, note_worker_crash


async def collect_part(context: Context, action: Collect) -> None:
    """Join a part's answers with its rows; leftovers are the next attempt of the same part."""
    configured = context.configured
    job = await context.store.jobs.get(action.job)
    part = await context.store.jobs.part(action.job, action.first)
    spool, version = context.spool, part.results + 1
    lane = (await context.store.batches.get(part.batch)).lane if part.batch is not None else configured.lane(job)
    correction = await correction_of(context, job)
    task = CollectTask(
        first=part.first,
        rows=part.rows,
        answers=str(spool.answers(part)),
        settled=context.settled_file(part),
        results=str(spool.results(part, version)),
        builder=configured.spec_here(job.route.prompt),
        attempt=part.attempt,
        attempts=job.route.attempts * job.retry_round,
        renders=render_tasks(context, configured, job, part, version),
        lane=lane,
        terms=job.terms,
        job=job.id,
        keys=str(spool.keys(part)),
        book=str(spool.answer_cache) if job.route.reuse is not None else None,
        at=context.clock.now(),
        requests=str(spool.requests(part)),
        endpoint=job.route.endpoint,
        model=job.route.model,
        factor=correction.factor * (SURE if correction.sure else UNSURE),
        hopeless=context.hopeless(part),
        row_timeout=context.time_limits.row,
    )
    try:
        done = await context.executor_for(job).run(collect, task)
    except WorkerLost as lost:
        await note_worker_crash(context, job, part.first, lost)
        return
    except Hung as hung:
        await note_hung(context, job, part, hung)
        return
    again = done.leftovers > 0 and not job.cancelled
    collected = replace(
        part,
        state=PartState.UNPLANNED if again else PartState.COLLECTED,
        attempt=part.attempt + 1 if again else part.attempt,
        batch=None,
        results=version,
        ok=done.ok,
        failed=done.failed,
        usage=part.usage + done.bill.usage,
        wasted=part.wasted + done.bill.wasted,
        reused=part.reused + done.reused,
        saved=part.saved + done.saved,
        worker_crashes=0,
    )
    note_rendered(context, configured, job, part, version, done.rendered)
    await context.store.money.collected(job, part, Collected(collected, part.batch, lane, done.bill, done.reasons))
    await asyncio.to_thread(_remove_attempt, context, part)


def _remove_attempt(context: Context, part: Part) -> None:
    spool = context.spool
    files = [spool.requests(part), spool.answers(part), spool.keys(part)]
    files += [spool.results(part)] if part.results else []
    for file in files:
        file.unlink(missing_ok=True)

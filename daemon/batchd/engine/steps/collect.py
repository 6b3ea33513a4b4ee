"""Join a part's answers with its rows; what is left over is the next attempt."""

from __future__ import annotations

import asyncio

from ...domain.lifecycle import Collect
from ...domain.records import Asked, Batch, Job, Part, PartState
from ...domain.states import USELESS
from ...errors import WorkerLost
from ...money.budget import SURE, UNSURE
from ...money.calibration import correction
from ...money.lanes import Lane
from ...money.spending import Bill
from ...requests.model_params import limit_key
from ...sending.accounts import Stage
from ...sending.line_refusals import RouteRefused, rest_after
from ...store.tables.money import Collected
from ...values import replace
from ...work.collecting.collect import CollectDone, CollectTask, collect
from ...workers.limits import Hung
from ..context import Context
from .account_refusals import block, waiting_text
from .part_files import remove_attempt
from .render import note_rendered, render_tasks, summary_task
from .route_refusals import stop_job
from .useless_answers import hold_for_a_person
from .worker_crashes import note_part_fault


async def collect_part(context: Context, action: Collect) -> None:
    """Join a part's answers with its rows; leftovers are the next attempt of the same part."""
    configured = context.configured
    found = await context.store.gathering.for_part(action.job, action.first)
    job, part, batch = found.job, found.part, found.batch
    spool, version = context.spool, part.results + 1
    lane = batch.lane if batch is not None else configured.lane(job)
    cut = batch is not None and batch.cut_at is not None
    asked = job.asked(batch)
    task = CollectTask(
        first=part.first,
        rows=part.rows,
        answers=str(spool.answers(part)),
        settled=context.settled_file(part),
        results=str(spool.results(part, version)),
        builder=configured.spec_here(job.route.prompt),
        attempt=part.attempt,
        attempts=job.route.attempts * job.retry_round + part.excused + cut,
        renders=render_tasks(context, configured, job, part, version),
        summary=summary_task(context, job, part, version),
        lane=lane,
        terms=asked.terms,
        job=job.id,
        keys=str(spool.keys(part)),
        book=str(spool.answer_cache) if job.route.reuse is not None else None,
        ahead=str(spool.answers_ahead if job.trial is not None else spool.answers_of_steps)
        if job.trial is not None or job.parent is not None
        else None,
        provider=asked.provider,
        at=context.clock.now(),
        requests=str(spool.requests(part)),
        endpoint=job.route.endpoint,
        model=asked.model,
        factor=correction(*found.counted) * (SURE if found.counted[0] > 0 else UNSURE),
        given_up=context.given_up(part),
        row_timeout=context.time_limits.row,
        corrections=str(spool.corrections(part)),
        next_corrections=str(spool.corrections(part, part.attempt + 1)),
        follows=str(spool.follows(part)),
        limit_key=limit_key(asked.model, job.route.params, endpoint=job.route.endpoint),
        proven=job.reason_code != USELESS and found.ok > 0,
        batch_answered=batch is not None and _answered_in_part(batch),
    )
    try:
        done = await (await context.executor_for(job)).run(collect, task)
    except (WorkerLost, Hung) as fault:
        await note_part_fault(context, job, part, fault)
        return
    if done.refusals.route is not None:
        await _refused_as_a_whole(context, job, part, lane, asked, done.refusals.route, done.bill)
        return
    again = done.leftovers > 0 and not job.cancelled
    # Rows that were not asked, because the answers before them were of no use, have not had their turn.
    excused = again and (cut or done.useless is not None or set(done.reasons) <= {"account_refused", "same_request"})
    collected = replace(
        part,
        state=PartState.UNPLANNED if again else PartState.COLLECTED,
        attempt=part.attempt + 1 if again else part.attempt,
        excused=part.excused + 1 if excused else part.excused,
        rest_until=context.clock.now() + rest_after(part.attempt) if again and done.refusals.rest else None,
        batch=None,
        results=version,
        ok=done.ok,
        failed=done.failed,
        empty=done.empty,
        usage=part.usage + done.bill.usage,
        wasted=part.wasted + done.bill.wasted,
        reused=part.reused + done.reused,
        saved=part.saved + done.saved,
        worker_crashes=0,
    )
    if done.useless is not None:
        # This is before the part counts as collected: after a crash in between the answers are judged again.
        await hold_for_a_person(context, job, asked, done.useless)
    note_rendered(context, configured, job, part, version, done.rendered)
    said = Collected(collected, part.batch, lane, done.bill, done.reasons, asked)
    await context.store.money.collected(job, part, said)
    await _note_answers(context, job, part, asked, done)
    if not job.early_rows:  # else rows that are planned later are compared with its files
        await asyncio.to_thread(remove_attempt, context.spool, part)


def _answered_in_part(batch: Batch) -> bool:
    """Whether the service counts both answers and failures. Counts without a failure prove nothing."""
    return 0 < batch.completed < batch.completed + batch.failed <= batch.total


async def _note_answers(context: Context, job: Job, part: Part, asked: Asked, done: CollectDone) -> None:
    """Note what the answers and the refused lines show about the account and the recipe."""
    place = (asked.provider, asked.model)
    if done.ok - done.reused > part.ok and done.useless is None:
        context.accounts.passed(*place, Stage.ANSWERS)
        recipe = replace(job.route, provider=asked.provider, model=asked.model).recipe
        if recipe not in context.proven:
            await context.store.learnt.prove(recipe)
            context.proven.add(recipe)
    account = done.refusals.account
    if account is not None:
        block(context, (place[0], ""), Stage.ANSWERS, waiting_text((place[0], ""), account))


async def _refused_as_a_whole(
    context: Context, job: Job, part: Part, lane: Lane, asked: Asked, refused: RouteRefused, bill: Bill
) -> None:
    """Put the part back at the same attempt, since no row can be asked like this. Stop the job if none was answered."""
    again = replace(
        part,
        state=PartState.UNPLANNED,
        batch=None,
        worker_crashes=0,
        usage=part.usage + bill.usage,
        wasted=part.wasted + bill.wasted,
    )
    await context.store.money.collected(job, part, Collected(again, part.batch, lane, bill, {}, asked))
    parts = await context.store.jobs.parts(job.id)
    if any(each.state is PartState.ANSWERED for each in parts):
        return  # they may hold answers; the last of them decides
    batch = await context.store.batches.get(part.batch) if part.batch is not None else None
    moved = asked.provider != (await context.store.jobs.get(job.id)).route.provider
    if batch is None or job.planned_at is None or batch.created_at < job.planned_at or moved:
        return  # asked by an earlier route: it was changed, and the job goes on by the new one
    if not job.cancelled and not any(each.ok for each in parts):
        await stop_job(context, await context.store.jobs.get(job.id), refused.message, refused)

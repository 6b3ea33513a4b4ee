"""Carries out the orders of people: approve, cancel, retry, resolve and others."""

from __future__ import annotations

import asyncio

from ...contracts import RemoteBatch
from ...domain.records import Batch, BatchState, HeldFor, Job, JobState, Part, PartState
from ...domain.states import USELESS
from ...domain.subjects import EVERYTHING, Subject
from ...errors import ProviderError
from ...events import JobCancelled, JobRetried, count
from ...orders.values import (
    Approve,
    Cancel,
    NotCarriedOut,
    Pause,
    Purge,
    Resolve,
    Resume,
    Retry,
    SkipSink,
    Try,
    from_stored,
)
from ...store.database import to_json
from ...store.tables.chains import Revived
from ...store.tables.orders import StoredOrder
from ...values import replace
from ...work.collecting.fail_rows import ClearFailuresTask, clear_failures
from ..context import Context
from ..pausing import put_in_force
from ..provider_calls import ProviderNotConfigured, open_provider
from .approve import approve
from .deliver import CANCELLED_MAY_TAKE, hurry
from .missing_answers import GIVEN_UP
from .reject import reject
from .route_refusals import PROVIDER_REFUSED, changed_meanwhile, changed_route, go_on_by
from .tries import begin
from .useless_answers import ask_anew

ASKED_WITHIN = 10.0
"""Seconds that a provider has to say whether it knows a batch: all other work waits for it."""


async def obey(context: Context, order: StoredOrder) -> bool:
    """Carry out an order and answer it. If it cannot be carried out, the answer says why.

    Return False if an action carries it out: the order is answered once that is done.
    """
    refused = False
    try:
        answer: str | None = await _carry_out(context, order)
    except NotCarriedOut as refusal:
        answer, refused = str(refusal), True
    if answer is None:
        return False
    await context.store.event_log.answer(order, answer, refused=refused)
    return True


async def _carry_out(context: Context, stored: StoredOrder) -> str | None:
    match order := from_stored(stored.kind, stored.target, stored.data):
        case Approve():
            return await _approve(context, order)
        case Cancel():
            return await _cancel(context, order)
        case Retry():
            return await _retry(context, order)
        case SkipSink():
            return await _skip_sink(context, order)
        case Resolve():
            return await _resolve(context, order)
        case Purge():
            return await _purge(context, order, at=stored.at)
        case Try():
            return await begin(context, order.target, order.asked)
        case Pause():
            return await _pause(context, order, stored.who)
        case Resume():
            return await _resume(context, order, stored.who)
        case _:
            raise NotCarriedOut(f"This version of batchd does not know the order “{stored.kind}”.")


async def _approve(context: Context, order: Approve) -> str:
    job = await _job(context, order.target)
    if job.state is JobState.CHAINED:
        family = await context.store.chains.family(job)
        job = next((step for step in family if step.state is JobState.HELD), job)
    return await approve(context, job, order.up_to)


async def _pause(context: Context, order: Pause, who: str | None) -> str:
    (what, _, name), configured = order.target.partition(" "), context.configured
    known = {"provider": configured.providers, "route": [each.name for each in configured.routes]}
    if name and name not in known.get(what, ()):
        raise NotCarriedOut(f"The running daemon has no {order.target}; nothing was changed.")
    by = f" by {who}" if who else ""
    text = f"paused{by}. Nothing new of it is sent; what is at a provider is collected and delivered."
    if not await context.store.pauses.pause(order.target, who, f"{text} To go on: {order.undone_by}"):
        raise NotCarriedOut(f"{_begun(order)} is paused already. To go on: {order.undone_by}")
    await put_in_force(context)
    return f"{_begun(order)} is paused: nothing new is sent, and what is at a provider is collected and delivered."


async def _resume(context: Context, order: Resume, who: str | None) -> str:
    names = await context.store.pauses.resume(order.target, who)
    if not names:
        raise NotCarriedOut("Nothing is paused." if order.target == EVERYTHING else f"{_begun(order)} is not paused.")
    await put_in_force(context)
    rest = f" Still paused: {', '.join(sorted(context.paused.names))}." if context.paused.names else ""
    named = " and ".join(names)
    return f"{named[0].upper()}{named[1:]} {'goes' if len(names) == 1 else 'go'} on.{rest}"


def _begun(order: Pause | Resume) -> str:
    """The target of the order, to begin a sentence: `Route reviews`."""
    return f"{order.target[0].upper()}{order.target[1:]}"


async def _job(context: Context, name: str) -> Job:
    job = await context.store.jobs.find(name)
    if job is None:
        raise NotCarriedOut(f"There is no job {name}.")
    return job


async def _whole(context: Context, name: str) -> Job:
    """The job that took the file, even if `name` is a later step of its chain."""
    job = await _job(context, name)
    return job if job.family is None else await _job(context, job.family)


async def _cancel(context: Context, order: Cancel) -> str:
    job = await _whole(context, order.target)
    event = JobCancelled(job=job.id)
    if job.state is JobState.DELIVERING:
        # A job that was cancelled before may be stuck at a sink: that one is tried once more, too.
        if not job.cancelled and not await context.store.jobs.cancelled(job, event, state=JobState.DELIVERING):
            raise changed_meanwhile(job)
        context.last_tries.add(job.id)
        hurry(context, job.id, within=CANCELLED_MAY_TAKE)
        return (
            f"Job {job.id} is being cancelled: all its rows are answered, so each sink that has not published them is "
            "tried once more, and skipped if it fails."
        )
    if job.state.final or job.cancelled or job.state is JobState.REJECTING:
        now = "being cancelled" if job.cancelled and not job.state.final else job.state
        raise NotCarriedOut(f"Job {job.id} is {now} already; nothing was changed.")
    if job.state is JobState.CHAINED:
        if not await context.store.chains.cancelled(await context.store.chains.family(job), event):
            raise changed_meanwhile(job)
        return f"Job {job.id} is being cancelled, in all its steps; rows that are answered already are delivered."
    if job.rows is None:
        if job.state is JobState.CLAIMING:
            raise NotCarriedOut(f"Job {job.id} is just being taken; cancel it again in a moment.")
        if not await reject(context, job, "cancelled", "It was cancelled before it was read."):
            raise changed_meanwhile(job)
        return f"Job {job.id} was cancelled before it was read; the file goes to the rejected folder."
    if not await context.store.jobs.cancelled(job, event, state=JobState.RUNNING):
        raise changed_meanwhile(job)
    return f"Job {job.id} is being cancelled; rows that are answered already are delivered."


async def _skip_sink(context: Context, order: SkipSink) -> str:
    job = await _whole(context, order.target)
    if job.state.final:
        raise NotCarriedOut(f"Job {job.id} is {job.state} already; nothing was changed.")
    if order.sink not in job.route.sinks:
        raise NotCarriedOut(f"Job {job.id} has no sink {order.sink}; it has {', '.join(job.route.sinks)}.")
    if order.sink in await context.store.deliveries.of_job(job.id):
        raise NotCarriedOut(f"Job {job.id} has been published through {order.sink} already, or that was skipped.")
    await context.store.deliveries.sink_skipped(job, order.sink, "a person has ordered it.")
    hurry(context, job.id, order.sink)
    return f"Job {job.id} skips the sink {order.sink}; its other results are not changed by that."


async def _retry(context: Context, order: Retry) -> str:
    job = await _whole(context, order.target)
    if job.state is JobState.CHAINED:
        # The step of its chain that is stopped.
        open_steps = [step for step in await context.store.chains.family(job) if not step.state.final]
        job = next((step for step in reversed(open_steps) if step.state is not JobState.CHAINED), job)
    context.hung.pop(job.id, None)
    if job.state is JobState.FAILED:
        return await _go_on(context, job)
    if job.state is JobState.REJECTED:
        raise NotCarriedOut(f"Job {job.id} was rejected: {job.reason} Fix the file and drop it again.")
    if job.state is JobState.DELIVERING:
        return f"Job {job.id} is tried again now, through each sink that has not published it."
    if job.state is JobState.HELD and job.reason_code == USELESS:
        return await ask_anew(context, job)
    if job.state is JobState.RUNNING and await _is_waiting(context, job):
        return f"{job.route.provider} is tried again now for job {job.id}."
    if job.state not in {JobState.DONE, JobState.CANCELLED}:
        raise NotCarriedOut(f"Job {job.id} is {job.state}; there is nothing to retry yet.")
    if job.purge_ordered_at is not None:
        raise NotCarriedOut(f"Job {job.id} was purged: nothing is kept of it. Drop its file again to ask it again.")
    if job.swept_at is not None:
        raise NotCarriedOut(
            f"Job {job.id} finished too long ago: its rows are not kept any more. Drop its failed.csv again "
            "to ask about the failed rows."
        )
    return await _ask_again(context, job)


async def _is_waiting(context: Context, job: Job) -> bool:
    """Whether the job waits for its provider. Its account may be tried now; after an order, all else is tried too."""
    context.accounts.release(job.route.provider)
    waiting = await context.store.event_log.conditions()
    return Subject.provider(job.route.provider) in waiting


async def _go_on(context: Context, job: Job) -> str:
    """Let a stopped job go on where it was. A refused one goes on by its route as it is now, if that was changed."""
    if job.reason_code == PROVIDER_REFUSED and (route := changed_route(context, job)) is not None:
        if not await go_on_by(context, job, route):
            raise changed_meanwhile(job)
        return f"Job {job.id} goes on, by the route {route.name} as it is configured now."
    admitted = job.planned_at is not None and not job.early_rows
    state = JobState.CLAIMED if job.rows is None else JobState.RUNNING if admitted else JobState.PLANNING
    parts = [replace(part, worker_crashes=0) for part in await context.store.jobs.parts(job.id) if part.worker_crashes]
    event = JobRetried(job=job.id, rows=job.rows or 0)
    goes_on = await context.store.jobs.revive(
        job, state=state, event=event, parts=parts, reason=None, reason_code=None, worker_crashes=0
    )
    if not goes_on:
        raise changed_meanwhile(job)
    return f"Job {job.id} goes on."


async def _ask_again(context: Context, job: Job) -> str:
    """Ask a finished job's failed and skipped rows again; all its rows are delivered anew, beside the first results.

    In a chain each step asks its own failed rows again, and only rows that are answered now go on to the next step.
    """
    parts = await context.store.jobs.parts(job.id)
    rows = sum(part.rows - part.ok - part.empty for part in parts)
    if not rows:
        raise NotCarriedOut(f"Every row of job {job.id} has its answer; there is nothing to retry.")
    family = [job] if job.step_columns is None else await context.store.chains.family(job)
    revived = [await _revived(context, each) for each in family]
    if not await context.store.chains.revived(revived, JobRetried(job=job.id, rows=rows)):
        raise changed_meanwhile(job)
    return f"{count(rows, 'row')} of job {job.id} will be asked again; the results will stand beside the first ones."


async def _revived(context: Context, job: Job) -> Revived:
    # Rows without an answer are compared anew: the prompt may have changed since.
    await asyncio.to_thread(context.spool.forget_follows, job.id)
    parts = [
        await _reopened(context, part)
        for part in await context.store.jobs.parts(job.id)
        if part.step_results or part.ok + part.empty < part.rows
    ]
    columns: dict[str, object] = {
        "retry_round": job.retry_round + 1,
        "cancelled": 0,
        "outbox_stem": None,
        "finished_at": None,
    }
    if job.step_columns is not None:
        columns |= {"answer_columns": to_json(list(job.step_columns)), "step_columns": None}
    return Revived(job, parts, columns)


async def _reopened(context: Context, part: Part) -> Part:
    """The part with only the answers of its own step, so that its other rows are asked again."""
    version, spool = part.results + 1, context.spool
    ok, empty, target = part.ok, part.empty, str(spool.results(part, version))
    if before := part.step_results or part.results:
        task = ClearFailuresTask(str(spool.results(part, before)), target)
        ok, empty = await context.executor.run(clear_failures, task)
    whole = ok + empty == part.rows
    return replace(
        part,
        state=PartState.COLLECTED if whole else PartState.UNPLANNED,
        attempt=part.attempt if whole else part.attempt + 1,
        results=version if part.results else 0,
        step_results=0,
        ok=ok,
        empty=empty,
        failed=0,
        batch=None,
    )


async def _purge(context: Context, order: Purge, *, at: float) -> str | None:
    """Begin to purge, and return None. Once it is done, return the result."""
    job = await _whole(context, order.target)
    if job.purge_ordered_at == at:
        return job.purge_result
    if not job.state.final:
        raise NotCarriedOut(f"Job {job.id} is {job.state}; only a finished job can be purged: batchd cancel {job.id}")
    waiting = [other.id for other in await context.store.purging.same_answers(job.id) if not other.state.final]
    if waiting:
        raise NotCarriedOut(
            f"Job {', '.join(waiting)} is to deliver the answers of job {job.id} again. Purge it once that is done."
        )
    await context.store.purging.ordered(job, at)
    return None


async def _resolve(context: Context, order: Resolve) -> str:
    try:
        batch = await context.store.batches.get(order.target)
    except KeyError:
        raise NotCarriedOut(f"There is no batch {order.target}.") from None
    # The outcome of its create call is not known yet: a person may see sooner whether it exists.
    unknown = batch.state is BatchState.SUBMITTING and batch.key in context.not_known_yet
    if batch.state is not BatchState.HELD and not unknown:
        raise NotCarriedOut(
            f"Batch {batch.key} is {batch.state}; only a batch that is held, or of which it is not known yet whether "
            "it exists, can be resolved."
        )
    if order.found is not None:
        await _require_known(context, batch, order.found)
        if batch.held_for is HeldFor.COPY:
            # Later batches may exist there, too: those are taken over without asking a person.
            await context.store.restored.noticed(batch.created_at)
        context.not_known_yet.discard(batch.key)
        await context.store.batches.found(batch, order.found, [], context.clock.now())
        return f"Batch {batch.key} goes on as {order.found}."
    match batch.held_for:
        case HeldFor.ANSWERS:
            await context.store.batches.resolved_without(batch, {**batch.details, GIVEN_UP: True})
            return f"Batch {batch.key} goes on with the answers that there are; its other rows are asked again."
        case HeldFor.ACCOUNT if batch.remote is not None:
            await context.store.batches.returned(batch, f"a person said that {batch.provider} does not have it")
            return f"The rows of batch {batch.key} are asked again."
    if batch.held_for is HeldFor.COPY:
        context.looked_for_copies.add(batch.provider)
        # The original's batches have the keys that would come next.
        await context.store.batches.begin_keys_anew(batch.provider, context.clock.new_id())
    context.not_known_yet.discard(batch.key)
    await context.store.batches.resolved_absent(batch)
    return f"Batch {batch.key} will be created now."


async def _require_known(context: Context, batch: Batch, remote: str) -> None:
    """Raise NotCarriedOut unless the provider knows a batch of this id.

    A mistyped id would count as vanished after an hour, and all its rows would be asked and paid again.
    """
    try:
        async with asyncio.timeout(ASKED_WITHIN):
            provider = await open_provider(context, batch.provider)
            await provider.plugin_for(batch.lane).poll(RemoteBatch(remote, batch.key, {}))
    except (ProviderError, ProviderNotConfigured, TimeoutError) as error:
        why = str(error) or f"It did not answer within {ASKED_WITHIN:.0f} s."
        raise NotCarriedOut(
            f"{batch.provider} does not confirm that it has a batch {remote}; nothing was changed. {why}"
        ) from None

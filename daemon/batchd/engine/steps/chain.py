"""Hands rows from one step of a chain to the next, and joins the outcomes of later steps to the job before.

Each step is a job of its own, with its own parts, attempts and admission. The job that took the file waits for them,
and only it delivers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...columns import free_names
from ...domain.chains import joined_columns, step_id
from ...domain.lifecycle import EndStep, HandOn, Join
from ...domain.records import Job, JobState, Part
from ...domain.routing import Route
from ...domain.words import shown
from ...errors import BatchdError
from ...events import StepBegun, StepEnded
from ...money.budget import MAX_AMOUNT
from ...values import replace
from ...work.chain import HandedOn, HandOnTask, JoinTask, StepOutcomes, hand_on, join_steps
from ..context import Context
from .close import is_settled
from .identical_rows import follow_other_parts
from .render import forget_pieces

MISSING = "columns"


class RouteNotConfigured(BatchdError):
    """The answers of a job are to go on to a route that the configuration does not have any more."""


async def hand_rows_on(context: Context, action: HandOn) -> None:
    """Create the job of the next step from the answered rows that no earlier job of that step has had."""
    job = await context.store.jobs.get(action.job)
    if job.state not in {JobState.RUNNING, JobState.HELD}:
        return
    parts = await follow_other_parts(context, job, await context.store.jobs.parts(job.id))
    if not await is_settled(context, job, parts):
        return
    if job.cancelled:
        await context.store.chains.handed_on(job, None, ())
        return
    configured = context.configured
    route = configured.route(str(job.route.then))
    if route is None:
        raise RouteNotConfigured(
            f"The answers of {job.source} (job {job.id}) are to go on to the route {job.route.then}, which the "
            f"configuration does not have any more. Put it back, and reload; or give up: `batchd cancel {job.id}`."
        )
    spool, step = context.spool, step_id(job.id, job.retry_round)
    await asyncio.to_thread(spool.make_job, step)
    earlier = await context.store.chains.steps_of(job)
    columns = [*job.columns, *free_names(job.columns, job.answer_columns)]
    task = HandOnTask(
        runs=[spool.run(job, part) for part in parts],
        earlier=[str(spool.origins(each.id)) for each in earlier if each.id != step],
        columns=columns,
        builder=configured.spec_here(route.prompt),
        rows=str(spool.rows(step)),
        origins=str(spool.origins(step)),
        part_rows=route.part_rows,
        among=context.executor.number,
    )
    done = await context.local.run(hand_on, task)
    if not done.parts:
        await context.store.chains.handed_on(job, None, ())
        await asyncio.to_thread(spool.remove_job, step)
        return
    if done.missing:
        names = ", ".join(f"“{shown(name)}”" for name in done.missing)
        await context.store.jobs.failed(
            job,
            MISSING,
            f"the next step, {route.name}, asks about the column {names}, which neither the file nor the answers have. "
            f"Change the prompt of that route, reload, and then: `batchd retry {job.id}`.",
        )
        return
    await context.store.chains.handed_on(job, *_step(context, job, route, columns, done, step))


def _step(
    context: Context, job: Job, route: Route, columns: list[str], done: HandedOn, step: str
) -> tuple[Job, list[Part], StepBegun]:
    number = sum(part[1] for part in done.parts)
    # An approval without an amount was for a step whose cost was not known, not for this one.
    approved = job.approved if job.approved is not None and job.approved < MAX_AMOUNT else None
    made = Job(
        id=step,
        state=JobState.PLANNING,
        source=job.source,
        inbox_path=job.inbox_path,
        stamp=(0, 0, 0, 0),
        route=route,
        size=sum(part[3] for part in done.parts),
        claimed_at=job.claimed_at,
        accepted_at=context.clock.now(),
        rows=number,
        columns=columns,
        answer_columns=done.answer_columns,
        approved=approved,
        parent=job.id,
        family=job.first_step,
    )
    parts = [Part(job=step, first=f, rows=n, offset=o, length=b) for f, n, o, b in done.parts]
    return made, parts, StepBegun(job=step, source=job.source, first=job.first_step, route=route.name, rows=number)


async def join(context: Context, action: Join) -> None:
    """Join the outcomes of the later steps, which are at their end, to the job's own."""
    job = await context.store.jobs.get(action.job)
    if job.state is not JobState.CHAINED or job.step_columns is not None:
        return
    spool = context.spool
    steps = await context.store.chains.steps_of(job)
    columns, places = joined_columns(job.answer_columns, [step.answer_columns for step in steps])
    outcomes = []
    for step, where in zip(steps, places, strict=True):
        theirs = await context.store.jobs.parts(step.id)
        files = [(part.first, part.rows, context.settled_file(part)) for part in theirs]
        outcomes.append(StepOutcomes(step.route.name, str(spool.origins(step.id)), files, where))
    parts = await context.store.jobs.parts(job.id)

    async def joined(part: Part) -> Part:
        version = part.results + 1
        task = JoinTask(
            first=part.first,
            rows=part.rows,
            settled=context.settled_file(part),
            results=str(spool.results(part, version)),
            columns=len(columns),
            steps=outcomes,
            cancelled=job.cancelled,
        )
        done = await context.local.run(join_steps, task)
        return replace(
            part, results=version, step_results=part.results, ok=done.ok, failed=done.failed, empty=done.empty
        )

    answered = [await joined(part) for part in parts if part.results]
    await context.store.chains.joined(job, answered, columns)


async def end_step(context: Context, action: EndStep) -> None:
    """End a later step once each of its rows has an outcome; the job before it joins these."""
    job = await context.store.jobs.get(action.job)
    if job.state.final:
        return
    parts: Sequence[Part] = await context.store.jobs.parts(job.id)
    if job.state is not JobState.CHAINED:
        parts = await follow_other_parts(context, job, parts)
    if not await is_settled(context, job, parts):
        return
    ok, failed = sum(part.ok for part in parts), sum(part.failed for part in parts)
    event = StepEnded(job=job.id, source=job.source, route=job.route.name, ok=ok, failed=failed)
    await context.store.chains.step_ended(job, event, context.clock.now())
    # The job that took the file delivers these rows, so nobody asks for what was made of them.
    forget_pieces(context, job)

"""The first answers to a job are all of no use: it waits for a person, and nothing more is asked."""

from __future__ import annotations

import asyncio

from ...domain.records import Asked, Job, JobState, PartState
from ...domain.states import USELESS
from ...events import JobRetried
from ...model import Usage
from ...secrets.known import covered
from ...sending.useless_answers import Useless
from ...values import replace
from ..context import Context
from .route_refusals import PLANNED_ANEW, changed_meanwhile, changed_route, go_on_by


async def hold_for_a_person(context: Context, job: Job, asked: Asked, useless: Useless) -> None:
    """Commit that the job waits, with an example of the answers."""
    if job.cancelled or not (job.state is JobState.RUNNING or job.early_rows):
        return
    example = f", such as {covered(useless.example)}" if useless.example else ""
    reason = (
        f"all {useless.answers:,} answers that {asked.provider} ({asked.model}) has given so far are of no use: each "
        f"is {useless.what}{example}. Nothing more is asked, and what came is kept. Look at "
        f"the service, the key, the model and the prompt. Once that is fixed, `batchd retry {job.id}` asks all rows "
        "again; "
        f"if the answers are right as they are, `batchd approve {job.id}` keeps them and asks the other rows"
    )
    await context.store.trials.shown(job, reason, USELESS)


async def ask_anew(context: Context, job: Job) -> str:
    """Ask all rows again, by the route as it is now: a person has fixed the cause."""
    # Answers are counted once for each part and attempt, so the new ones are of another attempt.
    parts = [
        replace(
            part,
            state=PartState.UNPLANNED,
            attempt=part.attempt + (part.state is PartState.COLLECTED),
            excused=part.excused + (part.state is PartState.COLLECTED),
            batch=None,
            results=0,
            ok=0,
            failed=0,
            empty=0,
            reused=0,
            saved=Usage(),
            wasted=part.usage,
        )
        for part in await context.store.jobs.parts(job.id)
        if not part.later and part.state in {PartState.COLLECTED, PartState.UNPLANNED, PartState.PLANNED}
    ]
    await asyncio.to_thread(context.spool.forget_follows, job.id)
    event = JobRetried(job=job.id, rows=job.rows or 0)
    goes_on = await context.store.jobs.revive(
        job,
        state=JobState.PLANNING,
        event=event,
        parts=parts,
        useless=True,
        reason=None,
        reason_code=None,
        **PLANNED_ANEW,
    )
    if not goes_on:
        raise changed_meanwhile(job)
    again = await context.store.jobs.get(job.id)
    if (route := changed_route(context, again)) is not None:
        await go_on_by(context, again, route)
    return f"Job {job.id} goes on: all its rows are asked again."

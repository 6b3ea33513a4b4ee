"""A job is asked in another way: by live calls because it would be late, or at the fallback of its route."""

from __future__ import annotations

import asyncio

from ...domain.lifecycle import Hasten, Move
from ...domain.records import Asked, Batch, BatchState, Job, JobState, Part, PartState
from ...domain.routing import cached_for
from ...domain.subjects import Subject
from ...events import Event, JobLate, JobMoved
from ...money.lanes import Lane
from ...money.pricing import at_most
from ...sending.deadlines import reserved_when_cut
from ...store.tables.switching import Switch
from ...values import replace
from ..context import Configured, Context
from ..retry_later import RetryLater
from .admit import LOOK_FOR_MONEY_EVERY, is_sure, most_of_part, refusal_finder

OLD_NEWS = 900.0
"""Seconds after which the last news of a batch is old. While a daemon runs, polls are never so far apart."""
LOOK_FOR_NEWS_EVERY = 5.0
_NOT_SENT = frozenset({BatchState.PACKED, BatchState.UPLOADED})


async def hasten(context: Context, action: Hasten) -> None:
    """Reserve what live calls cost, and end the batches under way; without room in the budget these go on."""
    configured = context.configured
    job = await context.store.jobs.get(action.job)
    if job.late_at is not None or not _runs(job):
        return
    if await _may_have_ended(context, job):
        raise RetryLater(LOOK_FOR_NEWS_EVERY)
    asked = configured.fallback(job) or Asked(job.route.provider, job.route.model)
    refusal = await _switch(context, configured, job, asked, late=True)
    if refusal is not None:
        raise RetryLater(
            LOOK_FOR_MONEY_EVERY,
            f"{job.source} would be late, and is not asked by live calls of {asked.provider}: {refusal}. What is under "
            "way goes on. To ask its rows there all the same, raise the limit in the configuration and reload.",
        )


async def move(context: Context, action: Move) -> None:
    """Ask rows that the provider does not hold at the fallback; without room in the budget the job waits."""
    configured = context.configured
    job = await context.store.jobs.get(action.job)
    asked = configured.fallback(job)
    if asked is None or not _runs(job):
        return
    refusal = await _switch(context, configured, job, asked, late=False)
    if refusal is not None:
        raise RetryLater(
            LOOK_FOR_MONEY_EVERY,
            f"{job.source} waits for {job.route.provider}, and is not asked at {asked.provider}: {refusal}. To ask its "
            "rows there all the same, raise the limit in the configuration and reload.",
        )


async def _may_have_ended(context: Context, job: Job) -> bool:
    """Whether the last news of a batch of the job is old, as after a night without a daemon: then a poll comes first.

    Batches of a provider in trouble do not count: there may be no news of them for long.
    """
    now, waiting = context.now(), await context.store.event_log.conditions()
    for batch in await context.store.batches.of_job(job.id):
        if batch.state is not BatchState.SUBMITTED or Subject.provider(batch.provider) in waiting:
            continue
        since = now.at - (batch.submitted_at or now.at) if batch.heard is None else batch.heard.elapsed(now)
        if since > OLD_NEWS:
            return True
    return False


def _runs(job: Job) -> bool:
    return job.state is JobState.RUNNING and not job.cancelled


async def _switch(context: Context, configured: Configured, job: Job, asked: Asked, *, late: bool) -> str | None:
    """Make the switch, or return why the budget has no room for it."""
    now, currency = context.clock.now(), configured.budget.currency
    moves = asked.provider != job.route.provider
    there = replace(job, route=replace(job.route, provider=asked.provider, model=asked.model))
    there = replace(there, late_at=now) if late else there
    known = None if moves else job.terms
    terms = known or await asyncio.to_thread(configured.terms, there, now)
    lane, sure = configured.lane(there), await is_sure(context, asked)
    totals = await context.store.jobs.totals(job.id)

    def most(part: Part, batch: Batch | None) -> int:
        if terms is None or part.state is PartState.ANSWERED:
            return part.reserved
        new = most_of_part(part, terms, lane, sure=sure, cached_for=cached_for(job.route))
        if batch is None or batch.state in _NOT_SENT:
            return new
        if not late and batch.lane is not Lane.LIVE:
            return part.reserved  # its provider holds it
        return reserved_when_cut(batch, before=part.reserved, after=new)

    def event(whole: int) -> Event:
        cost = at_most(whole, currency) if terms is not None else None
        rows = totals.rows - totals.settled
        if late:
            return JobLate(
                job=job.id,
                source=job.source,
                rows=rows,
                provider=asked.provider,
                model=asked.model,
                cost=cost,
                currency=currency,
            )
        return JobMoved(
            job=job.id,
            source=job.source,
            rows=rows,
            provider=job.route.provider,
            to=asked.provider,
            model=asked.model,
            cost=cost,
            currency=currency,
        )

    switch = Switch(late, replace(asked, terms=terms), most, event)
    judging = refusal_finder(configured, there, terms)
    refusal = await context.store.switching.switch(job, switch, currency=currency, find_refusal=judging)
    return None if refusal is None else refusal.reason

"""A job would be late: ask its rows by live calls from now on, if the budget has room for that."""

from __future__ import annotations

import asyncio

from ...domain.lifecycle import Hasten
from ...domain.records import Batch, JobState, Part, PartState
from ...events import Event, JobLate
from ...money.lanes import Lane
from ...money.pricing import at_most
from ...sending.deadlines import reserved_when_cut
from ..context import Context
from ..retry_later import RetryLater
from .admit import LOOK_FOR_MONEY_EVERY, correction_of, most_of_part, refusal_finder


async def hasten(context: Context, action: Hasten) -> None:
    """Reserve what live calls cost, and end the batches; without room in the budget they run on."""
    configured = context.configured
    job = await context.store.jobs.get(action.job)
    if job.state is not JobState.RUNNING or job.cancelled or job.late_at is not None:
        return
    currency = configured.budget.currency
    terms = job.terms or await asyncio.to_thread(configured.terms, job, context.clock.now())
    sure = (await correction_of(context, job)).sure
    totals = await context.store.jobs.totals(job.id)

    def most(part: Part, batch: Batch | None) -> int:
        if terms is None or part.state is PartState.ANSWERED:
            return part.reserved
        by_calls = most_of_part(part, terms, Lane.LIVE, sure=sure)
        if batch is None or batch.lane is Lane.LIVE:
            return by_calls
        return reserved_when_cut(batch, by_batch=part.reserved, by_calls=by_calls)

    def event(whole: int) -> Event:
        return JobLate(
            job=job.id,
            source=job.source,
            rows=totals.rows - totals.ok - totals.failed,
            provider=job.route.provider,
            model=job.route.model,
            cost=at_most(whole, currency) if terms is not None else None,
            currency=currency,
        )

    refusal = await context.store.switching.hasten(
        job,
        terms=terms,
        most=most,
        currency=currency,
        find_refusal=refusal_finder(configured, job, terms),
        event=event,
    )
    if refusal is not None:
        raise RetryLater(
            LOOK_FOR_MONEY_EVERY,
            f"{job.source} would be late, and is not asked by live calls: {refusal.reason}. Its batches run on. To ask "
            "its rows by live calls all the same, raise the limit in the configuration and reload.",
        )

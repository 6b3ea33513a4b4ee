"""All parts are planned: price the job, and let it run or hold it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ...domain.lifecycle import Admit
from ...domain.records import Asked, Job, JobState, Part, PartState
from ...domain.routing import cached_for
from ...events import JobPlanned
from ...money.budget import MAX_AMOUNT, PRICE_UNKNOWN, QUESTION_CHANGED, Account, Refusal, find_refusal, reserved
from ...money.lanes import Lane
from ...money.pricing import Terms, at_most
from ...values import replace
from ..context import Configured, Context
from ..retry_later import RetryLater
from .hold_note import take_note_away
from .identical_rows import compare_parts
from .part_files import remove_attempt

LOOK_FOR_MONEY_EVERY = 15.0
"""Seconds between looks for room in the budget, or for a price, for a job that waits for it."""


async def is_sure(context: Context, asked: Asked) -> bool:
    """Whether our count of the model's input tokens was ever compared with the tokens that were billed."""
    counted, _ = await context.store.money.calibration(asked.provider, asked.model)
    return counted > 0


async def admit(context: Context, action: Admit) -> None:
    """All parts are planned: say what the job can cost at most, and let it run or hold it."""
    job, parts = await context.store.gathering.with_parts(action.job)
    if job.state not in {JobState.PLANNING, JobState.HELD}:
        return
    configured = context.configured
    currency = configured.budget.currency
    if job.state is JobState.PLANNING and await compare_parts(context, job, parts):
        return
    terms, most = await price(context, configured, job, parts)
    whole = sum(most.values())
    if whole >= MAX_AMOUNT:
        most = dict.fromkeys(most, 0) | {next(iter(most)): MAX_AMOUNT}  # all the database can hold, to be refused
    unlimited = sum(part.unlimited for part in parts)
    # Some of the rows that were sent early may be answered by now.
    early = job.early_rows
    spent = (await context.store.money.of_job(job.id)).cost or 0 if early else 0
    event = JobPlanned(
        job=job.id,
        requests=sum(part.requests for part in parts if part.state is not PartState.COLLECTED or part.first < early),
        failed=sum(part.failed for part in parts if part.first >= early),
        estimated_cost=at_most(whole + spent, currency) if terms is not None and not unlimited else None,
        currency=currency,
        unlimited=unlimited,
        reused=sum(part.reused for part in parts),
        empty=sum(part.empty for part in parts),
        sent=sum(part.requests for part in parts if part.first < early and part.state is not PartState.PLANNED),
    )
    family = await family_route(context, job)
    refusal = await context.store.money.admit(
        job,
        terms=terms,
        most=most,
        currency=currency,
        find_refusal=refusal_finder(configured, job, terms, family),
        event=event,
        limited=configured.budget.limits(job.route.provider, job.route.name, family),
    )
    if refusal is None:
        if early:
            await asyncio.to_thread(_forget_compared, context, [part for part in parts if part.first < early])
        return
    if refusal.reason_code != job.reason_code:
        # The note says why the job is held and what to do, so it is written anew.
        await take_note_away(context, job)
    if refusal.passes or refusal.code in {PRICE_UNKNOWN, QUESTION_CHANGED}:
        raise RetryLater(LOOK_FOR_MONEY_EVERY)


async def price(
    context: Context, configured: Configured, job: Job, parts: Sequence[Part]
) -> tuple[Terms | None, dict[int, int]]:
    """The terms of the job, None if they are not known, and what each open part can cost at most, by its first row."""
    terms = await _terms_of(configured, job, context.clock.now())
    if terms is None:
        return None, {}
    sure, lane = await is_sure(context, job.asked()), configured.lane(job)
    kept = cached_for(job.route)
    open_parts = [part for part in parts if part.state is not PartState.COLLECTED]
    return terms, {part.first: most_of_part(part, terms, lane, sure=sure, cached_for=kept) for part in open_parts}


def _forget_compared(context: Context, parts: Sequence[Part]) -> None:
    """Remove the files of collected parts that were kept only to compare other parts with them."""
    for part in parts:
        if part.state is PartState.COLLECTED or part.attempt > 1:
            remove_attempt(context.spool, replace(part, attempt=1, results=0))


async def _terms_of(configured: Configured, job: Job, at: float) -> Terms | None:
    provider = configured.providers.get(job.route.provider)
    if provider is None or provider.prices.at_hand:
        return configured.terms(job, at)
    return await asyncio.to_thread(configured.terms, job, at)


def most_of_part(part: Part, terms: Terms, lane: Lane, *, sure: bool, cached_for: float) -> int:
    """What the part can cost at most."""
    return reserved(
        terms.at(lane),
        input_tokens=part.input_tokens,
        output_tokens=part.output_tokens,
        longest=part.longest,
        sure=sure,
        cached_for=cached_for,
    )


def _unknown(configured: Configured, job: Job, terms: Terms | None) -> str | None:
    """Why the cost of the job is not known; None if it is."""
    name = job.route.provider
    if terms is None:
        provider = configured.providers.get(name)
        if provider is None:
            return f"The provider {name} is not configured any more."
        return provider.prices.unknown(name, job.route.model)
    if terms.currency != configured.budget.currency:
        return f"It was admitted at prices in {terms.currency}, and [budget] counts in {configured.budget.currency}."
    return None


async def family_route(context: Context, job: Job) -> str | None:
    """The route that the file of a later step came by, None for a job that took a file."""
    return None if job.family is None else (await context.store.jobs.get(job.family)).route.name


def refusal_finder(
    configured: Configured, job: Job, terms: Terms | None, family: str | None = None
) -> Callable[[Account], Refusal | None]:
    """A function that judges whether the job may run, given what else is spent or reserved. See `family_route`."""
    route, unknown = job.route, _unknown(configured, job, terms)
    return lambda account: find_refusal(
        configured.budget,
        route.provider,
        account,
        approved=job.approved,
        price_unknown=unknown,
        route=route.name,
        family=family,
    )

"""Money before it is spent: what a job can cost, whether it may, and what a person allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from ...domain.lifecycle import Admit
from ...domain.records import Job, JobState, Part, PartState
from ...events import JobApproved, JobPlanned
from ...money.budget import MAX_AMOUNT, PRICE_UNKNOWN, Account, Refusal, counted, find_refusal, reserved
from ...money.calibration import correction
from ...money.pricing import Terms, amount, at_most
from ..context import Context
from ..retry_later import RetryLater

LOOK_FOR_MONEY_EVERY = 15.0
"""Seconds between looks whether there is room in the budget for a job that waits for it, or a price."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What counted input tokens are to be multiplied with. `sure` says that they were compared with real ones."""

    factor: float
    sure: bool


async def correction_of(context: Context, job: Job) -> Correction:
    """What past batches of the job's model have taught."""
    estimated, actual = await context.store.money.calibration(job.route.provider, job.route.model)
    return Correction(correction(estimated, actual), estimated > 0)


async def admit(context: Context, action: Admit) -> None:
    """All parts are planned: say what the job can cost at most, and let it run or hold it."""
    job = await context.store.jobs.get(action.job)
    if job.state not in {JobState.PLANNING, JobState.HELD}:
        return
    currency = context.budget.currency
    parts = await context.store.jobs.parts(job.id)
    terms = await asyncio.to_thread(context.terms, job)
    most: dict[int, int] = {}
    if terms is not None:
        sure = (await correction_of(context, job)).sure
        most = {part.first: _most(part, terms, sure=sure) for part in parts if part.state is not PartState.COLLECTED}
    whole = sum(most.values())
    if whole >= MAX_AMOUNT:
        most = dict.fromkeys(most, 0) | {next(iter(most)): MAX_AMOUNT}  # all the database can hold, to be refused
    unlimited = sum(part.unlimited for part in parts)
    event = JobPlanned(
        job=job.id,
        requests=sum(part.requests for part in parts if part.state is not PartState.COLLECTED),
        failed=sum(part.failed for part in parts),
        estimated_cost=at_most(whole, currency) if terms is not None and not unlimited else None,
        currency=currency,
        unlimited=unlimited,
        reused=sum(part.reused for part in parts),
    )
    refusal = await context.store.money.admit(
        job, terms=terms, most=most, currency=currency, find_refusal=_find_refusal(context, job, terms), event=event
    )
    if refusal is None:
        return
    if job.note is not None and refusal.reason_code != job.reason_code:
        # Why, and what follows from it, is what the note says: it is written anew.
        await asyncio.to_thread(context.notes.take_away, job.note)
        await context.store.money.noted(job, None)
    if refusal.passes or refusal.code == PRICE_UNKNOWN:
        raise RetryLater(LOOK_FOR_MONEY_EVERY)


async def planned(context: Context, job: Job, part: Part, planned: Part) -> None:
    """A part is planned. A later attempt costs money that was not in the admission, so it is judged as well."""
    if job.terms is not None:
        sure = (await correction_of(context, job)).sure
        most = _most(planned, job.terms, sure=sure) if planned.state is not PartState.COLLECTED else 0
        most = min(most, MAX_AMOUNT)  # the database holds no more, and so much is refused
        planned = replace(planned, reserved=most)
    if job.state is JobState.RUNNING and part.attempt > 1:
        judging = _find_refusal(context, job, job.terms)
        await context.store.money.planned_again(
            job, part, planned, currency=context.budget.currency, find_refusal=judging
        )
    else:
        await context.store.jobs.planned(part, planned)


async def approve(context: Context, job: Job, up_to: object, *, where: str | None = None) -> str:
    """A person allows a held job to go on; the answer for that person. `up_to` is an amount in units, or None."""
    if job.state is not JobState.HELD:
        return f"Job {job.id} is {job.state}, not held; there is nothing to approve."
    currency = context.budget.currency
    account = await context.store.money.account(job, currency=currency)
    if account.whole >= MAX_AMOUNT:
        return f"Job {job.id} is still held: {job.reason}."
    unknown = job.terms is None or account.unlimited > 0
    most = MAX_AMOUNT if unknown else account.whole
    if up_to is not None:
        allowed = counted(up_to, currency)
        if allowed >= MAX_AMOUNT:
            return (
                f"{up_to} {currency} is more than batchd can count, which is {amount(MAX_AMOUNT, currency)} {currency}"
                f". Job {job.id} is still held. Approve it with a lower amount, or without --up-to."
            )
        if unknown:
            return (
                f"Nobody can say what job {job.id} costs at most, so no amount can be kept to. It is still held: "
                f"{job.reason}. Approve it without --up-to to let it run whatever it costs."
            )
        if allowed < account.whole:
            return (
                f"Job {job.id} can cost at most {at_most(account.whole, currency)} {currency}, which is more than "
                f"{amount(allowed, currency)} {currency}. It is still held."
            )
        most = allowed
    said = None if most == MAX_AMOUNT else at_most(most, currency)
    event = JobApproved(job=job.id, amount=said, currency=currency, where=where)
    await context.store.money.approved(job, most, event)
    allowance = "whatever it costs" if said is None else f"up to {said} {currency} in all"
    return f"Job {job.id} is approved, {allowance}, and goes on."


def _most(part: Part, terms: Terms, *, sure: bool) -> int:
    return reserved(
        terms.batch,
        input_tokens=part.input_tokens,
        output_tokens=part.output_tokens,
        longest=part.longest,
        sure=sure,
    )


def _unknown(context: Context, job: Job, terms: Terms | None) -> str | None:
    """Why nobody can say what the job costs, if so."""
    name = job.route.provider
    if terms is None:
        provider = context.providers.get(name)
        if provider is None:
            return f"The provider {name} is not configured any more."
        return provider.prices.unknown(name, job.route.model)
    if terms.currency != context.budget.currency:
        return f"It was admitted at prices in {terms.currency}, and [budget] counts in {context.budget.currency}."
    return None


def _find_refusal(context: Context, job: Job, terms: Terms | None) -> Callable[[Account], Refusal | None]:
    provider, unknown = job.route.provider, _unknown(context, job, terms)
    return lambda account: find_refusal(context.budget, provider, account, approved=job.approved, price_unknown=unknown)

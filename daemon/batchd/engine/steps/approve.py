"""A person allows a held job to go on."""

from __future__ import annotations

from ...domain.records import Job, JobState
from ...domain.states import PILOT
from ...events import JobApproved, PilotApproved, count
from ...money.budget import MAX_AMOUNT, counted
from ...money.pricing import amount, at_most
from ...orders.values import NotCarriedOut
from ..context import Context
from .route_refusals import changed_meanwhile


async def approve(context: Context, job: Job, up_to: object, *, where: str | None = None) -> str:
    """Let a held job go on. Return the answer for the person who allows it. `up_to` is an amount in units, or None.

    Raises NotCarriedOut if it stays held.
    """
    if job.state is not JobState.HELD:
        raise NotCarriedOut(f"Job {job.id} is {job.state}, not held; there is nothing to approve.")
    if job.reason_code == PILOT:
        return await _approve_pilot(context, job, up_to, where=where)
    currency = context.configured.budget.currency
    account = await context.store.money.account(job, currency=currency)
    if account.whole >= MAX_AMOUNT:
        raise NotCarriedOut(f"Job {job.id} is still held: {job.reason}.")
    # If a file was held while it was planned, no sum has the cost of the rest.
    unknown = job.terms is None or account.unlimited > 0 or job.early_rows > 0
    most = MAX_AMOUNT if unknown else account.whole
    if up_to is not None:
        allowed = _allowed(job, up_to, currency)
        if unknown:
            raise NotCarriedOut(
                f"What job {job.id} costs at most is not known, so batchd cannot keep to an amount. It is still held: "
                f"{job.reason}. Approve it without --up-to to let it run whatever it costs."
            )
        if allowed < account.whole:
            raise NotCarriedOut(
                f"Job {job.id} can cost at most {at_most(account.whole, currency)} {currency}, which is more than "
                f"{amount(allowed, currency)} {currency}. It is still held."
            )
        most = allowed
    said = None if most == MAX_AMOUNT else at_most(most, currency)
    event = JobApproved(job=job.id, amount=said, currency=currency, where=where)
    if not await context.store.money.approved(job, most, event):
        raise changed_meanwhile(job)
    allowance = "whatever it costs" if said is None else f"up to {said} {currency} in all"
    return f"Job {job.id} is approved, {allowance}, and goes on."


def _allowed(job: Job, up_to: object, currency: str) -> int:
    allowed = counted(up_to, currency)
    if allowed >= MAX_AMOUNT:
        raise NotCarriedOut(
            f"{up_to} {currency} is more than batchd can count, which is {amount(MAX_AMOUNT, currency)} {currency}. "
            f"Job {job.id} is still held. Approve it with a lower amount, or without --up-to."
        )
    return allowed


async def _approve_pilot(context: Context, job: Job, up_to: object, *, where: str | None) -> str:
    """Let the other rows be asked, since a person has seen the pilot. Their cost is judged as that of any job."""
    currency = context.configured.budget.currency
    totals = await context.store.jobs.totals(job.id)
    allowed = None if up_to is None else _allowed(job, up_to, currency)
    said = None if allowed is None else amount(allowed, currency)
    rest = totals.rows - totals.settled
    event = PilotApproved(job=job.id, rows=rest, amount=said, currency=currency if said else None, where=where)
    if not await context.store.trials.approved(job, allowed, event):
        raise changed_meanwhile(job)
    limit = "within the budget" if said is None else f"up to {said} {currency} in all"
    return f"Job {job.id} is approved after its pilot: the other {count(rest, 'row')} will be asked, {limit}."

"""Let what is planned of a large file be sent, while the rest is planned."""

from __future__ import annotations

from ...domain.lifecycle import SendEarly
from ...domain.records import JobState, PartState
from ..context import Context
from .admit import price
from .identical_rows import compare_parts


async def send_early(context: Context, action: SendEarly) -> None:
    """Let the rows before the first unplanned part be sent, unless a limit of money was set meanwhile."""
    job, parts = await context.store.gathering.with_parts(action.job)
    if job.state is not JobState.PLANNING or job.cancelled or job.early_from is None:
        return
    rows = min((part.first for part in parts if part.state is PartState.UNPLANNED), default=0)
    planned = [part for part in parts if part.first < rows]
    configured = context.configured
    if configured.budget.limits(job.route.provider, job.route.name):
        await context.store.money.all_at_once(job)
    elif rows >= job.early_from and not await compare_parts(context, job, planned):
        terms, most = await price(context, configured, job, planned)
        await context.store.money.sent_early(job, rows=rows, terms=terms, most=most)

"""A provider refuses every request of a route: its job stops until the route is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ...domain.records import Job, JobState, PartState
from ...domain.routing import PluginSpec, Route
from ...events import JobRetried
from ...orders.values import NotCarriedOut
from ...sending.line_refusals import RouteRefused, what_to_change
from ...store.database import to_json
from ...values import replace
from ..context import Context
from .account_refusals import sentence

PROVIDER_REFUSED = "provider_refused"
PLANNED_ANEW: Mapping[str, Any] = {"planned_at": None, "early_rows": 0, "early_from": None}
"""Columns of a job whose open rows are all planned anew, before any is sent."""
_WORDS = frozenset({"user", "system", "system_role", "schema_mode"})
"""Settings of a prompt that do not change the columns of its answers."""


async def stop_job(context: Context, job: Job, message: str, refused: RouteRefused | None = None) -> None:
    """Stop the job, with a reason that says which key of the route to change and how to go on."""
    change = "Fix the route or the account" if refused is None else what_to_change(job.route, refused)
    reason = (
        f"the provider {job.route.provider} refuses every request of it: {sentence(message)} {change}, reload, then "
        f"`batchd retry {job.id}`; or `batchd cancel {job.id}`."
    )
    await context.store.jobs.failed(job, PROVIDER_REFUSED, reason)


def changed_route(context: Context, job: Job) -> Route | None:
    """The job's route as it is configured now, if it differs and the job can go on by it."""
    route = context.configured.route(job.route.name)
    if route is not None and job.route.question is not None:
        # The question stays that of the folder when the file was claimed; all else is as configured now.
        route = replace(route, prompt=job.route.prompt, question=job.route.question)
    if route is None or route.to_json() == job.route.to_json():
        return None
    return route if _columns(route.prompt) == _columns(job.route.prompt) else None


def changed_meanwhile(job: Job) -> NotCarriedOut:
    """The answer to an order that a change of the job came before."""
    return NotCarriedOut(
        f"Job {job.id} changed while the order was being carried out; the order changed nothing. Look at the job, and "
        "order it again if it is still to be done."
    )


async def go_on_by(context: Context, job: Job, route: Route) -> bool:
    """Plan the job's open rows anew by this route, and admit it again: it may cost something else.

    Answers to requests that are under way by the old route are still used. Return False if the job changed meanwhile:
    it stays as it is.
    """
    parts = await context.store.jobs.parts(job.id)
    # Rows that asked the same may ask something else by the new route.
    await asyncio.to_thread(context.spool.forget_follows, job.id)
    again = [
        replace(each, state=PartState.UNPLANNED)
        for each in parts
        if each.state is PartState.PLANNED or (each.state is PartState.COLLECTED and each.settled < each.rows)
    ]
    return await context.store.jobs.revive(
        job,
        state=JobState.PLANNING,
        event=JobRetried(job=job.id, rows=job.rows or 0),
        parts=again,
        route=to_json(route.to_json()),
        duplicate_of=None,
        before_fallback=None,
        reason=None,
        reason_code=None,
        worker_crashes=0,
        **PLANNED_ANEW,
    )


def _columns(prompt: PluginSpec) -> tuple[str, dict[str, object]]:
    return prompt.kind, {key: value for key, value in prompt.settings.items() if key not in _WORDS}

"""Routes that send in some hours only: outside them nothing new is sent, unless a deadline leaves no time to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from ..domain.records import Batch
from ..domain.subjects import Subject, SubjectKind
from ..sending.outside_hours import Outside
from .conditions import Conditions
from .context import Context
from .looks.in_work import InWork
from .pausing import hold_live_calls


async def put_in_force(context: Context, conditions: Conditions, in_work: InWork) -> float | None:
    """Decide what may be sent now, and report what waits. Return the steady time of the next change, None if none."""
    routes = context.configured.routes
    hours = {route.name: route.send_between for route in routes if route.send_between is not None}
    if not hours and not context.outside.opens and not context.outside.live:
        # A route may have had hours before the last start.
        for subject in await conditions.of_kinds(SubjectKind.HOURS):
            await conditions.all_well(subject)
        return None
    now = context.clock.now()
    opens: dict[str, float] = {}
    changes = math.inf
    for name, between in hours.items():
        at = between.opens_at(now)
        if at is not None:
            opens[name] = at
        changes = min(changes, between.closes_at(now) if at is None else at)
    outside = Outside(opens, {route.name: route.finish_within for route in routes})
    waiting: set[str] = set()
    live: set[str] = set()
    if opens:
        for each in await context.store.waiting.live_batches(opens):
            if outside.until(each.route, each.claimed_at, late=each.late) is not None:
                live.add(each.batch)
                waiting.add(each.route)
        for key, line in in_work.waiting(context.only).items():
            route_name = key.asking.route
            if any(outside.until(route_name, place.claimed_at, late=key.late) is not None for place in line.places):
                waiting.add(route_name)
    context.outside = Outside(opens, outside.finish_within, frozenset(live))
    hold_live_calls(context)
    said = {Subject(SubjectKind.HOURS, name) for name in waiting}
    for name in sorted(waiting):
        until = datetime.fromtimestamp(opens[name], UTC)
        await conditions.say(
            Subject(SubjectKind.HOURS, name),
            f"It sends in the hours {hours[name].text} only (send_between). Its jobs wait until {until:%Y-%m-%d %H:%M} "
            "UTC, but for those whose finish_within leaves no time for it. What is at a provider is collected.",
        )
    for subject in await conditions.of_kinds(SubjectKind.HOURS):
        if subject not in said:
            await conditions.all_well(subject)
    if changes == math.inf or not (in_work.batches or any(key.asking.route in hours for key in in_work.waiting(None))):
        return None  # nothing is to be sent
    return context.clock.steady() + changes - now


async def took_back(context: Context, batch: Batch) -> bool:
    """Whether the batch went back to the queue: it was made just before the hours ended or a person paused it."""
    if context.paused.names:
        await context.store.pauses.take_back()
        if (await context.store.batches.get(batch.key)).state is not batch.state:
            return True
    if not context.outside.opens:
        return False
    jobs = await context.store.waiting.jobs_of_batch(batch.key)
    until = [context.outside.until(each.route, each.claimed_at, late=each.late) for each in jobs]
    if all(each is None for each in until):
        return False
    await context.store.batches.returned(batch, "its route does not send at this hour")
    return True

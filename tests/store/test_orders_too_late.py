"""An order for a job that has changed since the order was given changes nothing, and the caller is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from batchd.domain.records import JobState, PartState
from batchd.domain.states import PILOT
from batchd.events import JobApproved, JobCancelled, PilotApproved

from .conftest import Opened, job, part

CANCELLED = JobCancelled(job="job")
RUNNING, DELIVERING = job(JobState.RUNNING), job(JobState.DELIVERING)
FIRST = job(JobState.CHAINED)
LATER = [job(JobState.RUNNING, name, family="job", parent="job") for name in ("later", "latest")]
HELD = {"state": JobState.HELD, "reason_code": PILOT}
Order = Callable[[Opened], Awaitable[bool]]
ORDERS: dict[str, tuple[dict[str, Any], Order]] = {
    "cancel": ({"state": JobState.RUNNING}, lambda s: s.jobs.cancelled(RUNNING, CANCELLED, state=JobState.RUNNING)),
    "cancel while it is delivered": (
        {"state": JobState.DELIVERING},
        lambda s: s.jobs.cancelled(DELIVERING, CANCELLED, state=JobState.DELIVERING),
    ),
    "cancel before it is read": (
        {"state": JobState.CLAIMED},
        lambda s: s.jobs.rejecting(job(), "cancelled", "It was cancelled.", archive_name="job.csv"),
    ),
    "cancel a chain": ({"state": JobState.CHAINED}, lambda s: s.chains.cancelled([FIRST, *LATER], CANCELLED)),
    "approve": (HELD, lambda s: s.money.approved(job(JobState.HELD), 5, JobApproved(job="job"))),
    "approve a pilot": (HELD, lambda s: s.trials.approved(job(JobState.HELD), None, PilotApproved(job="job", rows=10))),
}


@pytest.mark.parametrize("name", ORDERS)
async def test_an_order_is_carried_out_or_said_to_be_too_late(store: Opened, name: str) -> None:
    found, order = ORDERS[name]
    await store.put(job(JobState.DONE), *LATER, part(0, PartState.COLLECTED), part(0, PartState.PLANNED, "later"))
    before = store.everything()
    assert not await order(store)
    assert (store.everything(), store.told) == (before, [])
    await store.set("jobs", {"id": "job"}, **found)
    assert await order(store)
    assert len(store.told) == 1


async def test_a_chain_that_is_cancelled_already_is_not_cancelled_again(store: Opened) -> None:
    await store.put(FIRST, *LATER)
    assert await store.chains.cancelled([FIRST, *LATER], CANCELLED)
    assert all([(await store.jobs.get(each)).cancelled for each in ("job", "later", "latest")])
    assert not await store.chains.cancelled([FIRST, *LATER], CANCELLED)
    assert store.told == [CANCELLED]

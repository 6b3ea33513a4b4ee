"""An order for a job that another order changes at the same moment: it is carried out, or its answer says that it was not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batchd.domain.records import JobState
from batchd.engine.steps import orders
from batchd.model import Problem, Usage
from batchd.store.tables.orders import Answer, answer_to
from batchd.testing.household import Household, Living

from . import test_budget, test_pilots
from .conftest import MakeHousehold, csv_of, route
from .test_chains import FILE, household
from .test_useless_answers import REFUSAL, ROWS, batches, held, the_job

pytestmark = pytest.mark.field("questions")


async def at_once(daemon: Living, *kinds: str) -> list[Answer]:
    """The answers to orders for the only job that took a file, which are carried out side by side."""
    [job] = {str(each.job) for each in daemon.household.events if each.kind == "JobClaimed"}
    rows = [{"at": 1.0, "kind": kind, "target": job, "data": "{}"} for kind in kinds]

    def leave(tx: Any) -> None:
        tx.insert("orders", rows)

    await daemon.context.store.database.write(leave)
    given = await daemon.context.store.event_log.orders()
    await asyncio.gather(*(orders.obey(daemon.context, each) for each in given))
    found = [answer_to(daemon.context.spool.state, each.id) for each in given]
    return [each for each in found if each is not None]


def retried(house: Household) -> int:
    return told(house, "JobRetried")


def told(house: Household, *kinds: str) -> int:
    return sum(each.kind in kinds for each in house.events)


async def test_a_chain_that_two_ask_again_is_asked_once(tmp_path: Any) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", FILE)
    async with house.at_rest() as daemon:
        answers = await at_once(daemon, "retry", "retry")
        assert sorted(each.refused for each in answers) == [False, True]
        [carried_out] = [each.text for each in answers if not each.refused]
        assert "will be asked again" in carried_out
        await daemon.drain()
    assert retried(house) == 1
    assert [row["status"] for row in house.results("reviews/may (2).results.csv")].count("ok") == 3


@pytest.mark.parametrize("model", ["small", "large"], ids=["as it was", "by its changed route"])
async def test_a_stopped_job_that_is_cancelled_does_not_go_on(make_household: MakeHousehold, model: str) -> None:
    house = make_household()
    house.service.refuse = lambda _: [Problem("model_not_found", "The model small does not exist.")]
    house.drop("reviews/may.csv", csv_of(["good"]))
    async with house.at_rest() as daemon:
        daemon.reconfigure(routes=(route(model=model),))
        cancel, retry = await at_once(daemon, "cancel", "retry")
        assert (cancel.refused, retry.refused) == (False, True)
        assert "goes on" not in retry.text
    assert retried(house) == 0


async def test_a_job_with_useless_answers_that_is_cancelled_is_not_asked_anew(make_household: MakeHousehold) -> None:
    house = batches(make_household, {"now": REFUSAL})
    async with house.living() as daemon:
        await held(house, daemon, ROWS[:75])
        cancel, retry = await at_once(daemon, "cancel", "retry")
        assert (cancel.refused, retry.refused) == (False, True)
        assert "goes on" not in retry.text
        bill = await daemon.context.store.money.of_job((await the_job(house, daemon)).id)
        assert (bill.answers, bill.wasted) == (25, Usage()), "what came is kept"
    assert retried(house) == 0


async def until(daemon: Living, state: JobState) -> None:
    """Work until the job that took the file is in this state."""
    jobs = daemon.context.store.jobs
    while state not in {(await jobs.get(each)).state for each in await jobs.ids()}:
        assert await daemon.step() is not None


@pytest.mark.parametrize("state", [JobState.CLAIMED, JobState.PLANNING, JobState.RUNNING, JobState.DELIVERING])
async def test_a_job_that_two_cancel_is_cancelled_once(make_household: MakeHousehold, state: JobState) -> None:
    house = make_household()
    house.drop("reviews/may.csv", csv_of(["good", "better"]))
    async with house.living() as daemon:
        await daemon.take_in()
        await until(daemon, state)
        answers = await at_once(daemon, "cancel", "cancel")
        assert sorted(each.refused for each in answers) == [False, True]
        [late] = [each.text for each in answers if each.refused]
        assert "the order changed nothing" in late
        await daemon.drain()
    assert told(house, "JobCancelled", "JobRejected") == 1


async def test_a_chain_that_two_cancel_is_cancelled_once(tmp_path: Any) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", FILE)
    async with house.living() as daemon:
        await daemon.take_in()
        await until(daemon, JobState.CHAINED)
        answers = await at_once(daemon, "cancel", "cancel")
        assert sorted(each.refused for each in answers) == [False, True]
        await daemon.drain()
    assert told(house, "JobCancelled") == 1


@pytest.mark.parametrize("held_by", ["budget", "pilot"])
async def test_a_held_job_that_is_cancelled_is_not_approved(tmp_path: Any, held_by: str) -> None:
    house = test_budget.household(tmp_path, per_job=5) if held_by == "budget" else test_pilots.household(tmp_path)
    house.drop("reviews/may.csv", test_budget.csv(10))
    async with house.at_rest() as daemon:
        cancel, approve = await at_once(daemon, "cancel", "approve")
        assert (cancel.refused, approve.refused) == (False, True)
        assert "is approved" not in approve.text
        await daemon.drain()
    assert told(house, "JobApproved", "PilotApproved") == 0

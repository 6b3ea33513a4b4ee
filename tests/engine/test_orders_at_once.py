"""An order for a job that another order changes at the same moment: it is carried out, or its answer says that it was not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batchd.engine.steps import orders
from batchd.model import Problem, Usage
from batchd.store.tables.orders import Answer, answer_to
from batchd.testing.household import Household, Living

from .conftest import MakeHousehold, csv_of, route
from .test_chains import FILE, household
from .test_useless_answers import REFUSAL, ROWS, batches, held, the_job

pytestmark = pytest.mark.field("questions")


async def at_once(daemon: Living, *kinds: str) -> list[Answer]:
    """The answers to orders for the only job that took a file, which are carried out side by side."""
    [job] = {str(each.job) for each in daemon.household.events if each.kind == "JobAccepted"}
    rows = [{"at": 1.0, "kind": kind, "target": job, "data": "{}"} for kind in kinds]

    def leave(tx: Any) -> None:
        tx.insert("orders", rows)

    await daemon.context.store.database.write(leave)
    given = await daemon.context.store.event_log.orders()
    await asyncio.gather(*(orders.obey(daemon.context, each) for each in given))
    found = [answer_to(daemon.context.spool.state, each.id) for each in given]
    return [each for each in found if each is not None]


def retried(house: Household) -> int:
    return sum(each.kind == "JobRetried" for each in house.events)


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

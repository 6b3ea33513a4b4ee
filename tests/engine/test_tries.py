"""A try: some rows of a file asked for a person to look at. Paid once, limited by the budget, delivered nowhere."""

from __future__ import annotations

import asyncio
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchd.app.sweeping import sweep_tries
from batchd.domain.records import JobState
from batchd.domain.routing import Route
from batchd.domain.subjects import Subject
from batchd.live.lanes import LiveTerms
from batchd.model import Failure
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.store.reading.tries import tries, troubles
from batchd.testing.household import REVIEWS, Household, Living
from batchd.values import replace
from batchd.work.part_files import read_results

from ..live.slow_batches import SlowBatches
from .test_budget import order

ROUTE = replace(REVIEWS, params={"max_tokens": 5})
# An answer of the fake service is 5 tokens out: 5 units a row.
PRICES = {"small": Price(input=Decimal(0), output=Decimal(1_000_000))}
ROWS = [["row 0"], ["row 1"]]


def household(folder: Path, **more: Any) -> Household:
    """A daemon with prices."""
    return Household(folder, **{"routes": [ROUTE], "prices": PRICES, **more})


async def begin(living: Living, job: str = "try1", *, route: Route = ROUTE) -> str:
    """What `batchd try` leaves: the rows, then the order. The daemon's answer."""
    place = living.context.spool.asked_ahead(job)
    place.parent.mkdir(exist_ok=True)
    place.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    asked = {"source": "may.csv", "route": replace(route, sinks=()).to_json(), "rows": len(ROWS), "live": True}
    return await order(living, "try", job, **asked, columns=["review"], answer_columns=["answer"])


async def test_where_the_spool_is_shared_the_whole_job_does_not_pay_for_them_either(tmp_path: Path) -> None:
    """Nodes do not see the database of answers; a copy of it lies in the spool."""
    house = household(tmp_path / "house", shared=tmp_path / "shared")
    async with house.living() as living:
        await begin(living)
        await living.drain()
        house.drop("reviews/may.csv", "review\nrow 0\nrow 1\nrow 2\n")
        await living.work()
    assert sum(house.service.executed.values()) == 3
    assert list((tmp_path / "shared").glob("ahead-*.db"))
    lines = house.outbox()["reviews/may.results.csv"].decode().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [[f"row {n}", f"re: Review: row {n}", "ok"] for n in range(3)]


async def test_its_answers_stay_in_the_state_folder_and_the_whole_job_does_not_pay_for_them(tmp_path: Path) -> None:
    house = household(tmp_path)
    async with house.living() as living:
        assert "2 rows of may.csv with fake/small" in await begin(living)
        await living.drain()
        [found] = tries(living.context.spool.state, ["try1"]).values()
        assert (found.state, found.ok, found.cost, found.output_tokens) == ("done", 2, 2 * 5 * UNIT, 10)
        results = living.context.spool.job("try1") / f"parts/0.results.{found.results}.jsonl"
        assert [line.answer for line in read_results(results)] == [["re: Review: row 0"], ["re: Review: row 1"]]
        assert not house.outbox()
        # The same again, in another try and in a job, is not paid for.
        await begin(living, "try2")
        await living.drain()
        assert tries(living.context.spool.state, ["try2"])["try2"].reused == 2
        house.drop("reviews/may.csv", "review\nrow 0\nrow 1\nrow 2\n")
        await living.work()
        spent = await living.context.store.money.account(
            await living.context.store.jobs.get("try1"), currency=house.budget.currency
        )
        assert spent.today == 3 * 5 * UNIT
    assert house.service.executed.total() == 3
    assert house.report("reviews/may.report.json")["rows"]["reused"] == 2


async def test_what_cannot_be_asked_is_over_at_once_and_says_why(tmp_path: Path) -> None:
    house = household(tmp_path, budget=SpendingLimits(overall=Ceilings(per_job=9 * UNIT)))
    async with house.living() as living:
        await begin(living)
        await living.drain()
        [found] = tries(living.context.spool.state, ["try1"]).values()
        assert (found.state, found.reason_code) == ("cancelled", "per_job")
        assert "per_job allows" in str(found.reason)
        elsewhere = replace(ROUTE, provider="other")
        assert "no [providers.other]" in await begin(living, "try2", route=elsewhere)
        assert await living.context.store.jobs.find("try2") is None
    assert house.service.executed.total() == 0
    assert not list(house.folders.held.rglob("*.txt"))


async def test_rows_that_fail_are_an_answer_too(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.service.answer = lambda body: Failure("refused", "The model declined.")
    async with house.living() as living:
        await begin(living)
        await living.drain()
        assert (await living.context.store.jobs.get("try1")).state is JobState.DONE
        assert tries(living.context.spool.state, ["try1"])["try1"].failed == 2


@pytest.mark.slow
async def test_killed_after_any_action_a_try_is_paid_once(tmp_path: Path) -> None:
    faults = []
    for steps in (1, 2, 3):
        house = household(tmp_path / str(steps))
        async with house.living() as living:
            await begin(living)
        for _ in range(40):
            async with house.living() as living:
                done = [await living.step() for _ in range(steps)]
                if None in done:
                    break
        async with house.living() as living:
            found = tries(living.context.spool.state, ["try1"])["try1"]
        if found.state != "done" or dict(house.service.executed) != {"try1-0": 1, "try1-1": 1}:
            faults.append((steps, found, dict(house.service.executed)))
    assert not faults


async def test_a_process_for_one_try_leaves_all_else_alone(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", "review\nother\n")
    async with house.living() as living:
        await living.take_in()
        [other] = await living.context.store.jobs.ids()
        await living.context.store.database.write(
            lambda tx: tx.insert("orders", [{"at": 1.0, "kind": "cancel", "target": other}])
        )
    async with house.living() as living:
        living.context.only = frozenset({"try1"})
        await begin(living)
        await living.drain()
        assert tries(living.context.spool.state, ["try1"])["try1"].state == "done"
        assert (await living.context.store.jobs.get(other)).state is JobState.CLAIMING
        assert [each.target for each in await living.context.store.event_log.orders()] == [other]


async def test_it_is_asked_live_where_that_is_possible_though_the_route_asks_in_batches(tmp_path: Path) -> None:
    house = household(tmp_path, provider=SlowBatches(), live=LiveTerms(), batches_first=True)
    async with house.living() as living, asyncio.timeout(20):
        await begin(living)
        while not (found := tries(living.context.spool.state, ["try1"])["try1"]).over:
            await living.step()
        assert (found.ok, found.lane) == (2, "live")


async def test_rows_that_no_order_came_for_are_deleted_in_time(tmp_path: Path) -> None:
    house = household(tmp_path)
    async with house.living() as living:
        place = living.context.spool.asked_ahead("try1")
        place.parent.mkdir()
        place.write_text("")
        now = house.clock.now()
        for age, there in ((6 * 86_400.0, True), (8 * 86_400.0, False)):
            os.utime(place, (now - age, now - age))
            sweep_tries(living.context)
            assert place.exists() is there


async def test_what_an_earlier_process_said_of_a_provider_keeps_no_try_from_asking(tmp_path: Path) -> None:
    """The key was missing, and is there now."""
    house, provider, text = household(tmp_path), Subject.provider("fake"), "The key is not set."
    async with house.living() as living:
        await living.engine.conditions.say(provider, text)
        house.clock.advance(60.0)
        state = living.context.spool.state
    async with house.living() as living:
        # Another daemon that was there before is believed.
        assert troubles(state, {"try1": "fake"}, since=0.0) == {"try1": text}
        began = house.clock.now()
        assert troubles(state, {"try1": "fake"}, since=began) == {}
        # Said again, it is true now.
        await living.engine.conditions.say(provider, text)
        assert troubles(state, {"try1": "fake"}, since=began) == {"try1": text}

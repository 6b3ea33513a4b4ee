"""What is planned of a large file is sent while the rest is planned, where no limit is for the file as a whole."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.lifecycle import Plan
from batchd.domain.records import Job, JobState, PartState
from batchd.events import JobPlanned
from batchd.model import Failure, Limits
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.testing.household import Household, Living
from batchd.values import replace

from .conftest import stops
from .test_budget import order
from .test_reuse import COLD, answers, csv

ROUTE = replace(COLD, part_rows=2, params=COLD.params | {"max_tokens": 5})
WORDS = ("good", "bad", "good", "new", "fine", "bad", "good", "new", "red", "blue", "bad", "green")
PRICES = {"small": Price(Decimal(1_000_000), Decimal(1_000_000))}


def household(folder: Path, route: Any = ROUTE, *, most: int = 4, **more: Any) -> Household:
    """A daemon whose batches hold so many requests."""
    return Household(folder, routes=[route], prices=PRICES, limits=Limits(max_requests=most), **more)


async def the_job(living: Living) -> Job:
    [job] = await living.context.store.jobs.ids()
    return await living.context.store.jobs.get(job)


async def step(living: Living) -> bool:
    """Carry out what is due next, sending before planning, as happens while workers plan; False if nothing is left."""
    for _ in range(1_000):
        outlook = await living.engine.look()
        if outlook.due:
            await living.engine.perform(min(outlook.due, key=lambda due: isinstance(due.action, Plan)))
            return True
        if outlook.again_at is None:
            return False
        living.household.clock.advance(max(0.01, outlook.again_at - living.household.clock.steady()))
    raise AssertionError("It waits without end.")


async def drain(living: Living) -> None:
    """All that is left to do."""
    while await step(living):
        pass


async def until_sent(living: Living) -> Job:
    """Work until the first batch is created; returns the job as it is then."""
    await living.take_in()
    while not living.household.service.creates:
        assert await step(living)
    return await the_job(living)


@pytest.mark.parametrize(
    "route", [ROUTE, replace(ROUTE, params={"max_tokens": 5}), replace(ROUTE, identical_rows="each")]
)
async def test_a_batch_is_sent_while_other_rows_are_planned(tmp_path: Path, route: Any) -> None:
    house = household(tmp_path, route)
    house.drop("reviews/may.csv", csv(*WORDS))
    async with house.living() as living:
        job = await until_sent(living)
        assert job.state is JobState.PLANNING
        assert PartState.UNPLANNED in {part.state for part in await living.context.store.jobs.parts(job.id)}
        await drain(living)
        job = await the_job(living)
    assert (job.state, job.early_rows, job.early_from) == (JobState.DONE, 0, None)
    assert answers(house, "may") == [f"re: Review: {word}" for word in WORDS]
    report = house.report("reviews/may.report.json")
    asked = len(WORDS) if route.params != ROUTE.params or route.identical_rows == "each" else len(set(WORDS))
    assert house.service.executed.total() == asked
    assert report["cost"]["actual"] == 15.0 * asked
    [planned] = [event for event in house.events if isinstance(event, JobPlanned)]
    assert planned.requests == asked
    assert 0 < planned.sent < asked
    assert f"questions are ready, {planned.sent} of them are under way" in planned.sentence
    assert planned.estimated_cost is not None
    assert float(planned.estimated_cost) >= 15.0 * asked
    assert not list((tmp_path / "state/jobs").glob("*/parts/*.prints.*")), "what others were compared with is gone"
    assert not list((tmp_path / "state/jobs").glob("*/parts/*.requests.*"))


async def test_a_file_that_fits_into_a_batch_is_sent_in_one(tmp_path: Path) -> None:
    house = household(tmp_path, most=len(WORDS))
    house.drop("reviews/may.csv", csv(*WORDS))
    async with house.living() as living:
        assert (await until_sent(living)).state is JobState.RUNNING
        await drain(living)
    assert house.service.creates == 1


@pytest.mark.parametrize(
    "budget", [{"overall": Ceilings(per_day=10**9 * UNIT)}, {"routes": {"reviews": Ceilings(per_job=10**9 * UNIT)}}]
)
async def test_with_a_limit_nothing_is_sent_before_all_is_planned(tmp_path: Path, budget: Any) -> None:
    house = household(tmp_path, budget=SpendingLimits(**budget))
    house.drop("reviews/may.csv", csv(*WORDS))
    async with house.living() as living:
        assert (await until_sent(living)).state is JobState.RUNNING
        await drain(living)


async def test_a_limit_that_comes_meanwhile_holds_what_is_not_sent(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", csv(*map(str, range(12))))
    async with house.living() as living:
        await living.take_in()
        while not (await living.context.store.jobs.ids()) or not (await the_job(living)).early_rows:
            assert await step(living)
        configured = living.context.configured
        strict = SpendingLimits(overall=Ceilings(per_job=15 * UNIT))
        living.context.configured = replace(configured, budget=strict)
        await drain(living)
        job = await the_job(living)
        assert (job.state, job.reason_code) == (JobState.HELD, "per_job")
        sent = house.service.executed.total()
        assert sent == 0, "not even what was let go, and waits for its batch"
        living.context.configured = configured
        await order(living, "approve", job.id)
        await drain(living)
    assert answers(house, "may") == [f"re: Review: {word}" for word in range(12)]
    assert house.service.executed.total() == 12


async def test_useless_answers_hold_the_job_while_it_is_planned(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, part_rows=25, identical_rows="each"), most=25)
    house.service.answer = lambda _: "I'm sorry, but I can't assist with that request."
    house.drop("reviews/may.csv", csv(*map(str, range(200))))
    async with house.living() as living:
        await living.take_in()
        await drain(living)
        job = await the_job(living)
        assert (job.state, job.reason_code) == (JobState.HELD, "useless")
        assert house.service.executed.total() == 25
        house.service.answer = lambda _: "fine"
        await order(living, "retry", job.id)
        await drain(living)
    assert answers(house, "may") == ["fine"] * 200


async def test_approved_useless_answers_are_kept_and_the_rest_is_asked(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, part_rows=25, identical_rows="each"), most=25)
    house.service.answer = lambda _: "I'm sorry, but I can't assist with that request."
    house.drop("reviews/may.csv", csv(*map(str, range(100))))
    async with house.living() as living:
        await living.take_in()
        await drain(living)
        await order(living, "approve", (await the_job(living)).id)
        await drain(living)
        assert (await the_job(living)).state is JobState.DONE
    assert house.service.executed.total() == 100


async def test_a_job_that_stops_while_it_is_planned_is_admitted_after_a_retry(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", csv(*WORDS))
    async with house.living() as living:
        job = await until_sent(living)
        await living.context.store.jobs.failed(job, "worker_died", "it crashed")
        await order(living, "retry", job.id)
        await drain(living)
    assert answers(house, "may") == [f"re: Review: {word}" for word in WORDS]
    assert house.service.executed.total() == len(set(WORDS))
    assert sum(isinstance(event, JobPlanned) for event in house.events) == 1


async def test_a_cancelled_job_sends_no_more(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.drop("reviews/may.csv", csv(*WORDS))
    async with house.living() as living:
        job = await until_sent(living)
        await order(living, "cancel", job.id)
        await drain(living)
    rows = house.report("reviews/may.report.json")["rows"]
    assert rows["ok"] + rows["skipped"] == len(WORDS)
    assert house.service.executed.total() <= 4


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
async def test_stopped_after_any_action_each_is_asked_once(tmp_path: Path, fails: bool) -> None:
    for stop in stops():
        house = household(tmp_path / str(stop), replace(ROUTE, attempts=3))
        failed = set[str]()

        def answer(body: Any, failed: set[str] = failed) -> str | Failure:
            word = str(body)
            if fails and "bad" in word and word not in failed:
                failed.add(word)
                return Failure("busy", "Later.", transient=True)
            return "an answer"

        house.service.answer = answer
        house.drop("reviews/may.csv", csv(*WORDS))
        async with house.living() as living:
            await living.take_in()
            done = 0
            while done < stop and await step(living):
                done += 1
        async with house.living() as living:
            await living.take_in()
            await drain(living)
        assert answers(house, "may") == ["an answer"] * len(WORDS)
        assert house.service.executed.total() == len(set(WORDS)), f"stopped after {stop} actions"
        if done < stop:
            return

"""A route may have a budget of its own, beside the one of all: a job needs room in both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchd.domain.records import JobState
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.testing.household import Household
from batchd.values import replace

from .test_budget import DAY, PRICES, ROUTE, ROW, csv, jobs, only

OTHER = replace(ROUTE, name="other", match=("other/**",))


def house(folder: Path, *, overall: int | None = None, **limits: Any) -> Household:
    """A daemon with two routes, of which `reviews` has a budget. Limits of days are in rows."""
    of_route = Ceilings(per_day=limits.pop("per_day") * ROW, **limits)
    budget = SpendingLimits(
        overall=Ceilings(per_day=None if overall is None else overall * ROW), routes={"reviews": of_route}
    )
    return Household(folder, prices=PRICES, budget=budget, routes=[ROUTE, OTHER])


async def test_what_one_route_spends_is_not_taken_from_another(tmp_path: Path) -> None:
    household = house(tmp_path, per_day=15)
    household.drop("other/a.csv", csv(20, "a"))
    household.drop("reviews/b.csv", csv(10, "b"))
    async with household.at_rest() as living:
        household.drop("reviews/c.csv", csv(10, "c"))
        household.drop("other/d.csv", csv(20, "d"))
        await living.work()
        assert {job.source: job.state for job in await jobs(living)} == {
            "other/a.csv": JobState.DONE,
            "reviews/b.csv": JobState.DONE,
            "reviews/c.csv": JobState.HELD,
            "other/d.csv": JobState.DONE,
        }
        held = await only(living, "reviews/c.csv")
    said = (
        "it can cost at most 50.00 USD, and of the 75.00 that [routes.reviews.budget] per_day allows 25.00 are left "
        "today: 50.00 are spent; there is room from 2027-01-16 00:00 UTC"
    )
    assert held.reason == said
    assert said in (household.folders.held / "reviews/c.csv.held.txt").read_text()


@pytest.mark.parametrize(("overall", "table"), [(100, "[routes.reviews.budget]"), (9, "[budget]")])
async def test_a_job_needs_room_in_both(tmp_path: Path, overall: int, table: str) -> None:
    household = house(tmp_path, overall=overall, per_day=9 if overall == 100 else 100)
    household.drop("reviews/may.csv", csv(10))
    async with household.at_rest() as living:
        job = await only(living, "reviews/may.csv")
    assert job.state is JobState.HELD
    assert f"{table} per_day allows" in job.reason


async def test_what_is_reserved_counts_for_its_route_alone(tmp_path: Path) -> None:
    household = house(tmp_path, per_day=15)
    household.service.polls = 10_000
    for path, rows in (("other/a.csv", 20), ("reviews/b.csv", 10), ("reviews/c.csv", 10), ("other/d.csv", 20)):
        household.drop(path, csv(rows, path))
    async with household.living() as living:
        await living.take_in()
        for _ in range(100):
            outlook = await living.engine.look()
            if not outlook.due:
                break
            await living.engine.perform(outlook.due[0])
        states = {job.source: job.state for job in await jobs(living)}
        [held] = [job for job in await jobs(living) if job.state is JobState.HELD]
    assert sorted(states.values()) == ["held", "running", "running", "running"]
    assert held.source.startswith("reviews/")
    assert "50.00 reserved for running jobs; there is room once running jobs have cost less" in held.reason


async def test_a_job_that_waits_for_its_route_goes_on_the_next_day(tmp_path: Path) -> None:
    household = house(tmp_path, per_day=10, beyond="wait")
    household.drop("reviews/a.csv", csv(10, "a"))
    async with household.at_rest() as living:
        household.drop("reviews/b.csv", csv(10, "b"))
        await living.work()
        job = await only(living, "reviews/b.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "waits:per_day")
        household.clock.advance(DAY)
        await living.work()
        assert (await only(living, "reviews/b.csv")).state is JobState.DONE


async def test_a_reload_gives_a_waiting_job_the_new_budget(tmp_path: Path) -> None:
    household = house(tmp_path, per_day=10, beyond="wait")
    household.drop("reviews/a.csv", csv(10, "a"))
    async with household.at_rest() as living:
        household.drop("reviews/b.csv", csv(10, "b"))
        await living.work()
        budget = living.context.configured.budget
        living.reconfigure(budget=replace(budget, routes={"reviews": Ceilings(per_day=20 * ROW)}))
        household.clock.advance(60)
        await living.work()
        assert (await only(living, "reviews/b.csv")).state is JobState.DONE

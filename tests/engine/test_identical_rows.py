"""Rows of a file that ask the same are asked once, in whatever parts of it they stand, and however often we die."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.model import Failure, Limits, Problem
from batchd.values import replace
from batchd.work.planning.identical_rows import CompareTask, Planned, compare, read_follows
from batchd.work.planning.reuse import key_record

from .conftest import stops
from .test_budget import order
from .test_reuse import COLD, answers, csv, household, work

pytestmark = pytest.mark.field("dropped again")

ROUTE = replace(COLD, part_rows=2)
WORDS = ("good", "bad", "good", "good", "fine", "bad", "good", "new", "fine")
ANSWERS = [f"re: Review: {word}" for word in WORDS]


@pytest.mark.parametrize(
    "route",
    [ROUTE, replace(ROUTE, params={}, identical_rows="once"), replace(ROUTE, identical_rows="each", reuse=86_400.0)],
)
async def test_identical_rows_are_asked_once_a_file(tmp_path: Path, route: object) -> None:
    house = household(tmp_path, route)
    await work(house, ("may.csv", csv(*WORDS)))
    assert house.service.executed.total() == len(set(WORDS))
    assert answers(house, "may") == ANSWERS
    report = house.report("reviews/may.report.json")
    saved = len(WORDS) - len(set(WORDS))
    assert (report["rows"]["ok"], report["rows"]["reused"]) == (len(WORDS), saved)
    assert (report["tokens"]["saved_input"], report["cost"]["saved"]) == (10 * saved, 15.0 * saved)


async def test_each_is_asked_where_the_route_says_so(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, identical_rows="each"))
    await work(house, ("may.csv", csv(*WORDS)))
    assert house.service.executed.total() == len(WORDS)


async def test_those_who_follow_share_the_last_word_and_are_asked_once_again(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, attempts=2))
    house.service.answer = lambda body: (
        Failure("busy", "Later.", transient=True) if "good" in str(body) else "an answer"
    )
    await work(house, ("may.csv", csv(*WORDS)))
    report = house.report("reviews/may.report.json")
    [failure] = report["failures"]
    assert (failure["code"], failure["rows"], report["rows"]["ok"]) == ("busy", WORDS.count("good"), 5)
    before = house.service.executed.total()
    house.service.answer = lambda _: "now"
    async with house.living() as living:
        [job] = await living.context.store.jobs.ids()
        await order(living, "retry", job)
        await living.drain()
    assert answers(house, "may (2)") == ["now" if word == "good" else "an answer" for word in WORDS]
    assert house.service.executed.total() == before + 1


async def test_what_a_pilot_asked_is_not_asked_again(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, pilot=3, pilot_spread=True))
    house.drop("reviews/may.csv", csv(*WORDS))
    async with house.at_rest() as living:
        [job] = await living.context.store.jobs.ids()
        assert "the other 6 rows" in await order(living, "approve", job)
        await living.drain()
    assert answers(house, "may") == ANSWERS
    assert house.service.executed.total() == len(set(WORDS))


async def test_pieces_of_a_part_follow_too(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, part_rows=5), limits=Limits(max_requests=1))
    await work(house, ("may.csv", csv(*WORDS)))
    assert answers(house, "may") == ANSWERS
    assert house.service.executed.total() == len(set(WORDS))


async def test_a_cancelled_job_delivers_what_they_have(tmp_path: Path) -> None:
    house = household(tmp_path, ROUTE, limits=Limits(max_requests=2))
    house.service.answer = lambda body: Failure("busy", "Later.", transient=True) if "bad" in str(body) else "an answer"
    house.drop("reviews/may.csv", csv(*WORDS))
    async with house.living() as living:
        await living.take_in()
        while not house.service.executed:
            assert await living.step() is not None
        [job] = await living.context.store.jobs.ids()
        await order(living, "cancel", job)
        await living.drain()
    rows = house.report("reviews/may.report.json")["rows"]
    assert rows["ok"] >= 4
    assert rows["ok"] + rows["skipped"] == len(WORDS)


@pytest.mark.slow
async def test_stopped_after_any_action_identical_rows_are_asked_once(tmp_path: Path) -> None:
    for stop in stops():
        house = household(tmp_path / str(stop), replace(ROUTE, part_rows=3))
        house.drop("reviews/a.csv", csv("good", "good", "bad", "good", "bad"))
        async with house.living() as living:
            await living.take_in()
            done = await living.steps(stop)
        async with house.living() as living:
            await living.drain()
        assert answers(house, "a") == [f"re: Review: {word}" for word in ("good", "good", "bad", "good", "bad")]
        assert house.service.executed.total() == 2
        assert house.report("reviews/a.report.json")["rows"]["reused"] == 3
        if done < stop:
            return


async def test_rows_that_ask_what_a_service_refused_are_refused_with_it(tmp_path: Path) -> None:
    house = household(tmp_path, replace(ROUTE, part_rows=4))
    house.service.refuse = lambda requests: [
        Problem("invalid", "Bad words.", line=number)
        for number, each in enumerate(requests, start=1)
        if "bad" in str(each["body"])
    ]
    await work(house, ("may.csv", csv(*["bad"] * 6, "good", "good")))
    report = house.report("reviews/may.report.json")
    assert (report["rows"]["failed"], report["rows"]["ok"], house.service.creates) == (6, 2, 2)


def test_compared_in_several_passes_or_twice_it_is_the_same(tmp_path: Path) -> None:
    def keys(name: str, *records: tuple[int, int]) -> str:
        (tmp_path / name).write_bytes(b"".join(key_record(row, bytes([key]) * 16) for row, key in records))
        return str(tmp_path / name)

    parts = [
        Planned(0, 3, keys("a", (0, 9), (1, 200), (2, 9)), str(tmp_path / "0.follows")),
        Planned(3, 3, keys("b", (3, 200), (4, 77), (5, 200)), str(tmp_path / "3.follows")),
        Planned(6, 3, keys("c", (6, 77), (8, 9)), str(tmp_path / "6.follows")),
    ]
    task = CompareTask(parts, str(tmp_path / "leaders"), more=True)
    for _ in range(2):
        assert compare(task, keys_at_once=2) == [3, 6]
        assert [read_follows(part.follows) for part in parts] == [{}, {3: 1, 5: 1}, {6: 4, 8: 0}]
    later = Planned(9, 1, keys("d", (9, 77)), str(tmp_path / "9.follows"))
    assert compare(CompareTask([later], task.leaders)) == [9]
    assert read_follows(later.follows) == {9: 4}


async def test_a_small_file_is_shared_out_among_the_workers_all_the_same(tmp_path: Path) -> None:
    house = household(tmp_path, COLD)
    async with house.living() as living:
        living.context.executor.number = 2
        house.drop("reviews/may.csv", csv("good", *(f"text {number}" for number in range(2_498)), "good"))
        await living.work()
        [job] = await living.context.store.jobs.ids()
        parts = await living.context.store.jobs.parts(job)
        assert [part.rows for part in parts] == [1_250, 1_250]
    assert house.service.executed.total() == 2_499

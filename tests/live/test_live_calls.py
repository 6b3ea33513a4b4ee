"""Rows that are answered by live calls: the whole way through a daemon, and what a service may do wrong."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from batchd import Failure, LiveAnswer, NotSent, RejectedError, TooManyCalls, TransientError
from batchd.domain.lifecycle import CancelBatch, Claim, Plan, Poll, Read
from batchd.engine.steps import orders
from batchd.live.lanes import LiveTerms
from batchd.status.job_words import waits_for
from batchd.store.reading.snapshot import snapshot
from batchd.store.tables.orders import Door, StoredOrder, leave
from batchd.testing.household import Household, Living
from batchd.values import replace

from ..engine.conftest import MakeHousehold, csv_of, route
from .conftest import LiveService, said

NINE = [f"review {number}" for number in range(9)]


def house(make: MakeHousehold, service: LiveService, **more: Any) -> Household:
    """A daemon that asks the service by live calls."""
    more.setdefault("live", LiveTerms())
    return make(provider=service, **more)


def rows(household: Household, name: str = "may") -> list[dict[str, str]]:
    """The delivered rows."""
    return list(csv.DictReader(io.StringIO(household.outbox()[f"reviews/{name}.results.csv"].decode())))


async def ask(household: Household, reviews: list[str] | None = None) -> None:
    """Drop a file and work until nothing is left."""
    household.drop("reviews/may.csv", csv_of(NINE if reviews is None else reviews))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()


async def test_each_row_is_asked_once_and_delivered(make_household: MakeHousehold) -> None:
    service = LiveService()
    household = house(make_household, service)
    await ask(household)
    assert [row["answer"] for row in rows(household)] == [f"answer to {review}" for review in NINE]
    assert Counter(service.asked) == dict.fromkeys(NINE, 1)
    report = household.report("reviews/may.report.json")
    assert {batch["lane"] for batch in report["batches"]} == {"live"}
    assert {batch["possibly_paid_twice"] for batch in report["batches"]} == {None}
    assert not list((household.folder / "state" / "batches").iterdir()), "the journal is removed with its batch"


@pytest.mark.field("dropped again")
async def test_identical_rows_are_asked_once(make_household: MakeHousehold) -> None:
    reviews = ["good", "bad", "good", "good", "fine", "bad", "good"]
    for identical, calls in (("once", 1), ("each", None)):
        service = LiveService()
        routes = (route(identical_rows=identical, part_rows=3),)
        household = house(make_household, service, routes=routes)
        await ask(household, reviews)
        assert [row["answer"] for row in rows(household)] == [f"answer to {review}" for review in reviews]
        asked = Counter(service.asked)
        assert asked == (dict.fromkeys(reviews, calls) if calls else Counter(reviews))
        report = household.report("reviews/may.report.json")
        assert (report["rows"]["ok"], report["rows"]["reused"]) == (7, 7 - asked.total())


@pytest.mark.field("dropped again")
async def test_identical_rows_that_failed_once_are_asked_again_once(make_household: MakeHousehold) -> None:
    service = LiveService(
        lambda text, before: LiveAnswer(failure=Failure("busy", "Later.", transient=True)) if not before else said()
    )
    household = house(make_household, service, routes=(route(identical_rows="once", attempts=2, part_rows=3),))
    await ask(household, ["good", "good", "bad", "good", "good"])
    assert [row["status"] for row in rows(household)] == ["ok"] * 5
    assert Counter(service.asked) == {"good": 2, "bad": 2}


@pytest.mark.field("people's data")
async def test_a_purge_finds_nothing_of_live_calls_at_the_service(make_household: MakeHousehold) -> None:
    household = house(make_household, LiveService())
    await ask(household)
    [job] = [event.job for event in household.events if event.kind == "JobFinished"]
    leave(household.folder / "state", "purge", job, {}, at=1.0, who="anna", door=Door.COMMAND_LINE)
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.drain()
    [purged] = [event.data() for event in household.events if event.kind == "JobPurged"]
    assert (purged["kept"], purged["files"]) == ([], [])


@pytest.mark.field("outages")
@pytest.mark.slow
async def test_too_many_calls_never_count_against_a_row(make_household: MakeHousehold) -> None:
    def busy(text: str, before: int) -> object:
        return said() if before >= 2 or text != NINE[0] else TooManyCalls("slow down", retry_after=0.01)

    service = LiveService(busy)
    household = house(make_household, service, routes=(route(attempts=1),))
    await ask(household)
    assert [row["status"] for row in rows(household)] == ["ok"] * 9
    assert Counter(service.asked) == dict.fromkeys(NINE, 1) | {NINE[0]: 3}
    keys = service.keys[NINE[0]]
    assert len(set(keys)) == 3, "a definite answer ends the call, so the next one is another"


@pytest.mark.field("outages")
@pytest.mark.slow
async def test_a_row_that_breaks_the_service_fails_alone(make_household: MakeHousehold) -> None:
    def breaks(text: str, before: int) -> object:
        return TransientError("answered with status 500", answered=True) if text == NINE[4] else said()

    service = LiveService(breaks)
    service.gate = lambda: asyncio.sleep(0.01)
    # A window of one: so others are asked after it broke, and it is not the first of all.
    household = house(make_household, service, routes=(route(attempts=1, part_rows=9),), live=LiveTerms(at_once=1))
    await ask(household)
    assert Counter(row["status"] for row in rows(household)) == {"ok": 8, "failed": 1}
    assert Counter(service.asked)[NINE[4]] == 3


@pytest.mark.field("outages")
@pytest.mark.slow
async def test_a_call_of_unknown_outcome_keeps_its_key(make_household: MakeHousehold) -> None:
    def cut(text: str, before: int) -> object:
        return said() if before or text != NINE[1] else TransientError("the connection broke")

    service = LiveService(cut)
    household = house(make_household, service)
    await ask(household)
    assert [row["status"] for row in rows(household)] == ["ok"] * 9
    first, second = service.keys[NINE[1]]
    assert first == second
    twice = [batch["possibly_paid_twice"] for batch in household.report("reviews/may.report.json")["batches"]]
    assert [each for each in twice if each] == [{"rows": 1, "examples": [2]}]
    [event] = [event for event in household.events if event.kind == "CallsRepeated"]
    assert "1 row of batch" in event.sentence


@pytest.mark.field("outages")
@pytest.mark.slow
async def test_a_service_that_is_down_is_waited_for(make_household: MakeHousehold) -> None:
    down = True

    def behave(text: str, before: int) -> object:
        return NotSent("cannot be reached") if down else said()

    service = LiveService(behave)
    household = house(make_household, service, routes=(route(attempts=1),))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        for _ in range(40):
            assert await daemon.step() is not None
        assert len(service.asked) < 64, "what is down gets a call at a time"
        assert any("cannot be reached" in text for text in (await daemon.context.store.event_log.conditions()).values())
        down = False
        await daemon.drain()
        assert await daemon.context.store.event_log.conditions() == {}
    assert [row["status"] for row in rows(household)] == ["ok"] * 9
    assert {batch["possibly_paid_twice"] for batch in household.report("reviews/may.report.json")["batches"]} == {None}


@pytest.mark.field("account refusals")
async def test_a_refused_account_stops_the_calls_and_fails_no_row(make_household: MakeHousehold) -> None:
    poor = True

    def behave(text: str, before: int) -> object:
        return RejectedError("The account cannot pay.") if poor else said()

    service = LiveService(behave)
    many = [f"review {number}" for number in range(200)]
    household = house(make_household, service, routes=(route(attempts=1, part_rows=100),), live=LiveTerms(at_once=8))
    household.drop("reviews/may.csv", csv_of(many))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        for _ in range(30):
            assert await daemon.step() is not None
        assert len(service.asked) <= 8 + 30, "those under way, then one at a time"
        [text] = (await daemon.context.store.event_log.conditions()).values()
        assert "cannot pay" in text
        poor = False
        await daemon.drain()
    assert Counter(row["status"] for row in rows(household)) == {"ok": 200}


@pytest.mark.field("account refusals")
async def test_a_row_that_is_refused_again_and_again_fails_alone(make_household: MakeHousehold) -> None:
    def behave(text: str, before: int) -> object:
        return RejectedError("Your input was flagged.") if text == NINE[3] else said()

    service = LiveService(behave)
    household = house(make_household, service, routes=(route(attempts=1, part_rows=9),), live=LiveTerms(at_once=1))
    household.drop("reviews/may.csv", csv_of(NINE))
    service.gate = lambda: asyncio.sleep(0.001)
    async with asyncio.timeout(60), household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    delivered = rows(household)
    assert [row["status"] for row in delivered] == ["ok"] * 3 + ["failed"] + ["ok"] * 5
    assert "flagged" in delivered[3]["error"]


async def test_an_answer_that_is_a_refusal_fails_its_row(make_household: MakeHousehold) -> None:
    def behave(text: str, before: int) -> object:
        if text == NINE[0]:
            return LiveAnswer(400, b'{"error": {"code": "context_length_exceeded", "message": "too long"}}')
        return LiveAnswer(failure=Failure("too_large", "Too large.")) if text == NINE[1] else said()

    service = LiveService(behave)
    household = house(make_household, service)
    await ask(household)
    delivered = rows(household)
    assert [row["status"] for row in delivered] == ["failed"] * 2 + ["ok"] * 7
    assert "too long" in delivered[0]["error"]
    assert len(service.asked) == 9


async def test_a_cancelled_job_begins_no_more_calls(make_household: MakeHousehold) -> None:
    go_on = asyncio.Event()
    service = LiveService()
    service.gate = go_on.wait
    household = house(make_household, service, routes=(route(part_rows=100),), live=LiveTerms(at_once=4))
    household.drop("reviews/may.csv", csv_of([f"review {number}" for number in range(100)]))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while not isinstance(await daemon.step(), Poll) or len(service.asked) < 4:
            pass

        job = next(event.job for event in household.events if event.job)
        await orders.obey(daemon.context, StoredOrder(1, "cancel", job, {}, 0.0))
        while not isinstance(await daemon.step(), CancelBatch):
            pass
        before = len(service.asked)
        go_on.set()
        await daemon.drain()
    assert len(service.asked) == before == 4
    assert Counter(row["status"] for row in rows(household)) == {"ok": 4, "skipped": 96}


async def test_after_a_kill_only_the_calls_under_way_are_made_again(make_household: MakeHousehold) -> None:
    hold = asyncio.Event()
    service = LiveService()

    async def gate() -> None:
        if len(service.asked) > 5:
            await hold.wait()

    service.gate = gate
    household = house(make_household, service, routes=(route(part_rows=9),), live=LiveTerms(at_once=3))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while len(service.asked) < 8:
            assert await daemon.step() is not None
    assert service.in_flight == 0, "the calls were broken off"
    hold.set()
    under_way = service.asked[5:8]
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.drain()
    assert [row["answer"] for row in rows(household)] == [f"answer to {review}" for review in NINE]
    assert Counter(service.asked) == dict.fromkeys(NINE, 1) | dict.fromkeys(under_way, 2)
    [batch] = household.report("reviews/may.report.json")["batches"]
    assert batch["possibly_paid_twice"] == {"rows": 3, "examples": sorted(NINE.index(text) + 1 for text in under_way)}
    assert all(len(set(service.keys[text])) == 1 for text in under_way)


@pytest.mark.slow
async def test_a_small_file_does_not_wait_for_a_large_one(make_household: MakeHousehold) -> None:
    service = LiveService()
    service.gate = lambda: asyncio.sleep(0.005)
    household = house(make_household, service, routes=(route(part_rows=200),), live=LiveTerms(at_once=4))
    household.drop("reviews/large.csv", csv_of([f"large {number}" for number in range(1_000)]))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while len(service.asked) < 50:
            assert await daemon.step() is not None
        household.drop("reviews/small.csv", csv_of([f"small {number}" for number in range(10)]))
        await daemon.take_in()
        while "reviews/small.results.csv" not in household.outbox():
            assert await daemon.step() is not None
        asked = [number for number, text in enumerate(service.asked) if text.startswith("small")]
        assert asked[-1] - asked[0] <= 20, "every second call is its own"


@pytest.mark.slow
async def test_the_priority_of_a_route_is_how_often_its_jobs_have_their_turn(make_household: MakeHousehold) -> None:
    service, permits = LiveService(), asyncio.Semaphore(0)
    service.gate = permits.acquire
    first = route(name="first", match=("first/**",), part_rows=400, priority=3)
    household = house(make_household, service, routes=(route(part_rows=400), first), live=LiveTerms(at_once=4))
    household.drop("reviews/a.csv", csv_of([f"plain {number}" for number in range(400)]))
    household.drop("first/b.csv", csv_of([f"first {number}" for number in range(400)]))

    async def shares(daemon: Living, number: int) -> float:
        """Of so many calls from now on: those of the one for each of the other."""
        begun = len(service.asked)
        # Some more than that: the pace may let fewer be under way than before, and then as many less are asked.
        for _ in range(number + 4):
            permits.release()
        while len(service.asked) < begun + number:
            assert await daemon.step() is not None
        had = Counter(text.split()[0] for text in service.asked[begun : begun + number])
        return had["first"] / had["plain"]

    async def both_polled(daemon: Living) -> None:
        polled: set[object] = set()
        while len(polled) < 2:
            action = await daemon.step()
            polled |= {action} if isinstance(action, Poll) else set()

    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        await both_polled(daemon)
        await shares(daemon, 40)  # beyond the head start of each
        assert await shares(daemon, 120) == pytest.approx(3, rel=0.1)
        # A reload changes it for jobs under way, too.
        daemon.reconfigure(routes=(route(part_rows=400), replace(first, priority=1)))
        await both_polled(daemon)
        await shares(daemon, 20)
        assert await shares(daemon, 80) == pytest.approx(1, rel=0.1)


async def test_a_small_file_does_not_wait_until_a_large_one_is_prepared(make_household: MakeHousehold) -> None:
    household = house(make_household, LiveService(), routes=(route(part_rows=1),))
    household.drop("reviews/large.csv", csv_of([f"large {number}" for number in range(40)]))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while not isinstance(await daemon.step(), Read):
            pass
        outlook = await daemon.engine.look()
        under_way = [daemon.engine.perform(due) for due in outlook.due[:4]]
        assert all(isinstance(due.action, Plan) for due in outlook.due)
        household.drop("reviews/small.csv", csv_of(["small"]))
        await daemon.take_in()
        for kind in (Claim, Read, Plan):
            due = (await daemon.engine.look()).due[0]
            assert isinstance(due.action, kind)
            await daemon.engine.perform(due)
        await asyncio.gather(*under_way)


async def test_status_says_how_fast_it_goes_and_what_limits_it(make_household: MakeHousehold) -> None:
    go_on = asyncio.Event()
    service = LiveService()
    service.gate = go_on.wait
    household = house(make_household, service, routes=(route(part_rows=100),), live=LiveTerms(at_once=4))
    household.drop("reviews/may.csv", csv_of([f"review {number}" for number in range(50)]))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while not isinstance(await daemon.step(), Poll):
            pass
        with snapshot(household.folder / "state") as state:
            [job] = state.unfinished()
        words = waits_for(job, (), awake=True)
        assert words == (
            "fake: 0 of 50 answered (live calls: 0 answers a second, 4 calls under way, "
            "limited by how long its answers take)"
        )
        go_on.set()
        await daemon.drain()


@pytest.mark.slow
async def test_no_more_calls_at_once_than_configured(make_household: MakeHousehold, tmp_path: Path) -> None:
    service = LiveService()
    service.gate = lambda: asyncio.sleep(0.002)
    household = house(make_household, service, live=LiveTerms(at_once=2))
    await ask(household, [f"review {number}" for number in range(30)])
    assert service.most_in_flight == 2

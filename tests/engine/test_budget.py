"""No batch is submitted that could take a job, a day or a month over its limit; a person, or time, lets it go on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.records import JobState
from batchd.engine.looks import held_look
from batchd.engine.steps import orders
from batchd.model import Failure
from batchd.money.budget import Ceilings, SpendingLimits, counted
from batchd.money.price_list import PriceList
from batchd.money.pricing import UNIT, Price
from batchd.store.reading.snapshot import snapshot
from batchd.store.tables.orders import StoredOrder
from batchd.testing.household import REVIEWS, Household, Living
from batchd.values import replace

from .conftest import stops

DAY = 86_400.0
ROUTE = replace(REVIEWS, params={"max_tokens": 5}, prompt=replace(REVIEWS.prompt, settings={"user": "{{ review }}"}))
# An answer of the fake service is 10 tokens in and 5 out: at these prices a row costs 5 units, or a hair more
# at most, since what it says is short and the margin is on its few tokens alone.
PRICES = {"small": Price(input=Decimal(0), output=Decimal(1_000_000))}
ROW = 5 * UNIT


def csv(rows: int, name: str = "row") -> str:
    """A file of so many rows."""
    return "review\n" + "".join(f"{name} {row}\n" for row in range(rows))


def household(folder: Path, *, prices: Mapping[str, Price] = PRICES, beyond: Any = "hold", **more: Any) -> Household:
    """A daemon with a budget. `per_…` are in rows, `provider_per_…` those of the provider."""
    limits = {name: more.pop(name) * ROW for name in ("per_job", "per_day", "per_month") if name in more}
    theirs = {name: more.pop(f"provider_{name}") * ROW for name in ("per_job", "per_day") if f"provider_{name}" in more}
    budget = SpendingLimits(overall=Ceilings(**limits), providers={"fake": Ceilings(**theirs)}, beyond=beyond)
    return Household(folder, prices=prices, budget=budget, routes=[more.pop("route", ROUTE)], **more)


async def only(living: Living, source: str) -> Any:
    """The job of this file."""
    [job] = [job for job in await jobs(living) if job.source == source]
    return job


async def jobs(living: Living) -> list[Any]:
    """All jobs."""
    store = living.context.store
    return [await store.jobs.get(name) for name in sorted(await store.jobs.ids())]


async def order(living: Living, kind: str, job: str, **data: Any) -> str:
    """What the daemon answers to an order."""
    await living.context.store.database.write(
        lambda tx: tx.insert("orders", [{"at": 1.0, "kind": kind, "target": job, "data": json.dumps(data)}])
    )
    given = (await living.context.store.event_log.orders())[-1]
    await orders.obey(living.context, StoredOrder(given.id, kind, job, data, at=1.0))
    with snapshot(living.context.spool.state) as state:
        return str(state.rows("SELECT answer FROM orders ORDER BY id")[-1]["answer"])


async def test_a_job_within_its_limits_runs_and_costs_what_the_report_says(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=10, per_day=10)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert job.state is JobState.DONE
        assert job.estimated_cost == 10 * ROW
        bill = await living.context.store.money.of_job(job.id)
    report = house.report("reviews/may.report.json")["cost"]
    assert (report["estimated"], report["actual"], report["live_price"]) == (50.0, 50.0, 50.0)
    assert bill.cost == 10 * ROW
    assert report["prices"] == "configuration"


async def test_a_job_that_may_cost_too_much_is_held_before_anything_of_it_is_sent(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=9)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "per_job")
        assert job.reason == "it can cost at most 50.00 USD, and [budget] per_job allows 45.00"
    assert (house.service.creates, house.service.files) == (0, {})
    note = (house.folders.held / "reviews/may.csv.held.txt").read_text()
    assert "at most 50.00 USD" in note
    assert f"batchd approve {job.id}" in note
    assert house.outbox() == {}


async def test_approved_it_goes_on_and_the_note_goes_away(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=9)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        answer = await order(living, "approve", job.id)
        assert "up to 50.00 USD" in answer
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is JobState.DONE
        assert "is done, not held" in await order(living, "approve", job.id)
    assert [path for path in house.folders.held.rglob("*") if path.is_file()] == []
    assert "reviews/may.results.csv" in house.outbox()


@pytest.mark.parametrize(
    ("up_to", "state"),
    [("49.99", JobState.HELD), ("50", JobState.DONE), (1000, JobState.DONE)],
)
async def test_an_amount_that_is_too_small_approves_nothing(tmp_path: Path, up_to: Any, state: JobState) -> None:
    house = household(tmp_path, per_job=9)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        answer = await order(living, "approve", (await only(living, "reviews/may.csv")).id, up_to=up_to)
        assert ("still held" in answer) is (state is JobState.HELD)
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is state


async def test_what_is_said_of_a_job_is_enough_to_approve_it(tmp_path: Path) -> None:
    house = household(tmp_path, prices={"small": Price(input=Decimal(0), output=Decimal("0.25"))}, per_job=0)
    house.drop("reviews/may.csv", csv(1))  # it can cost 0.00000125 at most, which is not written out
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert "it can cost at most 0.000002 USD" in job.reason
        assert "is approved, up to 0.000002 USD" in await order(living, "approve", job.id, up_to="0.000002")
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is JobState.DONE


async def test_a_held_job_may_be_cancelled(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=1)
    house.drop("reviews/may.csv", csv(3))
    async with house.at_rest() as living:
        await order(living, "cancel", (await only(living, "reviews/may.csv")).id)
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is JobState.CANCELLED
    assert house.report("reviews/may.report.json")["rows"]["skipped"] == 3
    assert list(house.folders.held.rglob("*.txt")) == []
    assert house.service.creates == 0


async def test_of_two_jobs_that_together_are_too_much_for_a_day_the_second_is_held(tmp_path: Path) -> None:
    house = household(tmp_path, per_day=15)
    house.drop("reviews/a.csv", csv(10, "a"))
    house.drop("reviews/b.csv", csv(10, "b"))
    async with house.at_rest() as living:
        states = [job.state for job in await jobs(living)]
    assert sorted(states) == ["done", "held"]
    assert house.service.executed.total() == 10


async def test_what_is_reserved_counts_before_it_is_spent(tmp_path: Path) -> None:
    house = household(tmp_path, per_day=15)
    house.service.polls = 10_000
    house.drop("reviews/a.csv", csv(10, "a"))
    async with house.living() as living:
        await living.take_in()
        await living.steps(30)
        assert house.service.creates == 1
        house.drop("reviews/b.csv", csv(10, "b"))
        await living.take_in()
        await living.steps(30)
        job = await only(living, "reviews/b.csv")
        assert job.state is JobState.HELD
        assert "25.00 are left today: 0.00 are spent and 50.00 reserved for running jobs" in job.reason
    assert house.service.creates == 1


async def test_a_reservation_settles_to_what_was_really_used(tmp_path: Path) -> None:
    # Asked for at most fifty tokens a row, the service answers with five: nine tenths of the money come free.
    house = household(tmp_path, per_day=105, route=replace(ROUTE, params={"max_tokens": 50}))
    house.drop("reviews/a.csv", csv(10, "a"))
    async with house.at_rest() as living:
        house.drop("reviews/b.csv", csv(9, "b"))
        await living.work()
        assert {job.state for job in await jobs(living)} == {JobState.DONE}


async def test_one_that_waits_goes_on_when_the_day_is_over(tmp_path: Path) -> None:
    house = household(tmp_path, per_day=10, beyond="wait")
    house.drop("reviews/a.csv", csv(10, "a"))
    async with house.at_rest() as living:
        house.drop("reviews/b.csv", csv(10, "b"))
        await living.work()
        job = await only(living, "reviews/b.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "waits:per_day")
        assert "It goes on by itself" in (house.folders.held / "reviews/b.csv.held.txt").read_text()
        house.clock.advance(DAY)
        await living.work()
        assert (await only(living, "reviews/b.csv")).state is JobState.DONE


async def test_the_note_about_one_that_does_not_go_on_by_itself_any_more_says_so(tmp_path: Path) -> None:
    house = household(tmp_path, per_day=10, beyond="wait")
    house.drop("reviews/a.csv", csv(10, "a"))
    async with house.at_rest() as living:
        house.drop("reviews/b.csv", csv(10, "b"))
        await living.work()
        note = house.folders.held / "reviews/b.csv.held.txt"
        assert "It goes on by itself" in note.read_text()
        budget = living.context.configured.budget
        living.reconfigure(budget=replace(budget, overall=replace(budget.overall, per_job=5 * ROW)))
        house.clock.advance(60)
        await living.work()
        assert (await only(living, "reviews/b.csv")).reason_code == "per_job"
        assert "It goes on by itself" not in note.read_text()
        assert "per_job" in note.read_text()


async def test_one_that_no_day_has_room_for_does_not_wait_for_ever(tmp_path: Path) -> None:
    house = household(tmp_path, per_day=9, beyond="wait")
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        assert (await only(living, "reviews/may.csv")).reason_code == "per_day"


async def test_a_clock_that_is_set_back_frees_no_money(tmp_path: Path) -> None:
    house = household(tmp_path, per_day=10)
    house.drop("reviews/a.csv", csv(10, "a"))
    async with house.at_rest() as living:
        house.clock.wall -= 3 * DAY
        house.drop("reviews/b.csv", csv(1, "b"))
        await living.work()
        assert (await only(living, "reviews/b.csv")).state is JobState.HELD


async def test_a_month_ends_with_its_last_day(tmp_path: Path) -> None:
    house = household(tmp_path, per_month=10)
    house.clock.wall = 1_801_439_990.0  # ten seconds before the first of February 2027, in UTC
    house.drop("reviews/a.csv", csv(10, "a"))
    async with house.at_rest() as living:
        house.clock.wall = 1_801_440_001.0
        house.drop("reviews/b.csv", csv(10, "b"))
        await living.work()
        assert {job.state for job in await jobs(living)} == {JobState.DONE}


async def test_the_providers_own_limit_holds_as_well(tmp_path: Path) -> None:
    house = household(tmp_path, per_day=100, provider_per_day=9)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
    assert job.state is JobState.HELD
    assert "[providers.fake.budget] per_day" in job.reason


@pytest.mark.parametrize(("price", "state"), [(0, JobState.DONE), (1, JobState.HELD)])
async def test_with_a_budget_of_nothing_only_what_is_free_runs(tmp_path: Path, price: int, state: JobState) -> None:
    house = household(tmp_path, prices={"small": Price(Decimal(price), Decimal(price))}, per_job=0)
    house.drop("reviews/may.csv", csv(1))
    async with house.at_rest() as living:
        assert (await only(living, "reviews/may.csv")).state is state


async def test_an_unknown_price_is_not_nothing(tmp_path: Path) -> None:
    house = household(tmp_path, prices={}, per_month=1_000_000)
    house.drop("reviews/may.csv", csv(1))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "price_unknown")
        assert '[providers.fake.prices."small"]' in job.reason
        assert "cannot keep to an amount" in await order(living, "approve", job.id, up_to=100)
        assert "whatever it costs" in await order(living, "approve", job.id)
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is JobState.DONE
    assert house.report("reviews/may.report.json")["cost"]["actual"] is None


async def test_a_job_of_unknown_price_goes_on_once_there_is_no_limit_any_more(tmp_path: Path) -> None:
    house = household(tmp_path, prices={}, per_job=1)
    house.drop("reviews/may.csv", csv(1))
    async with house.at_rest() as living:
        assert (await only(living, "reviews/may.csv")).state is JobState.HELD
        living.reconfigure(budget=SpendingLimits())
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is JobState.DONE
    assert list(house.folders.held.rglob("*.txt")) == []


async def test_an_order_that_is_refused_is_told_whatever_it_is_about(tmp_path: Path) -> None:
    house = household(tmp_path)
    async with house.living() as living:
        await order(living, "resolve", "nobatch1", found="batch_1")
        await order(living, "retry", "nojob123")
    told = [event for event in house.events if event.kind == "OrderRefused"]
    assert [event.data()["order"] for event in told] == ["resolve", "retry"]
    assert all("nobatch1" in event.sentence or "nojob123" in event.sentence for event in told)


@pytest.mark.parametrize(("per_job", "state"), [(1, JobState.DONE), (0, JobState.HELD)])
async def test_a_job_is_judged_once_its_price_is_known(tmp_path: Path, per_job: int, state: JobState) -> None:
    house = household(tmp_path, prices={}, per_job=per_job)
    house.drop("reviews/may.csv", csv(1))
    async with house.at_rest() as living:
        [note] = (house.folders.held / "reviews").iterdir()
        assert "is not known" in note.read_text()
        provider = living.context.configured.providers["fake"]
        living.reconfigure(providers={"fake": replace(provider, prices=PriceList(PRICES, currency="USD"))})
        await living.work()
        job = await only(living, "reviews/may.csv")
        assert job.state is state
    if state is JobState.HELD:
        assert "[budget] per_job allows 0.00" in job.reason
        assert "at most 5.00 USD" in note.read_text()
    else:
        assert not note.exists()


async def test_answers_of_any_length_cannot_be_within_a_budget(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=1_000_000, route=replace(ROUTE, params={}))
    house.drop("reviews/may.csv", csv(2))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "unlimited_answers")
        assert "2 of its requests set no limit" in job.reason


async def test_asking_again_may_not_take_a_job_over_its_limit(tmp_path: Path) -> None:
    # Nearly every answer is billed and cannot be read: asked again, the job would cost twice what was allowed.
    prompt = replace(ROUTE.prompt, settings={"user": "{{ review }}", "columns": ["a", "b"], "separator": "|"})
    house = household(tmp_path, per_job=15, route=replace(ROUTE, prompt=prompt))
    house.service.answer = lambda body: "x|y" if body["messages"][-1]["content"].endswith(" 0") else "nothing"
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "per_job")
        assert "at most" in job.reason
        assert house.service.executed.total() == 10
        await order(living, "approve", job.id)
        await living.work()
        # Approved was what it had cost and a second try; a third is a new question.
        job = await only(living, "reviews/may.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "approved_amount")
    assert house.service.executed.total() == 19


async def test_rows_that_all_fail_alike_are_asked_twice_and_no_more(tmp_path: Path) -> None:
    prompt = replace(ROUTE.prompt, settings={"user": "{{ review }}", "columns": ["a", "b"], "separator": "|"})
    house = household(tmp_path, route=replace(ROUTE, prompt=prompt, attempts=5))
    house.service.answer = lambda _: "one cell"
    house.drop("reviews/may.csv", csv(10))
    await house.work()
    assert house.service.executed.total() == 20
    assert house.report("reviews/may.report.json")["rows"]["failed"] == 10


async def test_what_a_held_job_has_at_the_provider_is_collected(tmp_path: Path) -> None:
    prompt = replace(ROUTE.prompt, settings={"user": "{{ review }}", "columns": ["a", "b"], "separator": "|"})
    route = replace(ROUTE, prompt=prompt, part_rows=5)
    house = household(tmp_path, per_job=12, route=route)
    house.service.answer = lambda body: "x|y" if int(body["messages"][-1]["content"].split()[1]) < 5 else "nothing"
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        parts = await living.context.store.jobs.parts(job.id)
    assert job.state is JobState.HELD
    assert [(part.state, part.ok) for part in parts] == [("collected", 5), ("planned", 0)]


async def test_a_retry_is_admitted_anew(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=15)
    house.service.answer = lambda _: Failure("refused", "No.")
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert job.state is JobState.DONE
        house.service.answer = lambda _: "yes"
        house.budget = replace(house.budget, overall=Ceilings(per_job=5 * ROW))
        living.reconfigure(budget=house.budget)
        await order(living, "retry", job.id)
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is JobState.HELD
    assert house.service.executed.total() == 0


async def test_renaming_the_note_approves_where_that_is_allowed(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=9, approve_in_folder=True)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        note = house.folders.held / "reviews/may.csv.held.txt"
        assert ".approved.txt" in note.read_text()
        await held_look.look(living.context)
        assert (await only(living, "reviews/may.csv")).state is JobState.HELD
        note.rename(note.with_name("may.csv.approved.txt"))
        await held_look.look(living.context)
        await living.work()
        job = await only(living, "reviews/may.csv")
        assert job.state is JobState.DONE
        with snapshot(living.context.spool.state) as state:
            [stored] = state.rows("SELECT kind, target, who, door, answer FROM orders")
    assert tuple(stored) == (
        "approve", job.id, None, "held folder", "Approved by the file may.csv.approved.txt: up to 50.00 USD in all."
    )  # fmt: skip
    assert list(house.folders.held.rglob("*.txt")) == []


async def test_a_note_whose_job_cannot_be_approved_comes_back_with_the_reason(tmp_path: Path) -> None:
    price = Price(input=Decimal(0), output=Decimal(10) ** 13)
    house = household(tmp_path, prices={"small": price}, approve_in_folder=True)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "uncountable")
        note = house.folders.held / "reviews/may.csv.held.txt"
        note.rename(note.with_name("may.csv.approved.txt"))
        for _ in range(3):
            await held_look.look(living.context)
            await living.drain()
        assert (await only(living, "reviews/may.csv")).state is JobState.HELD
    assert [path.name for path in house.folders.held.rglob("*.txt")] == ["may.csv.held.txt"]
    [refused] = [event for event in house.events if event.kind == "OrderRefused"]
    assert refused.job == job.id
    assert refused.sentence.startswith(f"Could not approve: Job {job.id} is still held: it can cost more than batchd")


async def test_renaming_the_note_approves_nothing_where_that_is_not_allowed(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=9)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        note = house.folders.held / "reviews/may.csv.held.txt"
        assert "rename" not in note.read_text()
        note.rename(note.with_name("may.csv.approved.txt"))
        await held_look.look(living.context)
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is JobState.HELD


async def test_a_note_that_is_deleted_comes_again_as_long_as_the_job_is_held(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=9)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        note = house.folders.held / "reviews/may.csv.held.txt"
        text = note.read_text()
        note.unlink()
        aside = house.folders.held.rename(tmp_path / "unmounted")
        await held_look.look(living.context)
        assert (await only(living, "reviews/may.csv")).note is not None, "all of the folder is away"
        aside.rename(house.folders.held)
        await held_look.look(living.context)
        await living.work()
        assert note.read_text() == text
        assert (await only(living, "reviews/may.csv")).state is JobState.HELD


async def test_a_note_overwrites_nobodys_file(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=1)
    house.drop("reviews/may.csv", csv(3))
    theirs = house.folders.held / "reviews/may.csv.held.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    async with house.at_rest() as living:
        assert (await only(living, "reviews/may.csv")).note == "reviews/may (2).csv.held.txt"
    assert theirs.read_text() == "mine"


async def test_a_price_that_changes_while_a_job_runs_changes_nothing_for_it(tmp_path: Path) -> None:
    prices = dict(PRICES)
    house = household(tmp_path, prices=prices)
    house.drop("reviews/a.csv", csv(2, "a"))
    async with house.living() as living:
        await living.take_in()
        while not house.service.creates:
            await living.step()
        prices["small"] = Price(Decimal(0), Decimal(9_000_000))
        house.drop("reviews/b.csv", csv(2, "b"))
        await living.work()
    assert house.report("reviews/a.report.json")["cost"]["actual"] == 10.0
    assert house.report("reviews/b.report.json")["cost"]["actual"] == 90.0


@pytest.mark.slow
async def test_limits_hold_for_every_instant_of_a_crash(tmp_path: Path) -> None:
    """Stopped after every action, the same jobs run and the same are held: what is promised is never forgotten."""
    sent: set[int] = set()
    for stop in itertools.takewhile(lambda stop: stop < 60, stops()):
        folder = tmp_path / str(stop)
        house = household(folder, per_day=15)
        house.drop("reviews/a.csv", csv(10, "a"))
        house.drop("reviews/b.csv", csv(10, "b"))
        async with house.living() as living:
            await living.take_in()
            done = await living.steps(stop)
        async with house.at_rest() as living:
            assert sorted(job.state for job in await jobs(living)) == ["done", "held"]
        sent.add(house.service.executed.total())
        if done < stop:
            break
    else:
        raise AssertionError("it takes more actions than were tried")
    assert sent == {10}


def test_amounts_of_a_config_are_exact() -> None:
    assert counted(0.1, "USD") == UNIT // 10
    assert counted("49.99", "USD") == 4_999 * UNIT // 100


MILLIONS = {"small": Price(Decimal(0), Decimal(60_000_000_000_000))}
"""At this price a row costs 300 million units: in trillionths not even one row fits into the database."""


def in_dong(folder: Path, **limits: int) -> Household:
    """A daemon that counts in VND, with limits in units."""
    ceilings = Ceilings(**{name: counted(limit, "VND") for name, limit in limits.items()})
    budget = SpendingLimits(currency="VND", overall=ceilings)
    return Household(folder, prices=MILLIONS, budget=budget, routes=[replace(ROUTE, part_rows=1)])


@pytest.mark.slow
async def test_hundreds_of_millions_of_a_small_unit_are_added_up(tmp_path: Path) -> None:
    house = in_dong(tmp_path, per_month=2_000_000_000)
    house.drop("reviews/may.csv", csv(4))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert job.state is JobState.DONE
        bill = await living.context.store.money.of_job(job.id)
        assert job.estimated_cost == bill.cost == counted(1_200_000_000, "VND")
        house.drop("reviews/june.csv", csv(4, "other"))
        await living.work()
        june = await only(living, "reviews/june.csv")
        assert (june.state, june.reason_code) == (JobState.HELD, "per_month")
        assert june.reason == (
            "it can cost at most 1200000000.00 VND, and of the 2000000000.00 that [budget] per_month allows "
            "800000000.00 are left this month: 1200000000.00 are spent; there is room from 2027-02-01 00:00 UTC"
        )
        assert "up to 1250000000.00 VND" in await order(living, "approve", june.id, up_to="1250000000")
        await living.work()
        assert (await only(living, "reviews/june.csv")).state is JobState.DONE
    cost = house.report("reviews/may.report.json")["cost"]
    assert (cost["estimated"], cost["actual"], cost["currency"]) == (1.2e9, 1.2e9, "VND")


@pytest.mark.slow
async def test_a_job_that_can_cost_more_than_can_be_counted_is_held_and_stops_nothing(tmp_path: Path) -> None:
    house = in_dong(tmp_path)
    house.drop("reviews/huge.csv", csv(40))  # 12 billion
    async with house.at_rest() as living:
        job = await only(living, "reviews/huge.csv")
        assert (job.state, job.reason_code) == (JobState.HELD, "uncountable")
        assert job.reason.startswith(
            "it can cost more than batchd can count, which is 4611686018.43 VND. Correct its price"
        )
        for up_to in (None, 1, "1e18"):
            assert "is still held: it can cost more" in await order(living, "approve", job.id, up_to=up_to)
        assert "12000000000.00" in {getattr(event, "estimated_cost", None) for event in house.events}
        house.drop("reviews/may.csv", csv(4))
        await living.work()
        assert (await only(living, "reviews/may.csv")).state is JobState.DONE
        await order(living, "cancel", job.id)
        await living.work()
        assert (await only(living, "reviews/huge.csv")).state is JobState.CANCELLED
    assert house.service.executed.total() == 4


async def test_an_amount_that_cannot_be_counted_is_not_approved(tmp_path: Path) -> None:
    house = household(tmp_path, per_job=9)
    house.drop("reviews/may.csv", csv(10))
    async with house.at_rest() as living:
        job = await only(living, "reviews/may.csv")
        assert await order(living, "approve", job.id, up_to="4611686.5") == (
            f"4611686.5 USD is more than batchd can count, which is 4611686.02 USD. Job {job.id} is still held. Approve "
            "it with a lower amount, or without --up-to."
        )
        assert "up to 4611686.00 USD" in await order(living, "approve", job.id, up_to="4611686")

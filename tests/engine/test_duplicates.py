"""The same bytes again: delivered from what is there, asked anew, or rejected in words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from batchd.model import Failure, Json, Response, Result, Usage
from batchd.money.pricing import Price
from batchd.store.reading.snapshot import snapshot
from batchd.testing.fakes import FakeService
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

from .conftest import MakeHousehold, csv_of, stops
from .test_faults import NINE, order, statuses


@pytest.mark.slow
async def test_the_same_bytes_under_many_names_are_paid_once(make_household: MakeHousehold) -> None:
    household = make_household()
    for number in range(6):
        household.drop(f"reviews/copy{number}.csv", csv_of(NINE))
    await household.work()
    household.drop("reviews/later.csv", csv_of(NINE))
    await household.work()
    assert household.service.executed.total() == 9
    first = household.outbox()["reviews/copy0.results.csv"]
    for name in [*(f"copy{number}" for number in range(6)), "later"]:
        assert household.outbox()[f"reviews/{name}.results.csv"] == first
    report = household.report("reviews/later.report.json")
    assert report["rows"]["reused"] == 9
    assert report["tokens"]["input"] == 0
    assert report["redelivered_from"]


class WritingCaches(FakeService):
    """Counts all of the input as written to a cache, some of it for an hour."""

    def answered(self, request: dict[str, Json]) -> Result:
        result = super().answered(request)
        if isinstance(result.outcome, Failure):
            return result
        kept = {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 70}
        usage = {"prompt_tokens": 100, "completion_tokens": 5, "cache_creation": kept}
        return Result(result.custom_id, Response({**result.outcome.body, "usage": usage}))


async def test_what_is_saved_is_what_was_paid_also_for_writing_to_a_cache(make_household: MakeHousehold) -> None:
    million = Decimal(1_000_000)
    price = Price(input=million, output=million, cache_write=2 * million, cache_write_1h=3 * million)
    service = WritingCaches(lambda body: Failure("refused", "No.") if "two" in str(body["messages"]) else "fine")
    household = make_household(service=service, prices={"small": price})
    household.drop("reviews/first.csv", csv_of(["one", "two"]))
    await household.work()
    service.answer = lambda body: "fine"
    household.drop("reviews/second.csv", csv_of(["one", "two"]))
    await household.work()
    row = 30 * 2 + 70 * 3 + 5
    cost = household.report("reviews/second.report.json")["cost"]
    assert (cost["actual"], cost["saved"]) == (row, row), "one row was asked, and the answer to the other was there"
    household.drop("reviews/third.csv", csv_of(["one", "two"]))
    async with household.at_rest() as daemon:
        third = max(await daemon.context.store.jobs.ids())
        [part] = await daemon.context.store.jobs.parts(third)
        assert (part.reused, part.saved) == (2, Usage(200, 0, 10, cache_writes=200, long_writes=140))


async def test_a_duplicate_of_a_cancelled_job_is_asked_about_itself(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/first.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.steps(2)
        [first] = await daemon.context.store.jobs.ids()
        household.drop("reviews/second.csv", csv_of(NINE))
        await daemon.take_in()
        await daemon.steps(2)
        await order(daemon, "cancel", first)
        await daemon.drain()
    assert set(statuses(household, "reviews/first.results.csv")) == {"skipped"}
    assert statuses(household, "reviews/second.results.csv") == ["ok"] * 9
    assert household.service.executed.total() == 9


async def test_a_job_that_was_swept_can_neither_be_retried_nor_delivered_again(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/first.csv", csv_of(NINE))
    async with household.at_rest() as daemon:
        jobs = daemon.context.store.jobs
        [first] = await jobs.ids()
        await jobs.swept([first])
        await order(daemon, "retry", first)
        await daemon.drain()
        assert (await jobs.get(first)).state == "done"
        with snapshot(daemon.context.spool.state) as state:
            assert "finished too long ago" in state.events(first)[-1].sentence
        household.drop("reviews/second.csv", csv_of(NINE))
        await daemon.work()
    assert household.service.executed.total() == 18


@pytest.mark.slow
async def test_duplicates_may_be_processed_or_rejected(make_household: MakeHousehold) -> None:
    for policy, executed in (("process", 18), ("reject", 9)):
        household = make_household(duplicates=policy)
        for name in ("first", "second"):
            household.drop(f"reviews/{name}.csv", csv_of(NINE))
            await household.work()
        assert household.service.executed.total() == executed
        if policy == "reject":
            why = (household.folders.rejected / "reviews" / "second.csv.why.txt").read_text()
            assert "reviews/first.csv" in why
            assert "reviews/first.results" in why


async def drop_and_drain(household: Household, name: str, text: str) -> None:
    household.drop(f"reviews/{name}.csv", text)
    await household.work()


def some_fail(body: Mapping[str, Any]) -> str | Failure:
    """The answer of a service that refuses every row with a 1, 4 or 7 in it."""
    text = body["messages"][-1]["content"]
    return Failure("model_not_found", "No.") if text[-1] in "147" else "fine"


@pytest.mark.field("dropped again")
@pytest.mark.parametrize("part_rows", [10_000, 2])
async def test_dropped_again_answers_come_from_before_and_failures_are_asked(
    make_household: MakeHousehold, part_rows: int
) -> None:
    household = make_household(routes=[replace(REVIEWS, part_rows=part_rows)])
    household.service.answer = some_fail
    text = csv_of([f"row {number}" for number in range(9)])
    await drop_and_drain(household, "first", text)
    assert statuses(household, "reviews/first.results.csv").count("failed") == 3
    asked = household.service.executed.total()
    household.service.answer = lambda _: "fine"
    await drop_and_drain(household, "second", text)
    assert statuses(household, "reviews/second.results.csv") == ["ok"] * 9
    assert household.service.executed.total() == asked + 3
    report = household.report("reviews/second.report.json")
    first = household.report("reviews/first.report.json")
    assert report["rows"] == {"total": 9, "ok": 9, "failed": 0, "skipped": 0, "reused": 6}
    assert report["redelivered_from"] == first["job"]
    assert report["tokens"]["input"] == 30
    await drop_and_drain(household, "third", text)
    assert statuses(household, "reviews/third.results.csv") == ["ok"] * 9
    assert household.service.executed.total() == asked + 3
    assert household.report("reviews/third.report.json")["redelivered_from"] == report["job"]


@pytest.mark.field("dropped again")
@pytest.mark.slow
async def test_a_file_that_was_refused_as_a_whole_or_its_failed_csv_is_asked_again(
    make_household: MakeHousehold,
) -> None:
    for again in ("reviews.csv", "reviews.failed.csv"):
        household = make_household()
        household.service.answer = lambda _: Failure("model_not_found", "No such model.")
        text = csv_of(NINE)
        await drop_and_drain(household, "reviews", text)
        household.service.answer = lambda _: "fine"
        content = household.outbox()["reviews/reviews.failed.csv"].decode() if "failed" in again else text
        await drop_and_drain(household, "again", content)
        assert statuses(household, "reviews/again.results.csv") == ["ok"] * 9


@pytest.mark.field("dropped again")
async def test_rows_that_a_cancel_left_out_are_asked_and_its_answers_kept(make_household: MakeHousehold) -> None:
    household = make_household(routes=[replace(REVIEWS, part_rows=3)])
    said = count()
    household.service.answer = lambda _: "fine" if next(said) < 4 else Failure("busy", "Later.", transient=True)
    household.drop("reviews/first.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        [first] = await daemon.context.store.jobs.ids()
        while (await daemon.context.store.jobs.totals(first)).ok < 4:
            await daemon.step()
        await order(daemon, "cancel", first)
        await daemon.drain()
    kept = statuses(household, "reviews/first.results.csv").count("ok")
    assert kept == 4
    household.service.answer = lambda _: "fine"
    await drop_and_drain(household, "second", csv_of(NINE))
    assert statuses(household, "reviews/second.results.csv") == ["ok"] * 9
    assert household.report("reviews/second.report.json")["rows"]["reused"] == kept
    assert max(household.service.executed.values()) == 1


@pytest.mark.field("dropped again")
async def test_copies_dropped_together_share_one_try_and_a_later_one_is_another(make_household: MakeHousehold) -> None:
    household = make_household()
    household.service.answer = some_fail
    text = csv_of([f"row {number}" for number in range(9)])
    for name in ("a", "b", "c"):
        household.drop(f"reviews/{name}.csv", text)
    await household.work()
    assert household.service.creates == 1
    for name in ("d", "e", "f"):
        household.drop(f"reviews/{name}.csv", text)
    await household.work()
    assert household.service.creates == 2
    assert len({household.outbox()[f"reviews/{name}.results.csv"] for name in "abcdef"}) == 1


@pytest.mark.field("dropped again")
@pytest.mark.slow
async def test_stopped_after_any_action_each_failure_is_asked_once_more_and_no_answer(tmp_path: Path) -> None:
    text = csv_of([f"row {number}" for number in range(9)])
    for stop in stops():
        household = Household(tmp_path / str(stop), routes=[replace(REVIEWS, part_rows=2)])
        household.service.answer = some_fail
        await drop_and_drain(household, "first", text)
        household.service.answer = lambda _: "fine"
        household.drop("reviews/second.csv", text)
        async with household.living() as daemon:
            await daemon.take_in()
            done = await daemon.steps(stop)
        await household.work()
        assert statuses(household, "reviews/second.results.csv") == ["ok"] * 9
        assert (household.service.executed.total(), household.service.creates) == (9, 2)
        if done < stop:
            return

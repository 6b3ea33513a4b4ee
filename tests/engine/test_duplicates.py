"""The same bytes again: delivered from what is there, asked anew, or rejected in words."""

from __future__ import annotations

from batchd.model import Failure
from batchd.store.reading.snapshot import snapshot

from .conftest import MakeHousehold, csv_of
from .test_faults import NINE, order, statuses


async def test_the_same_bytes_under_many_names_are_paid_once(make_household: MakeHousehold) -> None:
    household = make_household()
    for number in range(6):
        household.drop(f"reviews/copy{number}.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    household.drop("reviews/later.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    assert household.service.executed.total() == 9
    first = household.outbox()["reviews/copy0.results.csv"]
    for name in [*(f"copy{number}" for number in range(6)), "later"]:
        assert household.outbox()[f"reviews/{name}.results.csv"] == first
    report = household.report("reviews/later.report.json")
    assert report["rows"]["reused"] == 9
    assert report["tokens"]["input"] == 0
    assert report["redelivered_from"]


async def test_a_duplicate_of_a_cancelled_job_is_asked_about_itself(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/first.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(2):
            await daemon.step()
        [first] = await daemon.context.store.jobs.ids()
        household.drop("reviews/second.csv", csv_of(NINE))
        await daemon.take_in()
        for _ in range(2):
            await daemon.step()
        await order(daemon, "cancel", first)
        await daemon.drain()
    assert set(statuses(household, "reviews/first.results.csv")) == {"skipped"}
    assert statuses(household, "reviews/second.results.csv") == ["ok"] * 9
    assert household.service.executed.total() == 9


async def test_a_job_that_was_swept_can_neither_be_retried_nor_delivered_again(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/first.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
        jobs = daemon.context.store.jobs
        [first] = await jobs.ids()
        await jobs.swept([first])
        await order(daemon, "retry", first)
        await daemon.drain()
        assert (await jobs.get(first)).state == "done"
        with snapshot(daemon.context.spool.state) as state:
            assert "finished too long ago" in state.events(first)[-1].sentence
        household.drop("reviews/second.csv", csv_of(NINE))
        await daemon.take_in()
        await daemon.drain()
    assert household.service.executed.total() == 18


async def test_duplicates_may_be_processed_or_rejected(make_household: MakeHousehold) -> None:
    for policy, executed in (("process", 18), ("reject", 9)):
        household = make_household(duplicates=policy)
        for name in ("first", "second"):
            household.drop(f"reviews/{name}.csv", csv_of(NINE))
            async with household.living() as daemon:
                await daemon.take_in()
                await daemon.drain()
        assert household.service.executed.total() == executed
        if policy == "reject":
            why = (household.folders.rejected / "reviews" / "second.csv.why.txt").read_text()
            assert "reviews/first.csv" in why
            assert "reviews/first.results" in why


async def test_failures_are_delivered_again_as_they_were(make_household: MakeHousehold) -> None:
    household = make_household()
    household.service.answer = lambda _: Failure("refused", "No.")
    for name in ("first", "second"):
        household.drop(f"reviews/{name}.csv", csv_of(["one"]))
        async with household.living() as daemon:
            await daemon.take_in()
            await daemon.drain()
    assert statuses(household, "reviews/second.results.csv") == ["failed"]
    assert household.service.creates == 1

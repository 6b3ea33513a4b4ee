"""A pilot: some rows of a job are asked first, and the others once a person has seen the answers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.records import JobState
from batchd.domain.routing import Route
from batchd.engine.looks import held_look
from batchd.model import Failure
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.price_list import PriceList
from batchd.money.pricing import UNIT, Price
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

from .test_budget import order

ROUTE = replace(REVIEWS, pilot=2, params={"max_tokens": 5})
# An answer of the fake service is 5 tokens out: 5 units a row.
PRICES = {"small": Price(input=Decimal(0), output=Decimal(1_000_000))}
TEN = "review\n" + "".join(f"row {number}\n" for number in range(10))


def household(folder: Path, **more: Any) -> Household:
    """A daemon whose route has a pilot of two rows."""
    return Household(folder, **{"routes": [ROUTE], "prices": PRICES, "approve_in_folder": True, **more})


async def until_held(house: Household, text: str = TEN) -> str:
    """Drop a file and work until nothing is left; the job."""
    house.drop("reviews/may.csv", text)
    async with house.at_rest() as living:
        [job] = await living.context.store.jobs.ids()
    return job


async def test_the_first_rows_are_asked_shown_and_not_asked_again(tmp_path: Path) -> None:
    house = household(tmp_path)
    job = await until_held(house)
    assert house.service.executed.total() == 2
    table = house.outbox()["reviews/may.pilot.csv"].decode()
    assert [line.split(",")[:2] for line in table.splitlines()[1:]] == [
        ["row 0", "re: Review: row 0"],
        ["row 1", "re: Review: row 1"],
    ]
    [note] = list(house.folders.held.rglob("*.held.txt"))
    text = note.read_text()
    for words in ("2 of its 10 rows", "for 10.00 USD", "about 40.00 USD", "re: Review: row 1", "may.pilot.csv", job):
        assert words in text
    async with house.living() as living:
        assert (await living.context.store.jobs.get(job)).state is JobState.HELD
        note.rename(note.with_name(note.name.replace(".held.", ".approved.")))
        await held_look.look(living.context)
        await living.drain()
        assert (await living.context.store.jobs.get(job)).state is JobState.DONE
    assert house.service.executed.total() == 10
    assert set(house.service.executed.values()) == {1}
    assert house.report("reviews/may.report.json")["rows"]["ok"] == 10
    assert len(house.outbox()["reviews/may.results.csv"].splitlines()) == 11
    assert not list(house.folders.held.rglob("*.txt"))


async def test_a_spread_sample_is_from_all_over_the_file(tmp_path: Path) -> None:
    house = household(tmp_path, routes=[replace(ROUTE, pilot_spread=True, part_rows=4)])
    job = await until_held(house)
    table = house.outbox()["reviews/may.pilot.csv"].decode()
    assert [line.split(",")[0] for line in table.splitlines()[1:]] == ["row 2", "row 7"]
    async with house.living() as living:
        assert "the other 8 rows" in await order(living, "approve", job)
        await living.drain()
    assert set(house.service.executed.values()) == {1}
    results = house.outbox()["reviews/may.results.csv"].decode().splitlines()[1:]
    assert [line.split(",")[0] for line in results] == [f"row {number}" for number in range(10)]


async def test_a_cancelled_pilot_delivers_what_is_answered_and_asks_no_more(tmp_path: Path) -> None:
    house = household(tmp_path)
    job = await until_held(house)
    async with house.living() as living:
        await order(living, "cancel", job)
        await living.drain()
        assert (await living.context.store.jobs.get(job)).state is JobState.CANCELLED
    assert house.service.executed.total() == 2
    rows = house.report("reviews/may.report.json")["rows"]
    assert (rows["ok"], rows["skipped"]) == (2, 8)
    assert not list(house.folders.held.rglob("*.txt"))


async def test_a_file_of_no_more_rows_than_the_pilot_just_runs(tmp_path: Path) -> None:
    house = household(tmp_path)
    await until_held(house, "review\na\nb\n")
    assert house.report("reviews/may.report.json")["rows"]["ok"] == 2
    assert "reviews/may.pilot.csv" not in house.outbox()


async def test_the_budget_judges_the_pilot_first_and_then_the_rest(tmp_path: Path) -> None:
    house = household(tmp_path, budget=SpendingLimits(overall=Ceilings(per_job=11 * UNIT)))
    job = await until_held(house)
    async with house.living() as living:
        jobs = living.context.store.jobs
        assert (await jobs.get(job)).reason_code == "pilot"
        await order(living, "approve", job)
        await living.drain()
        # Seen is not paid: the others would cost 50 in all.
        assert ((held := await jobs.get(job)).state, held.reason_code) == (JobState.HELD, "per_job")
        [note] = house.folders.held.rglob("*.held.txt")
        assert "per_job allows" in note.read_text()
        await order(living, "approve", job)
        await living.drain()
        assert (await jobs.get(job)).state is JobState.DONE
    assert house.service.executed.total() == 10


async def test_an_amount_that_is_said_with_the_approval_limits_the_job(tmp_path: Path) -> None:
    house = household(tmp_path)
    job = await until_held(house)
    async with house.living() as living:
        await order(living, "approve", job, up_to="20")
        await living.drain()
        assert (await living.context.store.jobs.get(job)).reason_code == "approved_amount"
        await order(living, "approve", job, up_to="50")
        await living.drain()
    assert house.report("reviews/may.report.json")["rows"]["ok"] == 10


async def test_an_amount_for_a_job_of_unknown_price_is_not_said_to_be_too_little(tmp_path: Path) -> None:
    house = household(tmp_path, prices={})
    job = await until_held(house)
    async with house.living() as living:
        await order(living, "approve", job, up_to="5")
        await living.drain()
        held = await living.context.store.jobs.get(job)
        assert (held.state, held.reason_code) == (JobState.HELD, "price_unknown")
        assert "not known whether it is within the 5.00 USD that were approved. The price of" in (held.reason or "")
        # It goes on by itself once there is a price at which the amount is enough.
        provider = living.context.configured.providers["fake"]
        prices = PriceList({"small": Price(input=Decimal(0), output=Decimal(1))}, currency="USD")
        living.reconfigure(providers={"fake": replace(provider, prices=prices)})
        await living.work()
        assert (await living.context.store.jobs.get(job)).state is JobState.DONE
    assert house.report("reviews/may.report.json")["rows"]["ok"] == 10


async def test_rows_of_a_pilot_that_fail_are_shown_too(tmp_path: Path) -> None:
    house = household(tmp_path)
    house.service.answer = lambda body: Failure("refused", "The model declined.")
    await until_held(house)
    [note] = house.folders.held.rglob("*.held.txt")
    assert "of which 2 rows failed" in note.read_text()
    assert "The model declined." in house.outbox()["reviews/may.pilot.csv"].decode()


@pytest.mark.slow
async def test_killed_after_any_action_no_row_is_paid_twice(tmp_path: Path) -> None:
    faults = []
    for steps in (1, 2, 5):
        house = household(tmp_path / str(steps))
        house.drop("reviews/may.csv", TEN)
        async with house.living() as living:
            await living.take_in()
        for _ in range(60):
            async with house.living() as living:
                if await living.steps(steps) < steps:
                    [job] = await living.context.store.jobs.ids()
                    if (await living.context.store.jobs.get(job)).state.final:
                        break
                    await order(living, "approve", job)
        pilots = [name for name in house.outbox() if "pilot" in name]
        if set(house.service.executed.values()) != {1} or house.service.executed.total() != 10 or len(pilots) != 1:
            faults.append((steps, dict(house.service.executed), pilots))
    assert not faults


async def test_shown_twice_it_is_one_file_and_nothing_of_others_is_replaced(tmp_path: Path) -> None:
    first = household(tmp_path / "first")
    await until_held(first)
    for there, names in (
        (first.outbox()["reviews/may.pilot.csv"], ["reviews/may.pilot.csv"]),
        (b"theirs", ["reviews/may (2).pilot.csv", "reviews/may.pilot.csv"]),
    ):
        house = household(tmp_path / str(len(names)))
        (house.folders.outbox / "reviews").mkdir()
        (house.folders.outbox / "reviews/may.pilot.csv").write_bytes(there)
        await until_held(house)
        assert sorted(house.outbox()) == names
        assert house.outbox()["reviews/may.pilot.csv"] == there


@pytest.mark.slow
async def test_what_a_pilot_has_asked_is_not_asked_again_by_another_file(tmp_path: Path) -> None:
    for identical, paid in (("auto", 11), ("each", 11)):
        house = household(tmp_path / identical, routes=[replace(ROUTE, identical_rows=identical)])
        job = await until_held(house, TEN.replace("row 1\n", "row 0\n"))  # twice the same
        async with house.living() as living:
            await order(living, "cancel", job)
            await living.drain()
        house.routes = (replace(house.routes[0], pilot=0),)
        house.drop("reviews/june.csv", "review\nnew\n" + TEN.replace("row 1\n", "row 0\n").removeprefix("review\n"))
        await house.work()
        assert house.service.executed.total() == paid, identical
        assert house.report("reviews/june.report.json")["rows"]["reused"] == 2
        # For a week, and for no longer; and a third row that asks the same is asked.
        house.drop("reviews/july.csv", "review\nrow 0\nrow 0\nrow 0\n")
        await house.work()
        assert house.service.executed.total() == paid + 1
        house.clock.advance(8 * 86_400.0)
        house.drop("reviews/august.csv", "review\nrow 0\n")
        await house.work()
        assert house.service.executed.total() == paid + 2


async def test_a_provider_that_warms_caches_gets_one_row_first_and_then_the_others(tmp_path: Path) -> None:
    cached = replace(REVIEWS, params={"max_tokens": 5, "cache_control": {"type": "ephemeral", "ttl": "1h"}})

    async def batches(warms: bool, route: Route) -> list[int]:
        house = Household(tmp_path / f"{warms}{route is cached}", routes=[route], prices=PRICES)
        house.provider.warms_caches = warms  # type: ignore[union-attr]
        house.drop("reviews/may.csv", TEN)
        await house.work()
        assert house.report("reviews/may.report.json")["rows"]["ok"] == 10
        assert set(house.service.executed.values()) == {1}
        assert "JobHeld" not in [event.kind for event in house.events]
        return [len(batch.lines) for batch in house.service.batches.values()]

    assert await batches(True, cached) == [1, 9]
    assert await batches(False, cached) == [10]
    assert await batches(True, REVIEWS) == [10], "what asks for no cache needs none"


async def pilot_left(house: Household) -> str:
    """The id of a job that is done, and has left its pilot in the outbox."""
    job = await until_held(house)
    async with house.living() as living:
        await order(living, "approve", job)
        await living.drain()
    return job


async def purged(house: Household, job: str) -> list[str]:
    """The files of people that the purge names, without the folder."""
    async with house.living() as living:
        await order(living, "purge", job)
        await living.drain()
    [event] = [event for event in house.events if event.kind == "JobPurged"]
    return [str(Path(path).relative_to(house.folder)) for path in event.data()["yours"]]


async def old_in_the_outbox(house: Household, job: str) -> list[str]:
    """The names that `[retention]` would remove of the job."""
    async with house.living() as living:
        old = await living.context.store.retention.old("outbox", house.clock.now() + 1, 10)
    return [name for each in old if each.job == job for name in each.names]


@pytest.mark.field("people's data")
@pytest.mark.parametrize("name", ["reviews/may.pilot.csv", "reviews/may (2).pilot.csv"])
async def test_the_file_is_named_by_a_purge_and_by_retention(tmp_path: Path, name: str) -> None:
    house = household(tmp_path)
    if "(2)" in name:
        theirs = house.folders.outbox / "reviews/may.pilot.csv"
        theirs.parent.mkdir()
        theirs.write_text("theirs")
    job = await pilot_left(house)
    assert [each for each in await old_in_the_outbox(house, job) if "pilot" in each] == [name]
    assert [each for each in await purged(house, job) if "pilot" in each] == [f"outbox/{name}"]


@pytest.mark.field("people's data")
async def test_a_file_that_another_jobs_pilot_has_by_now_is_that_jobs(tmp_path: Path) -> None:
    house = household(tmp_path)
    first = await pilot_left(house)
    (house.folders.outbox / "reviews/may.pilot.csv").unlink()
    # Of another format, so it has the same name in the outbox.
    house.drop("reviews/may.tsv", TEN.replace("row", "line"))
    async with house.at_rest() as living:
        second = max(await living.context.store.jobs.ids())
        assert (await living.context.store.jobs.get(second)).state is JobState.HELD
    assert "reviews/may.pilot.csv" in house.outbox()
    assert [each for each in await old_in_the_outbox(house, first) if "pilot" in each] == []
    assert [each for each in await purged(house, first) if "pilot" in each] == []

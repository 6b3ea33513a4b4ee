"""A service that answers every row with something of no use: few rows are asked, and a person decides, in both lanes."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from batchd.contracts import Limits
from batchd.domain.records import Job, JobState
from batchd.engine.steps import orders
from batchd.events import JobAccepted
from batchd.live.lanes import LiveTerms
from batchd.sending.useless_answers import FIRST
from batchd.store.tables.orders import Door, StoredOrder
from batchd.testing.household import Household, Living

from ..live.conftest import LiveService, said
from .conftest import MakeHousehold, csv_of, route, stops
from .test_reuse import PRICES

pytestmark = pytest.mark.field("answers")

ROWS = [f"review {number}" for number in range(150)]
REFUSAL = "I'm sorry, but I can't assist with that request."


async def the_job(household: Household, daemon: Living) -> Job:
    [name] = {event.job for event in household.events if isinstance(event, JobAccepted)}
    return await daemon.context.store.jobs.get(name)


async def held(household: Household, daemon: Living, rows: list[str] | None = None) -> str:
    """Drop a file and work until nothing is left to do: the reason why it is held, or else its state."""
    household.drop("reviews/may.csv", csv_of(rows or ROWS))
    async with asyncio.timeout(60):
        await daemon.work()
    job = await the_job(household, daemon)
    return f"{job.reason}" if job.state is JobState.HELD else str(job.state)


async def carry_out(household: Household, daemon: Living, kind: str) -> str:
    """Give an order of a person, and work on: how the job stands then."""
    job = await the_job(household, daemon)
    await orders.obey(daemon.context, StoredOrder(1, kind, job.id, {}, at=1.0, door=Door.COMMAND_LINE, who="anna"))
    async with asyncio.timeout(60):
        await daemon.drain()
    job = await the_job(household, daemon)
    return f"{job.reason}" if job.state is JobState.HELD else str(job.state)


def batches(make: MakeHousehold, text: dict[str, str]) -> Household:
    household = make(routes=(route(part_rows=25),), limits=Limits(max_requests=50), prices=PRICES)
    household.service.answer = lambda request: text["now"]
    return household


async def test_after_the_first_batch_nothing_more_is_asked(make_household: MakeHousehold) -> None:
    household = batches(make_household, {"now": REFUSAL})
    async with household.living() as daemon:
        reason = await held(household, daemon)
        assert "25 answers that fake (small) has given so far are of no use: each is a refusal" in reason
        assert REFUSAL in reason
        assert "batchd retry" in reason
        assert "batchd approve" in reason
        asked = household.service.executed.total()
        assert asked == 25, "the first part, which goes ahead"
        [note] = (household.folder / "held").rglob("*.txt")
        assert REFUSAL in note.read_text()
        assert "Once the cause is fixed, ask the operator for: batchd retry" in note.read_text()
        assert "Nothing was sent" not in note.read_text()
    assert not [name for name in household.outbox() if "results" in name]


async def test_approve_keeps_what_came_and_asks_the_others(make_household: MakeHousehold) -> None:
    household = batches(make_household, {"now": REFUSAL})
    async with household.living() as daemon:
        await held(household, daemon)
        assert await carry_out(household, daemon, "approve") == "done"
    text = household.outbox()["reviews/may.results.csv"].decode()
    assert text.count(REFUSAL) == 150
    assert household.service.executed.total() == 150


async def test_retry_asks_all_rows_again_once_the_service_is_fixed(make_household: MakeHousehold) -> None:
    text = {"now": REFUSAL}
    household = batches(make_household, text)
    async with household.living() as daemon:
        await held(household, daemon)
        text["now"] = "good"
        assert await carry_out(household, daemon, "retry") == "done"
    table = household.outbox()["reviews/may.results.csv"].decode()
    assert (table.count("good"), table.count("sorry")) == (150, 0)
    assert household.service.executed.total() == 175
    report = household.report("reviews/may.report.json")
    assert report["rows"]["ok"] == 150
    # 10 tokens in, 5 out, for each of 175 answers.
    assert (report["tokens"]["input"], report["tokens"]["wasted_input"], report["tokens"]["wasted_output"]) == (
        1_750,
        250,
        125,
    )
    assert (report["cost"]["actual"], report["cost"]["wasted"]) == (2_625.0, 375.0)


@pytest.mark.slow
async def test_stopped_after_any_action_it_is_held_and_asked_again_once(make_household: MakeHousehold) -> None:
    for stop in stops():
        text = {"now": REFUSAL}
        household = batches(make_household, text)
        household.drop("reviews/may.csv", csv_of(ROWS[:75]))
        async with household.living() as daemon:
            await daemon.take_in()
            done = await daemon.steps(stop)
        async with household.living() as daemon:
            await daemon.drain()
            job = await the_job(household, daemon)
            assert (job.state, household.service.executed.total()) == (JobState.HELD, 25), stop
            text["now"] = "good"
            assert await carry_out(household, daemon, "retry") == "done"
        assert household.service.executed.total() == 100
        report = household.report("reviews/may.report.json")
        assert (report["rows"]["ok"], report["tokens"]["input"], report["tokens"]["wasted_input"]) == (75, 1_000, 250)
        if done < stop:
            return


async def test_equal_answers_hold_nothing(make_household: MakeHousehold) -> None:
    household = batches(make_household, {"now": "yes"})
    async with household.living() as daemon:
        assert await held(household, daemon) == "done"


@pytest.mark.parametrize(
    "text", [REFUSAL, "", '{"error": {"message": "no such model"}}'], ids=["refusal", "empty", "error"]
)
async def test_live_calls_stop_after_a_few(make_household: MakeHousehold, text: str) -> None:
    service = LiveService(lambda row, before: said(text))
    household = make_household(provider=service, live=LiveTerms(), routes=(route(part_rows=100),))
    async with household.living() as daemon:
        reason = await held(household, daemon)
        assert "are of no use" in reason, reason
        # A batch for each part is under way when the first of them is collected.
        assert len(service.asked) <= 2 * FIRST
        assert set(Counter(service.asked).values()) == {1}
        service.behave = lambda row, before: said("good")
        assert await carry_out(household, daemon, "retry") == "done"
    assert household.outbox()["reviews/may.results.csv"].decode().count("good") == 150


async def test_live_calls_go_on_once_a_person_has_said_so(make_household: MakeHousehold) -> None:
    service = LiveService(lambda row, before: said(REFUSAL))
    household = make_household(provider=service, live=LiveTerms(), routes=(route(part_rows=150),))
    async with household.living() as daemon:
        assert "are of no use" in await held(household, daemon)
        assert len(service.asked) == FIRST
        assert await carry_out(household, daemon, "approve") == "done"
    assert household.outbox()["reviews/may.results.csv"].decode().count(REFUSAL) == 150
    assert len(service.asked) == 150


async def test_one_useful_answer_is_enough(make_household: MakeHousehold) -> None:
    service = LiveService(lambda row, before: said("good" if row == ROWS[3] else REFUSAL))
    household = make_household(provider=service, live=LiveTerms(), routes=(route(part_rows=150),))
    async with household.living() as daemon:
        assert await held(household, daemon) == "done"
    assert len(service.asked) == 150

"""`finish_within`: a batch that would be late is ended, what it has answered is used, and the rest is asked by calls."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from batchd.domain.lifecycle import Action, Hasten, Pack
from batchd.engine.steps import orders
from batchd.live.lanes import LiveTerms
from batchd.model import BatchPhase
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.store.tables.orders import StoredOrder
from batchd.testing.household import Household, Living

from ..engine.conftest import MakeHousehold, csv_of, route, stops
from .slow_batches import SlowBatches

NINE = [f"review {number}" for number in range(9)]
HOUR = 3_600.0
# An answer is 10 tokens in and 5 out: 5 units a row by live calls, and half of that in a batch.
PRICES = {"small": Price(input=Decimal(0), output=Decimal(1_000_000), batch_discount=Decimal("0.5"))}
ROW = 5 * UNIT


class Dropped(BaseException):
    """The process is gone, in the middle of something."""


def house(make: MakeHousehold, service: SlowBatches, *, budget: int | None = None, **more: Any) -> Household:
    """A daemon whose provider has batches and live calls; a job has an hour. `budget` is in rows by live calls."""
    limits = SpendingLimits(overall=Ceilings(per_job=None if budget is None else budget * ROW))
    changes = {"finish_within": HOUR, "params": {"max_tokens": 5}} | more.pop("route", {})
    more.setdefault("poll", 200.0)
    return make(
        provider=service,
        live=LiveTerms(),
        batches_first=True,
        prices=PRICES,
        budget=limits,
        routes=(route(**changes),),
        **more,
    )


async def until(daemon: Living, done: Callable[[], bool]) -> list[Action]:
    """Work until it is so."""
    actions: list[Action] = []
    async with asyncio.timeout(120):
        while not done():
            action = await daemon.step()
            actions += [] if action is None else [action]
            await asyncio.sleep(0)
    return actions


async def ask(household: Household, reviews: list[str] | None = None) -> dict[str, Any]:
    """Drop a file, and work until its report is there."""
    household.drop("reviews/may.csv", csv_of(NINE if reviews is None else reviews))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: "reviews/may.report.json" in household.outbox())
    return household.report("reviews/may.report.json")


def kinds(household: Household) -> list[str]:
    return [event.kind for event in household.events]


def answers(household: Household) -> list[str]:
    rows = csv.DictReader(io.StringIO(household.outbox()["reviews/may.results.csv"].decode()))
    return [row["answer"] for row in rows]


async def test_what_a_late_batch_has_answered_is_used_and_the_rest_is_asked_by_calls(
    make_household: MakeHousehold,
) -> None:
    service = SlowBatches(answers=4, late_answers=1)
    household = house(make_household, service)
    begun = household.clock.now()
    report = await ask(household)
    assert answers(household) == [f"answer to {review}" for review in NINE]
    assert service.executed == Counter(dict.fromkeys(NINE, 1)), "each row is answered, and paid, once"
    assert service.in_two_places == []
    assert sorted(service.asked) == NINE[6:], "six were answered in the batch, two of them while it was being stopped"
    assert HOUR - 700 <= household.clock.now() - begun <= HOUR, "as late as possible, and in time"
    assert report["cost"]["actual"] == 6 * 2.5 + 3 * 5.0
    assert {batch["lane"] for batch in report["batches"]} == {"batch", "live"}
    assert kinds(household).count("JobLate") == 1


async def test_a_batch_that_ends_in_time_is_left_alone(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=9)
    report = await ask(house(make_household, service))
    assert {batch["lane"] for batch in report["batches"]} == {"batch"}
    assert service.asked == []


async def test_without_a_deadline_a_batch_may_take_its_time(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=4)
    household = house(make_household, service, route={"finish_within": None})
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 5 * HOUR)
    assert "JobLate" not in kinds(household)
    assert service.asked == []


async def test_the_attempt_that_was_cut_does_not_count(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=2)
    household = house(make_household, service, route={"attempts": 1})
    report = await ask(household)
    assert report["rows"]["ok"] == 9


@pytest.mark.slow
async def test_what_was_not_sent_yet_is_not_sent_in_a_batch(make_household: MakeHousehold) -> None:
    service = SlowBatches()

    def down(name: str) -> None:
        if name == "upload: before":
            raise ConnectionResetError("cut")

    service.service.step = down
    household = house(make_household, service)
    report = await ask(household)
    assert report["rows"]["ok"] == 9
    assert service.batches == {}
    assert service.executed == Counter(dict.fromkeys(NINE, 1))


async def test_a_create_of_unknown_outcome_is_found_out_before_a_row_is_asked_by_calls(
    make_household: MakeHousehold,
) -> None:
    service = SlowBatches(answers=3)

    def cut(name: str) -> None:
        if name == "create: after":
            household.clock.advance(2 * HOUR)  # the deadline passes while nobody knows whether the batch is there
            raise ConnectionResetError("cut")

    service.service.step = cut
    household = house(make_household, service)
    report = await ask(household)
    assert report["rows"]["ok"] == 9
    assert len(service.batches) == 1
    assert service.in_two_places == []
    assert service.executed == Counter(dict.fromkeys(NINE, 1))


@pytest.mark.slow
async def test_no_row_is_asked_by_calls_while_a_service_does_not_stop_its_batch(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=3)
    service.deaf = True
    household = house(make_household, service)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 10 * HOUR)
        assert service.asked == []
        service.deaf = False
        await until(daemon, lambda: "reviews/may.report.json" in household.outbox())
    assert service.in_two_places == []
    assert service.executed == Counter(dict.fromkeys(NINE, 1))


@pytest.mark.slow
async def test_without_room_in_the_budget_the_batch_runs_on_and_status_says_so(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=2)
    household = house(make_household, service, budget=7)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 2 * HOUR)
        said = {str(subject): text for subject, text in (await daemon.context.store.event_log.conditions()).items()}
        assert "What is under way goes on" in said["deadline of job 00000001"]
        assert [batch.phase for batch in service.batches.values()] == [BatchPhase.IN_PROGRESS]
        service._answer(service.batches["batch-1"], 9)  # noqa: SLF001  # the batch goes on
        await until(daemon, lambda: "reviews/may.report.json" in household.outbox())
        await daemon.engine.look()
        assert await daemon.context.store.event_log.conditions() == {}
    assert service.asked == []
    assert household.report("reviews/may.report.json")["cost"]["actual"] == 9 * 2.5


@pytest.mark.slow
async def test_once_the_budget_has_room_it_is_asked_by_calls(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=2)
    household = house(make_household, service, budget=7)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 2 * HOUR)
        daemon.reconfigure(budget=SpendingLimits())
        await until(daemon, lambda: "reviews/may.report.json" in household.outbox())
        assert await daemon.context.store.event_log.conditions() == {}
    assert sorted(service.asked) == NINE[2:]


async def test_the_rows_that_the_batch_has_answered_need_no_room_at_live_prices(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=6)
    # Six rows by batch and three by calls are as much as six rows by calls.
    household = house(make_household, service, budget=6)
    report = await ask(household)
    assert sorted(service.asked) == NINE[6:]
    assert report["cost"]["actual"] == 6 * 2.5 + 3 * 5.0


async def test_a_reload_that_takes_the_deadline_away_lets_the_batch_run_on(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=2)
    household = house(make_household, service)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: bool(service.batches))
        daemon.reconfigure(routes=(route(params={"max_tokens": 5}),))
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 3 * HOUR)
        assert [batch.phase for batch in service.batches.values()] == [BatchPhase.IN_PROGRESS]
    assert "JobLate" not in kinds(household)


async def test_after_a_night_without_a_daemon_a_poll_comes_before_the_switch(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=2)
    household = house(make_household, service)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 600)
    household.clock.advance(8 * HOUR)
    service._answer(service.batches["batch-1"], 9)  # noqa: SLF001  # it was answered meanwhile
    await finish(household)
    assert "JobLate" not in kinds(household)
    assert service.asked == []


async def test_a_batch_that_is_finalizing_is_not_stopped(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=2)
    household = house(make_household, service)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: bool(service.batches))
        service.batches["batch-1"].phase = BatchPhase.FINALIZING
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 2 * HOUR)
        assert service.batches["batch-1"].phase is BatchPhase.FINALIZING
        service._answer(service.batches["batch-1"], 9)  # noqa: SLF001  # its files are there
        await until(daemon, lambda: "reviews/may.report.json" in household.outbox())
    assert service.asked == []


async def test_jobs_with_and_without_a_deadline_share_no_batch(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=9)
    household = house(make_household, service)
    household.routes = (*household.routes, route(name="others", match=("others/**",), params={"max_tokens": 5}))
    household.drop("reviews/may.csv", csv_of(NINE[:2]))
    household.drop("others/may.csv", csv_of(NINE[2:4]))
    async with household.living() as daemon:
        await daemon.take_in()
        done = await until(daemon, lambda: len(household.outbox()) == 4)
    packs = [action for action in done if isinstance(action, Pack)]
    assert [len({part.job for part in batch}) for action in packs for batch in action.batches] == [1, 1]


@pytest.mark.slow
async def test_a_job_that_shares_a_batch_with_a_late_one_goes_on_in_another_batch(
    make_household: MakeHousehold,
) -> None:
    service = SlowBatches(answers=1)
    household = house(make_household, service, route={"attempts": 1})
    household.drop("reviews/may.csv", csv_of(NINE[:3]))
    household.drop("reviews/june.csv", csv_of(NINE[3:6]))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: len([name for name in household.outbox() if "report" in name]) == 2)
    assert service.in_two_places == []
    assert service.executed == Counter(dict.fromkeys(NINE[:6], 1))


async def test_a_pack_that_was_decided_before_the_job_was_late_makes_no_batch(make_household: MakeHousehold) -> None:
    service = SlowBatches()
    household = house(make_household, service)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        while True:
            outlook = await daemon.engine.look()
            packs = [due for due in outlook.due if isinstance(due.action, Pack)]
            if packs:
                break
            await daemon.engine.perform(outlook.due[0])
        household.clock.advance(HOUR)
        [late] = [due for due in (await daemon.engine.look()).due if isinstance(due.action, Hasten)]
        await daemon.engine.perform(late)
        await daemon.engine.perform(packs[0])
        assert await daemon.batches() == []
        await until(daemon, lambda: "reviews/may.report.json" in household.outbox())
    assert service.batches == {}


async def test_a_cancelled_job_is_not_asked_by_calls(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=2)
    household = house(make_household, service)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: "JobLate" in kinds(household))
        await orders.obey(daemon.context, StoredOrder(1, "cancel", "00000001", {}, 0.0))
        await until(daemon, lambda: "reviews/may.report.json" in household.outbox())
    assert household.report("reviews/may.report.json")["rows"]["skipped"] == 7
    assert service.asked == []


async def disturbed(household: Household, service: SlowBatches, *, steps: int) -> bool:
    """Stop the daemon so many steps after the switch, and start another one. False if it was done before."""
    done = 0
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: "JobLate" in kinds(household))
        while done < steps and "reviews/may.report.json" not in household.outbox():
            await daemon.step()
            done += 1
    ended = "reviews/may.report.json" in household.outbox()
    await finish(household)
    assert_once(household, service, f"stopped after {steps} steps")
    return not ended


async def finish(household: Household) -> None:
    """A new daemon on the same folders works until the report is there."""
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: "reviews/may.report.json" in household.outbox())


def assert_once(household: Household, service: SlowBatches, when: str) -> None:
    """Each row was answered and paid once, and never asked in two places."""
    assert service.in_two_places == [], when
    assert answers(household) == [f"answer to {review}" for review in NINE], when
    assert service.executed == Counter(dict.fromkeys(NINE, 1)), when
    assert kinds(household).count("JobLate") == 1, when


def one_part(make: MakeHousehold) -> tuple[Household, SlowBatches]:
    """A job of one part, half of which its batch answers."""
    service = SlowBatches(answers=4, late_answers=1)
    household = house(make, service, route={"part_rows": 9})
    household.drop("reviews/may.csv", csv_of(NINE))
    return household, service


@pytest.mark.slow
async def test_stopped_after_any_step_of_the_switch_no_row_is_lost_or_paid_twice(make_household: MakeHousehold) -> None:
    for steps in stops():
        household, service = one_part(make_household)
        if not await disturbed(household, service, steps=steps):
            break
    assert steps > 12


@pytest.mark.slow
async def test_stopped_in_any_call_to_the_provider_no_row_is_lost_or_paid_twice(make_household: MakeHousehold) -> None:
    for moment in stops():
        household, service = one_part(make_household)
        calls = itertools.count()

        def step(name: str, calls: itertools.count[int] = calls, moment: int = moment) -> None:
            if next(calls) == moment:
                raise Dropped(name)

        service.service.step = step
        dropped = False
        async with household.living() as daemon:
            await daemon.take_in()
            try:
                await until(daemon, lambda household=household: "reviews/may.report.json" in household.outbox())  # type: ignore[misc]
            except Dropped:
                dropped = True
        await finish(household)
        assert_once(household, service, f"dropped at call {moment}")
        if not dropped:
            assert moment > 10
            return

"""`fallback`: what would be late, or what a provider that is down does not hold, is asked at another provider."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from batchd import RejectedError, TooManyCalls, TransientError
from batchd.contracts import Limits
from batchd.domain.states import PartState
from batchd.domain.subjects import Subject
from batchd.live.lanes import LiveTerms
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.testing.household import Household, Living
from batchd.values import replace

from ..engine.conftest import MakeHousehold, csv_of, route, stops
from .conftest import LiveService, said
from .slow_batches import SlowBatches

NINE = [f"review {number}" for number in range(9)]
HOUR = 3_600.0
# An answer is 10 tokens in and 5 out: 5 units a row by live calls, half of that in a batch, and 10 of the other model.
PRICES = {
    "small": Price(input=Decimal(0), output=Decimal(1_000_000), batch_discount=Decimal("0.5")),
    "other": Price(input=Decimal(0), output=Decimal(2_000_000)),
}
ROW = 5 * UNIT


class Backup(LiveService):
    """Another company, which keeps the models that it was asked for."""

    def __init__(self) -> None:
        super().__init__(self._note)
        self.primary: SlowBatches | None = None
        self.models: set[str] = set()

    def _note(self, text: str, before: int) -> Any:
        assert self.primary is not None
        if self.primary._is_held(text):  # noqa: SLF001  # the rig watches itself
            self.primary.in_two_places.append(text)
        self.primary.executed[text] += 1
        return said(f"answer to {text}")

    async def answer(self, call: Any) -> Any:
        self.models.add(json.loads(call.body)["model"])
        return await super().answer(call)


def house(
    make: MakeHousehold, service: SlowBatches, *, budget: int | None = None, live: bool = False, **changes: Any
) -> tuple[Household, Backup]:
    """A daemon with a provider of batches and live calls, and another company. `budget` is in rows by live calls."""
    backup = Backup()
    backup.primary = service
    settings = {"fallback": "backup", "params": {"max_tokens": 5}} | changes
    limits = SpendingLimits(overall=Ceilings(per_job=None if budget is None else budget * ROW))
    household = make(
        provider=service,
        live=LiveTerms(),
        batches_first=not live,
        backup=backup,
        prices=PRICES,
        budget=limits,
        poll=200.0,
        routes=(route(**settings),),
    )
    return household, backup


def house_of_nine(make: MakeHousehold, **options: Any) -> tuple[SlowBatches, Household, Backup]:
    """A provider that takes no upload, its house, and the other company. A file of nine rows lies in the inbox."""
    service = SlowBatches(answers=9)
    down(service, "upload: before")
    household, backup = house(make, service, **options)
    household.drop("reviews/may.csv", csv_of(NINE))
    return service, household, backup


async def until(daemon: Living, done: Callable[[], bool]) -> None:
    """Work until it is so."""
    async with asyncio.timeout(120):
        while not done():
            await daemon.step()
            await asyncio.sleep(0)


def is_done(household: Household, name: str = "may") -> bool:
    return f"reviews/{name}.report.json" in household.outbox()


async def ask(household: Household) -> dict[str, Any]:
    """Drop a file, and work until its report is there."""
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: is_done(household))
    return household.report("reviews/may.report.json")


def kinds(household: Household) -> list[str]:
    return [event.kind for event in household.events]


def answers(household: Household) -> list[str]:
    rows = csv.DictReader(io.StringIO(household.outbox()["reviews/may.results.csv"].decode()))
    return [row["answer"] for row in rows]


def down(service: SlowBatches, *names: str) -> None:
    """These calls to the service break off from now on."""

    def step(name: str) -> None:
        if name in names:
            raise TransientError("The service is down.")

    service.service.step = step


# --- what would be late --------------------------------------------------------------------------------------------


async def test_what_would_be_late_is_asked_at_the_fallback_at_its_prices(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=4, late_answers=1)
    household, backup = house(make_household, service, finish_within=HOUR, fallback_model="other")
    report = await ask(household)
    assert answers(household) == [f"answer to {review}" for review in NINE]
    assert service.executed == Counter(dict.fromkeys(NINE, 1))
    assert service.in_two_places == []
    assert (service.asked, sorted(backup.asked)) == ([], NINE[6:])
    assert backup.models == {"other"}, "the requests are written anew for the other model"
    assert report["cost"]["actual"] == 6 * 2.5 + 3 * 10.0
    assert sorted(report["answered_by"], key=lambda each: -each["answers"]) == [
        {"provider": "fake", "model": "small", "lane": "batch", "answers": 6, "cost": 15.0},
        {"provider": "backup", "model": "other", "lane": "live", "answers": 3, "cost": 30.0},
    ]
    [late] = [event for event in household.events if event.kind == "JobLate"]
    assert "live calls of backup (other)" in late.sentence


@pytest.mark.slow
async def test_the_same_file_dropped_again_is_not_asked_again(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=4)
    household, backup = house(make_household, service, finish_within=HOUR, fallback_model="other")
    await ask(household)
    before = len(backup.asked)
    household.drop("reviews/again.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: is_done(household, "again"))
    assert household.report("reviews/again.report.json")["cost"]["actual"] == 0
    assert (len(backup.asked), len(service.batches)) == (before, 1)


@pytest.mark.slow
async def test_the_budget_counts_the_prices_of_the_fallback(make_household: MakeHousehold) -> None:
    # Six rows by batch and three by calls of the other model are as much as nine calls.
    service = SlowBatches(answers=6)
    household, backup = house(make_household, service, budget=8, finish_within=HOUR, fallback_model="other")
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 2 * HOUR)
        assert backup.asked == []
        daemon.reconfigure(budget=SpendingLimits(overall=Ceilings(per_job=9 * ROW)))
        await until(daemon, lambda: is_done(household))
    assert sorted(backup.asked) == NINE[6:]


@pytest.mark.slow
async def test_live_calls_that_would_be_late_are_made_at_the_fallback(make_household: MakeHousehold) -> None:
    """A provider that has only live calls, and few of them: nobody waits for it longer than the deadline allows."""

    def behave(text: str, before: int) -> Any:
        return said(f"answer to {text}") if text in NINE[:3] else TooManyCalls("too many", retry_after=0.05)

    service = SlowBatches(behave=behave)
    household, backup = house(make_household, service, live=True, finish_within=900.0, fallback_model="other")
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: len(set(service.asked)) > 3)
        household.clock.advance(500.0)
        await until(daemon, lambda: is_done(household))
    report = household.report("reviews/may.report.json")
    assert answers(household) == [f"answer to {review}" for review in NINE]
    assert (sorted(backup.asked), backup.models) == (NINE[3:], {"other"})
    assert report["cost"]["actual"] == 3 * 5.0 + 6 * 10.0
    assert kinds(household).count("JobLate") == 1


async def test_a_batch_that_was_never_created_leaves_rows_for_the_fallback(make_household: MakeHousehold) -> None:
    """A create of unknown outcome at the switch: its rows come back later, with requests for the provider of before."""
    service = SlowBatches()

    def cut(name: str) -> None:
        if name == "create: before":
            household.clock.advance(2 * HOUR)
            raise ConnectionResetError("cut")

    service.service.step = cut
    household, backup = house(make_household, service, finish_within=HOUR, fallback_model="other")
    report = await ask(household)
    assert report["rows"]["ok"] == 9
    assert service.batches == {}
    assert (sorted(backup.asked), backup.models) == (NINE, {"other"})


# --- a provider that is down ---------------------------------------------------------------------------------------


async def test_what_a_provider_that_is_down_does_not_hold_goes_to_the_fallback(make_household: MakeHousehold) -> None:
    service = SlowBatches()
    down(service, "upload: before")
    household, backup = house(make_household, service, fallback_after=1_800.0, fallback_model="other")
    begun = household.clock.now()
    report = await ask(household)
    assert report["rows"]["ok"] == 9
    assert 1_800 <= household.clock.now() - begun <= 1_800 + 400
    assert (sorted(backup.asked), backup.models) == (NINE, {"other"})
    assert report["cost"]["actual"] == 9 * 10.0
    [moved] = [event for event in household.events if event.kind == "JobMoved"]
    assert (moved.provider, moved.to) == ("fake", "backup")  # type: ignore[attr-defined]


async def test_a_refused_account_counts_as_well(make_household: MakeHousehold) -> None:
    service = SlowBatches()

    def step(name: str) -> None:
        if name == "upload: before":
            raise RejectedError("The key is not accepted.")

    service.service.step = step
    household, backup = house(make_household, service, fallback_after=600.0)
    await ask(household)
    assert sorted(backup.asked) == NINE


async def test_what_a_batch_holds_stays_there(make_household: MakeHousehold) -> None:
    service = SlowBatches()
    household, backup = house(make_household, service, fallback_after=600.0)
    household.limits = Limits(max_requests=3)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: len(service.batches) == 1)
        held = service.batches["batch-1"].texts
        down(service, "upload: before", "create: before", "poll")
        rest = sorted(set(NINE) - set(held))
        await until(daemon, lambda: sorted(backup.asked) == rest)
        down(service)
        service._answer(service.batches["batch-1"], 9)  # noqa: SLF001  # the batch goes on
        await until(daemon, lambda: is_done(household))
    assert service.executed == Counter(dict.fromkeys(NINE, 1))
    assert service.in_two_places == []
    report = household.report("reviews/may.report.json")
    assert {(each["provider"], each["lane"], each["answers"]) for each in report["answered_by"]} == {
        ("fake", "batch", 3),
        ("backup", "live", 6),
    }
    assert report["cost"]["actual"] == 3 * 2.5 + 6 * 5.0


async def test_what_a_create_of_unknown_outcome_may_hold_stays_there(make_household: MakeHousehold) -> None:
    service = SlowBatches(answers=9)
    down(service, "create: after", "find")
    household, backup = house(make_household, service, fallback_after=600.0)

    async def find(submission: Any) -> Any:
        raise TransientError("The service is down.")

    service.find = find  # type: ignore[method-assign]
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 2 * HOUR)
        assert backup.asked == []
    del service.find  # type: ignore[method-assign]
    down(service)
    async with household.living() as daemon:
        await until(daemon, lambda: is_done(household))
    assert backup.asked == []
    assert service.executed == Counter(dict.fromkeys(NINE, 1))


@pytest.mark.slow
async def test_live_calls_that_are_not_answered_go_to_the_fallback(make_household: MakeHousehold) -> None:
    def behave(text: str, before: int) -> Any:
        return said(f"answer to {text}") if text in NINE[:3] else TransientError("down", answered=True)

    service = SlowBatches(behave=behave)
    service.gate = lambda: asyncio.sleep(0.001)
    household, backup = house(make_household, service, live=True, fallback_after=60.0, attempts=1)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(60), household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: is_done(household))
    assert answers(household) == [f"answer to {review}" for review in NINE]
    assert sorted(backup.asked) == NINE[3:]


async def test_a_short_outage_is_waited_for(make_household: MakeHousehold) -> None:
    service, household, backup = house_of_nine(make_household, fallback_after=1_800.0)
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 1_000)
        down(service)
        await until(daemon, lambda: is_done(household))
    assert backup.asked == []
    assert "JobMoved" not in kinds(household)


@pytest.mark.slow
async def test_a_provider_that_works_again_is_asked_first(make_household: MakeHousehold) -> None:
    service, household, backup = house_of_nine(make_household, fallback_after=600.0)
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: is_done(household))
        down(service)
        household.clock.advance(HOUR)
        household.drop("reviews/june.csv", csv_of(["june one", "june two"]))
        await daemon.take_in()
        await until(daemon, lambda: is_done(household, "june"))
    assert sorted(backup.asked) == NINE


async def test_while_a_provider_is_out_status_says_so_and_what_comes_moves_soon(make_household: MakeHousehold) -> None:
    """Also while nothing waits for it, since all has moved."""
    _, household, backup = house_of_nine(make_household, fallback_after=600.0)
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: is_done(household))
        await daemon.engine.look()
        assert Subject.provider("fake") in await daemon.context.store.event_log.conditions()
        began = household.clock.steady()
        household.drop("reviews/june.csv", csv_of(["june one"]))
        await daemon.take_in()
        await until(daemon, lambda: is_done(household, "june"))
        assert household.clock.steady() < began + 400
    assert sorted(backup.asked) == ["june one", *NINE]


async def test_without_room_in_the_budget_the_job_waits_and_status_says_so(make_household: MakeHousehold) -> None:
    service, household, backup = house_of_nine(make_household, budget=9, fallback_after=600.0, fallback_model="other")
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + HOUR)
        told = {str(subject): text for subject, text in (await daemon.context.store.event_log.conditions()).items()}
        assert "is not asked at backup" in told["fallback of job 00000001"]
        down(service)
        await until(daemon, lambda: is_done(household))
        await daemon.engine.look()
        assert await daemon.context.store.event_log.conditions() == {}
    assert backup.asked == []


async def test_a_reload_that_takes_the_fallback_away_keeps_rows_in_the_house(make_household: MakeHousehold) -> None:
    service, household, backup = house_of_nine(make_household, fallback_after=600.0)
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 300)
        daemon.reconfigure(routes=(route(params={"max_tokens": 5}),))
        await until(daemon, lambda: household.clock.elapsed > 1_000 + HOUR)
        down(service)
        await until(daemon, lambda: is_done(household))
    assert backup.asked == []


async def test_a_plan_that_was_under_way_at_the_move_is_made_anew(make_household: MakeHousehold) -> None:
    service = SlowBatches()
    down(service, "upload: before")
    household, backup = house(make_household, service, fallback_after=600.0, fallback_model="other")
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        jobs = daemon.context.store.jobs
        await until(daemon, lambda: household.clock.elapsed > 1_000 + 300)
        before = await jobs.get("00000001")
        await until(daemon, lambda: "JobMoved" in kinds(household))
        [part, *_] = await jobs.parts("00000001")
        assert part.state == "unplanned"
        stale = replace(part, state=PartState.PLANNED)
        await daemon.context.store.money.planned(before, part, stale, currency="USD", find_refusal=None)
        assert (await jobs.part("00000001", 0)).state == "unplanned"
        await until(daemon, lambda: is_done(household))
    assert backup.models == {"other"}


@pytest.mark.slow
@pytest.mark.parametrize(("event", "when"), [("JobLate", "finish_within"), ("JobMoved", "fallback_after")])
async def test_stopped_after_any_step_of_the_move_no_row_is_lost_or_paid_twice(
    make_household: MakeHousehold, event: str, when: str
) -> None:
    for steps in stops():
        service = SlowBatches(answers=1, late_answers=1)
        household, backup = house(make_household, service, fallback_model="other", part_rows=9, **{when: HOUR})
        if event == "JobMoved":
            down(service, "upload: before")
        household.drop("reviews/may.csv", csv_of(NINE))
        done = 0
        async with household.living() as daemon:
            await daemon.take_in()
            await until(daemon, lambda household=household: event in kinds(household))  # type: ignore[misc]
            while done < steps and not is_done(household):
                await daemon.step()
                done += 1
        ended = is_done(household)
        async with household.living() as daemon:
            await daemon.take_in()
            await until(daemon, lambda household=household: is_done(household))  # type: ignore[misc]
        told = f"stopped after {steps} steps"
        assert service.in_two_places == [], told
        assert service.executed == Counter(dict.fromkeys(NINE, 1)), told
        assert answers(household) == [f"answer to {review}" for review in NINE], told
        assert backup.models == {"other"}, told
        assert kinds(household).count(event) == 1, told
        if ended:
            assert steps > 8
            return

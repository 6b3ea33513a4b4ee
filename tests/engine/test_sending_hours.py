"""A route that sends in some hours only: nothing new goes out outside of them, in both lanes, but for a deadline."""

from __future__ import annotations

import asyncio
from typing import Any

from batchd.domain.send_hours import SendHours
from batchd.domain.subjects import Subject, SubjectKind
from batchd.live.lanes import LiveTerms
from batchd.status.job_words import waits_for
from batchd.store.reading.snapshot import snapshot
from batchd.testing.household import Household, Living

from ..live.conftest import LiveService, said
from .conftest import MakeHousehold, csv_of, route

NINE = [f"review {number}" for number in range(9)]
HOUR = 3_600.0
# The clock begins on 2027-01-15 at 08:00 UTC.
AT_NIGHT = SendHours.read(["22:00-24:00"])
NOW = SendHours.read(["07:00-09:00"])
HOURS = Subject(SubjectKind.HOURS, "reviews")


async def rest(daemon: Living) -> None:
    """All that can be done now; a time that is to come is not waited for."""
    async with asyncio.timeout(30):
        for _ in range(400):
            outlook = await daemon.engine.look()
            if not outlook.due:
                return
            for due in outlook.due:
                await daemon.engine.perform(due)


def house(make: MakeHousehold, hours: SendHours, **more: Any) -> Household:
    within = more.pop("finish_within", None)
    return make(routes=(route(send_between=hours, finish_within=within),), **more)


async def conditions(daemon: Living) -> dict[Subject, str]:
    return dict(await daemon.context.store.event_log.conditions())


async def test_batches_wait_for_the_hours_and_it_is_said(make_household: MakeHousehold) -> None:
    household = house(make_household, AT_NIGHT)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await rest(daemon)
        assert household.service.creates == 0
        text = (await conditions(daemon))[HOURS]
        assert "22:00-24:00" in text
        assert "until 2027-01-15 22:00 UTC" in text
        with snapshot(household.folder / "state") as look:
            [job] = look.unfinished()
            assert waits_for(job, set(await conditions(daemon)), awake=True) == (
                "the hours in which the route reviews sends"
            )
        outlook = await daemon.engine.look()
        assert (outlook.again_at, await daemon.engine.has_work(outlook)) == (None, False), "batchd once need not wait"
        assert outlook.hours_at == household.clock.steady() + 22 * HOUR - household.clock.now() % (24 * HOUR)
        household.clock.advance(14 * HOUR)
        await daemon.drain()
        assert household.service.creates == 1
        assert HOURS not in await conditions(daemon)
    assert "reviews/may.results.csv" in household.outbox()


async def test_hours_that_are_taken_out_of_the_configuration_keep_nothing_waiting(
    make_household: MakeHousehold,
) -> None:
    household = house(make_household, AT_NIGHT)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await rest(daemon)
        assert HOURS in await conditions(daemon)
    household.routes = (route(),)
    async with household.living() as daemon:
        await daemon.drain()
        assert HOURS not in await conditions(daemon)
    assert "reviews/may.results.csv" in household.outbox()


async def test_a_batch_that_was_made_when_the_hours_ended_goes_back(make_household: MakeHousehold) -> None:
    for stage in ("BatchPacked", "BatchUploaded"):
        household = house(make_household, NOW)
        household.drop("reviews/may.csv", csv_of(NINE))
        async with household.living() as daemon:
            await daemon.take_in()
            for _ in range(300):
                if any(event.kind == stage for event in household.events):
                    break
                await daemon.step()
            household.clock.advance(2 * HOUR)
            await rest(daemon)
            assert household.service.creates == 0, stage
            household.clock.advance(22.5 * HOUR)
            await daemon.drain()
        assert household.service.creates == 1, stage


async def test_live_calls_stop_at_the_end_of_the_hours_and_go_on(make_household: MakeHousehold) -> None:
    released = asyncio.Event()
    service = LiveService(lambda text, before: said())
    service.gate = released.wait
    household = house(make_household, NOW, provider=service, live=LiveTerms(at_once=1))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(200):
            if service.in_flight:
                break
            await daemon.step()
        household.clock.advance(2 * HOUR)
        await daemon.engine.look()
        released.set()
        while service.in_flight:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        begun = len(service.asked)
        assert begun == 1
        assert HOURS in await conditions(daemon)
        household.clock.advance(22.5 * HOUR)
        await daemon.drain()
        assert len(service.asked) == 9
    assert "reviews/may.results.csv" in household.outbox()


async def test_a_deadline_does_not_wait(make_household: MakeHousehold) -> None:
    for provider in (None, LiveService(lambda text, before: said())):
        more = {} if provider is None else {"provider": provider, "live": LiveTerms()}
        household = house(make_household, AT_NIGHT, finish_within=20 * HOUR, **more)
        household.drop("reviews/may.csv", csv_of(NINE))
        await household.work()
        assert "reviews/may.results.csv" in household.outbox(), "at 22:00 less than half of the time is left"
        household = house(make_household, AT_NIGHT, finish_within=40 * HOUR, **more)
        household.drop("reviews/may.csv", csv_of(NINE))
        async with household.living() as daemon:
            await daemon.take_in()
            await rest(daemon)
            assert HOURS in await conditions(daemon)


async def test_a_job_whose_batch_is_at_the_provider_waits_for_that(make_household: MakeHousehold) -> None:
    household = make_household(routes=(route(send_between=NOW),))
    household.service.polls = 1_000
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        while not household.service.creates:
            await daemon.step()
        await daemon.steps(3)
        household.clock.advance(2 * HOUR)
        household.drop("reviews/june.csv", csv_of(["june"]))
        await daemon.take_in()
        await rest(daemon)
        subjects = set(await conditions(daemon))
        assert HOURS in subjects
        with snapshot(household.folder / "state") as look:
            waits = {job.source: str(waits_for(job, subjects, awake=True)) for job in look.unfinished()}
        assert waits["reviews/june.csv"] == "the hours in which the route reviews sends"
        assert "fake: " in waits["reviews/may.csv"], waits

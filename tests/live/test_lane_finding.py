"""Whether a provider is asked in batches or by live calls, where nobody says so: found out, believed, remembered."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from batchd import BatchesFound, FindsBatches, RejectedError, Submission
from batchd.domain.subjects import Subject
from batchd.live.lanes import LiveTerms
from batchd.money.pricing import Price
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import Household, Living

from ..engine.conftest import MakeHousehold, csv_of
from ..engine.test_faults import order
from .conftest import LiveService

THERE = BatchesFound(True, "acme lists its batches.")
NONE = BatchesFound(False, "acme has no Batch API: it answered with status 404.")
UNKNOWN = BatchesFound(None, "acme answered with status 500.")
PRICES = {"small": Price(input=Decimal(2_000_000), output=Decimal(0), batch_discount=Decimal("0.5"))}


class Both(FakeProvider, LiveService, FindsBatches):
    """Has batches, live calls, and the answers of the test when it is asked whether it has batches.

    It refuses so many creates (or uploads) as a service that knows no such call.
    """

    def __init__(self, *answers: BatchesFound) -> None:
        LiveService.__init__(self)
        self.service = FakeService()
        self.answers = list(answers)
        self.looked: list[float] = []
        self.clock: Any = None
        self.no_creates = self.no_uploads = 0

    async def upload(self, submission: Submission) -> str | None:
        if self.no_uploads:
            self.no_uploads -= 1
            raise RejectedError("acme has no Batch API: it answered an upload with status 404.", no_batches=True)
        return await super().upload(submission)

    async def submit(self, submission: Submission) -> str:
        if self.no_creates:
            self.no_creates -= 1
            raise RejectedError("acme has no Batch API: it answered a create with status 405.", no_batches=True)
        return await super().submit(submission)

    async def find_batches(self) -> BatchesFound:
        self.looked.append(self.clock.steady())
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def house(make: MakeHousehold, provider: Both, **more: Any) -> Household:
    household = make(provider=provider, live=LiveTerms(), find_lane=True, prices=PRICES, **more)
    provider.clock = household.clock
    return household


async def ask(household: Household, name: str = "may") -> dict[str, Any]:
    """Drop a file, and work until its report is there: the batches of it."""
    household.drop(f"reviews/{name}.csv", csv_of([f"{name} one", f"{name} two"]))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while f"reviews/{name}.report.json" not in household.outbox():
            await daemon.step()
            await asyncio.sleep(0.001)
        await daemon.engine.end_orders()
    return household.report(f"reviews/{name}.report.json")


async def test_a_service_with_batches_gets_batches(make_household: MakeHousehold) -> None:
    provider = Both(THERE)
    report = await ask(house(make_household, provider))
    assert {batch["lane"] for batch in report["batches"]} == {"batch"}
    assert provider.asked == []
    assert len(provider.looked) == 1


async def test_a_service_without_is_believed_at_the_second_time_a_minute_later(make_household: MakeHousehold) -> None:
    provider = Both(NONE)
    household = house(make_household, provider)
    report = await ask(household)
    assert {batch["lane"] for batch in report["batches"]} == {"live"}
    assert Counter(provider.asked) == {"may one": 1, "may two": 1}
    first, second = provider.looked
    assert 60 <= second - first < 90
    live_price = report["cost"]["live_price"]
    assert report["cost"]["actual"] == live_price > 0, "live calls are paid at live prices"
    assert provider.service.batches == {}


async def test_one_no_is_not_enough(make_household: MakeHousehold) -> None:
    provider = Both(NONE, THERE)
    report = await ask(house(make_household, provider))
    assert {batch["lane"] for batch in report["batches"]} == {"batch"}


async def test_while_it_is_not_known_jobs_wait_and_status_says_so(make_household: MakeHousehold) -> None:
    provider = Both(*[UNKNOWN] * 5, THERE)
    household = house(make_household, provider)
    report = await ask(household)
    assert {batch["lane"] for batch in report["batches"]} == {"batch"}
    raised = [event for event in household.events if event.kind == "ConditionRaised"]
    assert "not known whether fake has batches" in raised[0].sentence
    assert [event.kind for event in household.events if event.kind == "ConditionCleared"]


async def test_in_the_minute_between_two_looks_status_says_what_is_done(make_household: MakeHousehold) -> None:
    household = house(make_household, Both(NONE))
    await ask(household)
    [raised] = [event for event in household.events if event.kind == "ConditionRaised"]
    assert "batchd is finding out whether fake has batches, and asks once more in a minute" in raised.sentence
    assert "status 404" in raised.sentence
    assert [event.kind for event in household.events if event.kind == "ConditionCleared"]


async def go_on(daemon: Living) -> None:
    """Do what is due; the question about batches is asked beside."""
    for due in (await daemon.engine.look()).due:
        await daemon.engine.perform(due)
    await asyncio.sleep(0.001)
    daemon.household.clock.advance(0.5)


async def test_what_an_earlier_daemon_said_goes_once_it_is_known(make_household: MakeHousehold) -> None:
    """Also if nothing can be sent yet, whose success would end it."""
    provider = Both(UNKNOWN)
    household = house(make_household, provider)
    fake = Subject.provider("fake")
    household.drop("reviews/may.csv", csv_of(["may one"]))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while fake not in await daemon.context.store.event_log.conditions():
            await go_on(daemon)
        await order(daemon, "pause", "provider fake")
        await daemon.engine.look()
        await daemon.engine.end_orders()
    provider.answers = [THERE]
    async with asyncio.timeout(20), household.living() as daemon:
        while fake in await daemon.context.store.event_log.conditions():
            await go_on(daemon)
        await daemon.engine.end_orders()
    assert household.asked() == []


@pytest.mark.field("services")
@pytest.mark.parametrize("refused", ["no_creates", "no_uploads"])
async def test_a_create_that_knows_no_batches_leads_to_another_look_at_once(
    make_household: MakeHousehold, refused: str
) -> None:
    """It was believed to have batches since this morning, and has none any more."""
    provider = Both(THERE)
    household = house(make_household, provider)
    assert {batch["lane"] for batch in (await ask(household))["batches"]} == {"batch"}
    provider.answers = [NONE]
    setattr(provider, refused, 10)
    begun = household.clock.steady()
    report = await ask(household, "june")
    assert Counter(provider.asked) == {"june one": 1, "june two": 1}
    assert report["batches"][-1]["lane"] == "live"
    first, second = (at - begun for at in provider.looked[-2:])
    assert first < 30, "at once, not the next day"
    assert 60 <= second < 120
    assert getattr(provider, refused) == 9, "one call was refused"
    [raised] = [event for event in household.events if event.kind == "ConditionRaised"]
    assert "finding out whether fake has batches" in raised.sentence


@pytest.mark.field("services")
@pytest.mark.parametrize("answer", [THERE, UNKNOWN])
async def test_two_refused_creates_tell_more_than_a_list(make_household: MakeHousehold, answer: BatchesFound) -> None:
    provider = Both(THERE)
    provider.no_creates = 10
    household = house(make_household, provider)
    provider.answers = [THERE, answer]
    report = await ask(household)
    assert provider.no_creates == 8
    assert Counter(provider.asked) == {"may one": 1, "may two": 1}
    assert report["cost"]["actual"] == report["cost"]["live_price"]


async def test_one_refused_create_is_not_enough(make_household: MakeHousehold) -> None:
    provider = Both(THERE)
    provider.no_creates = 1
    report = await ask(house(make_household, provider))
    assert provider.asked == []
    assert {batch["lane"] for batch in report["batches"]} == {"batch"}


async def test_where_batches_are_ordered_a_refused_create_waits_for_a_person(make_household: MakeHousehold) -> None:
    provider = Both(THERE)
    provider.no_creates = 1
    household = make_household(provider=provider, prices=PRICES)
    household.drop("reviews/may.csv", csv_of(["may one"]))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    assert provider.asked == []
    [raised, *_] = [event for event in household.events if event.kind == "ConditionRaised"]
    assert "has no Batch API" in raised.sentence


@pytest.mark.slow
async def test_it_is_remembered_for_a_day(make_household: MakeHousehold) -> None:
    provider = Both(NONE)
    household = house(make_household, provider)
    await ask(household)
    await ask(household, "june")
    assert len(provider.looked) == 2
    household.clock.advance(90_000)
    provider.answers = [THERE]
    report = await ask(household, "july")
    assert {batch["lane"] for batch in report["batches"]} == {"batch"}


async def test_where_nothing_is_to_be_sent_nothing_is_said(make_household: MakeHousehold) -> None:
    provider = Both(UNKNOWN)
    household = house(make_household, provider)
    async with asyncio.timeout(120), household.living() as daemon:
        for _ in range(5):
            assert await daemon.step() is None, "nothing keeps `batchd once` waiting"
            await asyncio.sleep(0.01)
            household.clock.advance(10)
        assert await daemon.context.store.event_log.conditions() == {}
        await daemon.engine.end_orders()
    assert len(provider.looked) >= 2

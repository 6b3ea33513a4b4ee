"""Whether a provider is asked in batches or by live calls, where nobody says so: found out, believed, remembered."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

from batchd import BatchesFound, FindsBatches
from batchd.live.lanes import LiveTerms
from batchd.money.pricing import Price
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import Household

from ..engine.conftest import MakeHousehold, csv_of
from .conftest import LiveService

THERE = BatchesFound(True, "acme lists its batches.")
NONE = BatchesFound(False, "acme has no Batch API: it answered with status 404.")
UNKNOWN = BatchesFound(None, "acme answered with status 500.")
PRICES = {"small": Price(input=Decimal(2_000_000), output=Decimal(0), batch_discount=Decimal("0.5"))}


class Both(FakeProvider, LiveService, FindsBatches):
    """Has batches, live calls, and the answers of the test when it is asked whether it has batches."""

    def __init__(self, *answers: BatchesFound) -> None:
        LiveService.__init__(self)
        self.service = FakeService()
        self.answers = list(answers)
        self.looked: list[float] = []
        self.clock: Any = None

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
    async with asyncio.timeout(30), household.living() as daemon:
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
    async with asyncio.timeout(30), household.living() as daemon:
        for _ in range(5):
            assert await daemon.step() is None, "nothing keeps `batchd once` waiting"
            await asyncio.sleep(0.01)
            household.clock.advance(10)
        assert await daemon.context.store.event_log.conditions() == {}
        await daemon.engine.end_orders()
    assert len(provider.looked) >= 2

"""Live calls are priced, promised and billed at live prices, and a budget holds them by these."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from batchd.engine.steps import orders
from batchd.live.lanes import LiveTerms
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.store.orders import StoredOrder
from batchd.testing.household import Household

from ..engine.conftest import MakeHousehold, csv_of, route
from .conftest import LiveService

# An answer is 10 tokens in and 5 out: 5 units a row by live calls, and half of that in a batch.
PRICES = {"small": Price(input=Decimal(0), output=Decimal(1_000_000), batch_discount=Decimal("0.5"))}
ROW = 5 * UNIT
NINE = [f"review {number}" for number in range(9)]


def house(make: MakeHousehold, service: LiveService, **limits: int) -> Household:
    """A daemon that asks by live calls, with limits of spending in rows."""
    budget = SpendingLimits(overall=Ceilings(**{name: rows * ROW for name, rows in limits.items()}))
    return make(
        provider=service, live=LiveTerms(), prices=PRICES, budget=budget, routes=(route(params={"max_tokens": 5}),)
    )


async def test_the_report_and_the_ledger_say_the_full_price(make_household: MakeHousehold) -> None:
    household = house(make_household, LiveService())
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(30), household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
        rows = await daemon.context.store.database.read(lambda tx: tx.fetch("spending_of_job", job="00000001"))
    cost = household.report("reviews/may.report.json")["cost"]
    assert cost["actual"] == cost["live_price"] == 45.0
    assert cost["estimated"] >= 45.0
    assert rows[0]["cost"] == 9 * ROW


@pytest.mark.field("money")
async def test_a_budget_counts_live_prices(make_household: MakeHousehold) -> None:
    service = LiveService()
    # Enough for nine rows in a batch, and not for nine live calls.
    household = house(make_household, service, per_job=6)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(30), household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
        [job] = await daemon.context.store.jobs.ids()
        assert (await daemon.context.store.jobs.get(job)).state == "held"
        assert service.asked == []
        await orders.obey(daemon.context, StoredOrder(1, "approve", job, {}, 0.0))
        await daemon.drain()
    assert sorted(service.asked) == NINE
    assert household.report("reviews/may.report.json")["cost"]["actual"] == 45.0

"""Live calls are priced, promised and billed at live prices, and a budget holds them by these."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from batchd import TransientError
from batchd.domain.lifecycle import Collect, Fetch
from batchd.engine.steps import orders
from batchd.live.lanes import LiveTerms
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.store.tables.orders import StoredOrder
from batchd.testing.household import Household, Living
from batchd.values import replace

from ..engine.conftest import MakeHousehold, csv_of, route
from .conftest import LiveService, said

# An answer is 10 tokens in and 5 out: 5 units a row by live calls, and half of that in a batch.
PRICES = {"small": Price(input=Decimal(0), output=Decimal(1_000_000), batch_discount=Decimal("0.5"))}
ROW = 5 * UNIT
NINE = [f"review {number}" for number in range(9)]


def house(make: MakeHousehold, service: LiveService, *, at_once: int = 64, **limits: int) -> Household:
    """A daemon that asks by live calls, with limits of spending in rows."""
    budget = SpendingLimits(overall=Ceilings(**{name: rows * ROW for name, rows in limits.items()}))
    return make(
        provider=service,
        live=LiveTerms(at_once=at_once),
        prices=PRICES,
        budget=budget,
        routes=(route(params={"max_tokens": 5}, part_rows=9),),
    )


async def test_the_report_and_the_ledger_say_the_full_price(make_household: MakeHousehold) -> None:
    household = house(make_household, LiveService())
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
        bill = await daemon.context.store.money.of_job("00000001")
    cost = household.report("reviews/may.report.json")["cost"]
    assert cost["actual"] == cost["live_price"] == 45.0
    assert cost["estimated"] >= 45.0
    assert bill.cost == 9 * ROW


@pytest.mark.field("money")
async def test_a_budget_counts_live_prices(make_household: MakeHousehold) -> None:
    service = LiveService()
    # Enough for nine rows in a batch, and not for nine live calls.
    household = house(make_household, service, per_job=6)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
        [job] = await daemon.context.store.jobs.ids()
        assert (await daemon.context.store.jobs.get(job)).state == "held"
        assert service.asked == []
        await orders.obey(daemon.context, StoredOrder(1, "approve", job, {}, 0.0))
        await daemon.drain()
    assert sorted(service.asked) == NINE
    assert household.report("reviews/may.report.json")["cost"]["actual"] == 45.0


async def until(daemon: Living, kind: type[object]) -> Any:
    """Work up to and with such an action."""
    while not isinstance(action := await daemon.step(), kind):
        assert action is not None
    return action


@pytest.mark.field("live calls")
async def test_what_is_spent_is_what_the_journal_says_and_at_most_what_was_reserved(
    make_household: MakeHousehold,
) -> None:
    def behave(text: str, before: int) -> Any:
        del before
        answer = said(text)
        number = int(text.split()[-1])
        usage = {"prompt_tokens": 10, "completion_tokens": number % 5 + 1, "total_tokens": number % 5 + 11}
        return type(answer)(200, json.dumps({**json.loads(answer.body), "usage": usage}).encode())

    household = house(make_household, LiveService(behave))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        await until(daemon, Fetch)
        [job] = [await daemon.context.store.jobs.get(each) for each in await daemon.context.store.jobs.ids()]
        reserved = (await daemon.context.store.money.account(job, currency="USD")).own
        [journal] = household.folder.glob("state/batches/*/journal.jsonl")
        answers = [json.loads(line) for line in journal.read_text().splitlines() if line.startswith("{")]
        tokens = sum(each["response"]["body"]["usage"]["completion_tokens"] for each in answers)
        await daemon.drain()
        bill = await daemon.context.store.money.of_job(job.id)
    assert len(answers) == 9
    assert bill.cost == tokens * UNIT
    assert bill.wasted_cost == 0
    assert bill.cost <= reserved


@pytest.mark.field("live calls")
async def test_calls_that_a_kill_broke_off_count_as_wasted(make_household: MakeHousehold) -> None:
    service, hold = LiveService(), asyncio.Event()
    answered = 0

    async def gate() -> None:
        nonlocal answered
        answered += 1
        if answered > 5:
            await hold.wait()

    service.gate = gate
    household = house(make_household, service, at_once=3)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while len(service.asked) < 8:
            assert await daemon.step() is not None
    hold.set()
    async with asyncio.timeout(120), household.living() as daemon:
        store = daemon.context.store
        [job] = [await store.jobs.get(each) for each in await store.jobs.ids()]
        before = (await store.money.account(job, currency="USD")).own
        await until(daemon, Fetch)
        # They may be paid, so they have reserved their cost until they are spent.
        account = await store.money.account(job, currency="USD")
        assert account.own >= before + 3 * ROW
        other = await store.money.account(replace(job, id="another1"), currency="USD")
        assert (other.reserved, other.route_reserved) == (account.own, account.own)
        await until(daemon, Collect)
        assert (await store.money.account(job, currency="USD")).own == 0
        await daemon.drain()
        bill = await store.money.of_job(job.id)
    assert (bill.cost, bill.wasted_cost) == (12 * ROW, 3 * ROW)
    assert (bill.answers, bill.estimated) == (12, 3)
    assert bill.cost <= account.own
    report = household.report("reviews/may.report.json")
    assert report["batches"][0]["possibly_paid_twice"]["rows"] == 3
    assert (report["cost"]["actual"], report["cost"]["wasted"]) == (60.0, 15.0)


@pytest.mark.field("live calls")
@pytest.mark.slow
async def test_a_row_without_an_answer_may_have_cost_something(make_household: MakeHousehold) -> None:
    def behave(text: str, before: int) -> Any:
        del before
        return TransientError("It broke off.") if text == "review 4" else said(text)

    household = house(make_household, LiveService(behave))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
        [job] = await daemon.context.store.jobs.ids()
        bill = await daemon.context.store.money.of_job(job)
    # Once in each of three attempts: a service that breaks off again and again does not work.
    assert (bill.cost, bill.wasted_cost) == ((8 + 3) * ROW, 3 * ROW)

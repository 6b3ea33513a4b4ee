"""The openai plugin asks the sandbox by live calls over real HTTP: limits, faults and refusals, counted by the server."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from batchd.live.lanes import LiveTerms
from batchd.testing.household import Household
from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider

from ..engine.conftest import MakeHousehold, csv_of, route
from ..sandbox.sandbox_kit import Running, running

MANY = [f"review {number}" for number in range(60)]


def house(make: MakeHousehold, server: Running, **more: object) -> tuple[Household, OpenAIProvider]:
    """A daemon whose provider finds out by itself that the sandbox has no batches."""
    settings = {"base_url": server.url, "api_key": "sk-any-key-will-do", "request_timeout": 20}
    provider = OpenAIProvider(OpenAIProvider.Settings.model_validate(settings), pacing=OpenAIPacing(first_pause=0.002))
    return make(provider=provider, live=LiveTerms(), routes=(route(part_rows=30),), find_lane=True, **more), provider


async def work(household: Household, server: Running, *, lift_after: int | None = None) -> list[str]:
    """Drop a file, work until its report is there, and lift all faults after so many steps: what kept it waiting."""
    waited: list[str] = []
    household.drop("reviews/may.csv", csv_of(MANY))
    async with asyncio.timeout(60), household.living() as daemon:
        await daemon.take_in()
        steps = 0
        while "reviews/may.report.json" not in household.outbox():
            await daemon.step()
            await asyncio.sleep(0.001)
            steps += 1
            if steps == lift_after:
                waited = list((await daemon.context.store.event_log.conditions()).values())
                await server.lift()
        await daemon.engine.end_orders()
    return waited


def statuses(household: Household) -> Counter[str]:
    """What became of the rows."""
    text = household.outbox()["reviews/may.results.csv"].decode()
    return Counter(row["status"] for row in csv.DictReader(io.StringIO(text)))


@pytest.mark.slow
@pytest.mark.field("outages")
@pytest.mark.parametrize("faults", [(), ("chat:500:count=3",), ("chat:html:count=2",), ("chat:429:count=5",)], ids=str)
async def test_every_row_is_answered_and_paid_once(
    make_household: MakeHousehold, tmp_path: Path, faults: tuple[str, ...]
) -> None:
    async with running(tmp_path / "sandbox", batches=False) as server:
        household, provider = house(make_household, server)
        if faults:
            await server.order(*faults)
        await work(household, server)
        await provider.aclose()
        ledger = await server.ledger()
    assert statuses(household) == {"ok": 60}
    assert (ledger["live"]["answers"], ledger["live"]["distinct"]) == (60, 60)
    assert ledger["create_calls"] == ledger["upload_calls"] == 0


@pytest.mark.field("account refusals")
@pytest.mark.slow
async def test_a_refused_account_is_said_and_waited_for(make_household: MakeHousehold, tmp_path: Path) -> None:
    async with running(tmp_path / "sandbox", batches=False) as server:
        household, provider = house(make_household, server)
        await server.order("chat:429:code=insufficient_quota,count=always")
        waited = await work(household, server, lift_after=120)
        await provider.aclose()
        ledger = await server.ledger()
    assert ["cannot pay" in text for text in waited] == [True]
    assert statuses(household) == {"ok": 60}
    assert ledger["live"]["answers"] == 60
    assert ledger["calls"]["chat"] <= 60 + 64 + 120, "those under way when it began, then one at a time"


@pytest.mark.slow
@pytest.mark.field("hostile services")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("chat:html:count=always", "an HTML page"),
        ("chat:redirect:count=always", "does not follow it"),
        ("chat:cut:count=always", "broke"),
        ("chat:404:count=always", "Check base_url"),
    ],
)
async def test_a_wrong_address_is_said_after_few_calls_and_fails_no_row(
    make_household: MakeHousehold, tmp_path: Path, fault: str, words: str
) -> None:
    async with running(tmp_path / "sandbox", batches=False) as server:
        household, provider = house(make_household, server)
        await server.order(fault)
        waited = await work(household, server, lift_after=120)
        await provider.aclose()
        ledger = await server.ledger()
    assert any(words in text for text in waited), waited
    assert statuses(household) == {"ok": 60}
    assert ledger["live"]["answers"] == 60
    assert ledger["calls"]["chat"] <= 60 + 64 + 120, "those under way when it began, then one at a time"

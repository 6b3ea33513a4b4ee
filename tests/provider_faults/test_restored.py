"""The state folder is replaced by an older copy of itself: what was asked since is not paid again without a person."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from batchd.orders.values import Resolve

from ..engine.conftest import csv_of
from .conftest import NINE, MakePair, Pair, told
from .test_accounts import order

pytestmark = [pytest.mark.slow, pytest.mark.field("state")]


def back_up(pair: Pair, place: Path) -> None:
    shutil.copytree(pair.household.folder / "state", place)


def restore(pair: Pair, place: Path) -> None:
    shutil.rmtree(pair.household.folder / "state")
    shutil.copytree(place, pair.household.folder / "state")


async def times(pair: Pair, kind: str, number: int) -> bool:
    return pair.told.count(kind) == number


async def test_an_older_copy_sends_nothing_before_a_person_decides(make_pair: MakePair, tmp_path: Path) -> None:
    pair = await make_pair()
    await pair.ask([f"april {number}" for number in range(5)], name="april")
    back_up(pair, tmp_path / "backup")
    await pair.ask()
    assert (await pair.sandbox.ledger())["create_calls"] == 2
    restore(pair, tmp_path / "backup")
    pair.household.drop("reviews/june.csv", csv_of(["june 1"]))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: told(pair, "BatchHeld"))
        pair.household.drop("reviews/july.csv", csv_of(["july 1"]))
        await daemon.take_in()
        for _ in range(100):
            await pair.step(daemon)
        assert (await pair.sandbox.ledger())["create_calls"] == 2, "nothing is sent, for other files neither"
        [reason] = [event.data()["reason"] for event in pair.household.events if event.kind == "BatchHeld"]
        assert "older copy" in reason
        assert "--absent" in reason
        [key] = [event.batch for event in pair.household.events if event.kind == "BatchHeld"]
        await order(pair, daemon, Resolve(key, None))
        await pair.drain(daemon)
    ledger = await pair.sandbox.ledger()
    assert (ledger["executed_twice"], ledger["requests_executed"]) == ([], 5 + 9 + 2)
    assert Counter(pair.statuses("june") + pair.statuses("july")) == {"ok": 2}


async def test_the_same_rows_take_the_answers_of_the_batch_that_exists(make_pair: MakePair, tmp_path: Path) -> None:
    pair = await make_pair()
    await pair.ask([f"april {number}" for number in range(5)], name="april")
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: times(pair, "JobAccepted", 2))
    back_up(pair, tmp_path / "backup")
    async with pair.household.living() as daemon:
        await pair.drain(daemon)
    [name] = [each for each in pair.household.outbox() if each.endswith("may.results.csv")]
    (pair.household.folders.outbox / name).unlink()
    restore(pair, tmp_path / "backup")
    async with pair.household.living() as daemon:
        await pair.until(daemon, lambda: told(pair, "BatchHeld"))
        [held] = [event for event in pair.household.events if event.kind == "BatchHeld"]
        found = held.data()["reason"].split(" --found ")[1].split("`")[0]
        await order(pair, daemon, Resolve(held.batch, found))
        await pair.drain(daemon)
    ledger = await pair.sandbox.ledger()
    assert (ledger["create_calls"], ledger["executed_twice"]) == (2, [])
    assert ledger["requests_executed"] == 14


async def test_a_list_that_is_broken_for_good_keeps_nothing_from_being_sent(make_pair: MakePair) -> None:
    pair = await make_pair()
    await pair.ask([f"april {number}" for number in range(5)], name="april")
    await pair.sandbox.order("list:500:count=always")
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
    assert Counter(pair.statuses()) == {"ok": 9}
    assert (await pair.sandbox.ledger())["executed_twice"] == []

"""The one call that costs money, failing in every way: how often it was made is counted by the service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ..cases import share
from ..engine.conftest import csv_of
from ..engine.test_faults import order
from ..sandbox.sandbox_kit import as_jsonl, request_lines
from .conftest import NINE, MakePair, told

pytestmark = [pytest.mark.slow, pytest.mark.field("creates of unknown outcome")]

NOTHING_DONE = [
    "create:cut",
    "create:500",
    "create:503:retry-after=0.01",
    "create:429:retry-after=0.01",
    "create:html",
    "create:redirect",
    "create:endless",
    "create:bomb",
    "create:silence",
]
DONE_ALL_THE_SAME = [
    "create:cut-after",
    "create:500-after",
    "create:429-after:retry-after=0.01",
    "create:redirect-after",
    "create:timeout",
]
TIME_OUTS = {"create:silence", "create:timeout"}


@pytest.mark.parametrize("fault", [*share(NOTHING_DONE), *share(DONE_ALL_THE_SAME)])
async def test_a_create_of_unknown_outcome_is_looked_for_before_it_is_made_again(
    make_pair: MakePair, fault: str
) -> None:
    pair = await make_pair(fault, create_timeout=0.5 if fault in TIME_OUTS else 10.0)
    await pair.ask()
    ledger = await pair.all_well()
    assert len(ledger["batches"]) == 1
    assert "BatchOutcomeUnknown" in pair.told
    if fault in NOTHING_DONE:
        assert ledger["create_calls"] == 2, "one that failed, and one after it was looked for twice"
        assert ledger["calls"]["list"] == 2
        assert "BatchNotFound" in pair.told
    else:
        assert ledger["create_calls"] == 1, "it was there, and was found"
        assert "BatchFound" in pair.told


@pytest.mark.parametrize(
    ("fault", "creates"),
    [
        ("create:401", 2),
        ("create:403", 2),
        ("create:404:code=unknown_url", 2),
        # Refused for what is in it: the three parts go alone after that.
        ("create:400", 1 + 3),
        # Azure refuses at once what OpenAI accepts and fails later; four fifths at a time after that.
        ("create:400:code=token_limit_exceeded", 1 + 2),
    ],
)
async def test_a_create_that_was_certainly_refused_is_made_again_and_not_looked_for(
    make_pair: MakePair, fault: str, creates: int
) -> None:
    pair = await make_pair(fault)
    await pair.ask()
    ledger = await pair.all_well()
    assert ledger["create_calls"] == creates
    assert len(ledger["batches"]) == creates - 1
    assert "list" not in ledger["calls"]


async def test_a_create_that_fails_again_and_again_is_paid_once(make_pair: MakePair) -> None:
    pair = await make_pair("create:500:count=3", "create:cut:count=2", "create:500-after")
    await pair.ask()
    ledger = await pair.all_well()
    assert ledger["create_calls"] == 6
    assert pair.told.count("BatchNotFound") == 5
    assert pair.told.count("BatchFound") == 1


async def test_a_service_that_knows_the_key_gives_the_first_batch_back(make_pair: MakePair) -> None:
    """It cannot be looked for, and a person says that it is not there, which is wrong."""
    pair = await make_pair("create:cut-after", "list:404:count=always", sandbox={"idempotent": True})
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
        [held] = [event for event in pair.household.events if event.kind == "BatchHeld"]
        await order(daemon, "resolve", str(held.batch), json.dumps({"found": None}))
        await pair.drain(daemon)
    ledger = await pair.sandbox.ledger()
    assert pair.statuses() == ["ok"] * 9
    assert (ledger["create_calls"], len(ledger["batches"]), ledger["requests_executed"]) == (2, 1, 9)


async def test_a_service_that_cannot_list_its_batches_is_not_guessed_about(make_pair: MakePair) -> None:
    pair = await make_pair("create:cut-after", "list:404:count=always")
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
        [held] = [event for event in pair.household.events if event.kind == "BatchHeld"]
        [batch] = (await pair.sandbox.ledger())["batches"]
        assert f"batchd resolve {held.batch} --found ID" in held.sentence
        assert f"batchd resolve {held.batch} --absent" in held.sentence
        assert batch["input_file_id"] in held.sentence, "which is what to look for"
        await order(daemon, "resolve", str(held.batch), json.dumps({"found": batch["id"]}))
        await pair.drain(daemon)
    ledger = await pair.sandbox.ledger()
    assert pair.statuses() == ["ok"] * 9
    assert (ledger["create_calls"], ledger["requests_executed"]) == (1, 9)


async def test_it_is_found_behind_pages_of_others(make_pair: MakePair) -> None:
    pair = await make_pair("create:cut-after")
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: told(pair, "BatchOutcomeUnknown"))
        # Somebody else uses the account: lists begin with the newest, and a page holds a hundred.
        await pair.sandbox.order("batch:failed:count=120")
        others = await pair.sandbox.upload(as_jsonl(request_lines(1)))
        await asyncio.gather(*(pair.sandbox.create(others) for _ in range(120)))
        await pair.drain(daemon)
    ledger = await pair.all_well()
    assert ledger["calls"]["list"] == 2
    [ours] = [batch for batch in ledger["batches"] if batch["input_file_id"] != others]
    [found] = [event.data() for event in pair.household.events if event.kind == "BatchFound"]
    assert found == {"remote": ours["id"], "extra_remotes": []}


async def test_of_doubles_the_older_is_kept_the_other_cancelled_and_the_answers_of_both_are_used(
    make_pair: MakePair, tmp_path: Path
) -> None:
    def executed(batch: dict[str, Any]) -> set[bytes]:
        return set((tmp_path / "sandbox" / "executed" / batch["id"]).read_bytes().splitlines())

    # The older one expires half-way, the younger gets no further than two thirds: none has all, both have.
    pair = await make_pair("create:twice", "batch:expired:fraction=0.5", "batch:stuck:fraction=0.7")
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: told(pair, "BatchOutcomeUnknown"))
        await pair.at_work(("expired", 4), ("in_progress", 6))
        await pair.drain(daemon)
    ledger = await pair.sandbox.ledger()
    older, younger = ledger["batches"][:2]
    [found] = [event for event in pair.household.events if event.kind == "BatchFound"]
    assert found.data() == {"remote": older["id"], "extra_remotes": [younger["id"]]}
    assert (older["status"], younger["status"]) == ("expired", "cancelled")
    assert pair.statuses() == ["ok"] * 9
    # The service made two of one call, and that is what it billed twice; nothing was asked again that either had.
    had = executed(older) | executed(younger)
    assert (len(executed(older)), len(executed(younger))) == (4, 6)
    again = [executed(batch) for batch in ledger["batches"][2:]]
    assert sum(map(len, again)) == 9 - len(had)
    assert all(had.isdisjoint(each) for each in again)
    assert ledger["create_calls"] == 1 + len(again)

"""A service counts answers that its files do not hold: they are waited for, then a person is asked. Nothing is paid twice."""

from __future__ import annotations

import pytest

from batchd.contracts import Limits
from batchd.domain.records import BatchState
from batchd.orders.values import Resolve
from batchd.testing.household import Living

from ..cases import pairs
from ..engine.conftest import csv_of
from .conftest import NINE, MakePair, Pair
from .test_accounts import for_hours, held, order

pytestmark = [pytest.mark.slow, pytest.mark.field("money")]


@pytest.mark.parametrize(("fault", "times"), pairs(["empty", "half", "other"], [1, 3, 8]))
async def test_missing_answers_are_fetched_again(make_pair: MakePair, fault: str, times: int) -> None:
    pair = await make_pair()
    await pair.ask(["an earlier file"], name="april")
    await pair.sandbox.order(f"content:{fault}:count={times}")
    await pair.ask()
    ledger = await pair.paid()
    assert pair.statuses() == ["ok"] * 9
    assert (ledger["create_calls"], ledger["requests_executed"]) == (2, 10)
    assert ledger["calls"]["content"] == 2 + times


async def missing(pair: Pair, daemon: Living, fault: str) -> str:
    """A file of which the service never sends all answers; why its batch is held after hours."""
    for name, rows in (("april", ["an earlier file"]), ("may", NINE)):
        pair.household.drop(f"reviews/{name}.csv", csv_of(rows))
        await daemon.take_in()
        if name == "april":
            await pair.drain(daemon)
            await pair.sandbox.order(f"content:{fault}:count=always")
    await for_hours(pair, daemon, 3)
    return await held(daemon)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("empty", "counts 9 of 9 requests of batch_"),
        ("half", "sends 4 answers: 5 are missing"),
        ("other", "(row 1 of reviews/april.csv)"),
    ],
)
async def test_what_never_comes_is_held_for_a_person(make_pair: MakePair, fault: str, words: str) -> None:
    pair = await make_pair()
    async with pair.household.living() as daemon:
        before = (await pair.sandbox.ledger())["create_calls"]
        said = await missing(pair, daemon, fault)
        assert words in said
        assert "Nothing is asked again" in said
        assert await daemon.context.store.event_log.conditions() == {}, "it is said once, of the batch"
        calls = (await pair.sandbox.ledger())["calls"]["content"]
        assert calls <= 60, "with pauses that grow"
        await for_hours(pair, daemon, 10)
        ledger = await pair.sandbox.ledger()
        assert ledger["create_calls"] == before + 2
        assert ledger["calls"]["content"] - calls <= 12, "once an hour"
        # Whenever it comes, it goes on by itself.
        await pair.sandbox.lift()
        await for_hours(pair, daemon, 2)
    assert pair.statuses() == ["ok"] * 9
    assert (await pair.sandbox.ledger())["requests_executed"] == 10


async def test_a_person_can_give_them_up(make_pair: MakePair) -> None:
    pair = await make_pair()
    async with pair.household.living() as daemon:
        await missing(pair, daemon, "half")
        await pair.sandbox.lift()
        await pair.sandbox.order("content:half")
        [batch] = await daemon.batches(BatchState.HELD)
        assert "its other rows are asked again" in await order(pair, daemon, Resolve(batch.key, None))
        await for_hours(pair, daemon, 1)
    assert pair.statuses() == ["ok"] * 9
    ledger = await pair.sandbox.ledger()
    assert [batch["requests"] for batch in ledger["batches"]] == [1, 9, 5]


async def test_nothing_at_all_given_up_costs_no_attempt(make_pair: MakePair) -> None:
    pair = await make_pair()
    async with pair.household.living() as daemon:
        await missing(pair, daemon, "empty")
        await pair.sandbox.lift()
        await pair.sandbox.order("content:empty")
        [batch] = await daemon.batches(BatchState.HELD)
        await order(pair, daemon, Resolve(batch.key, None))
        await for_hours(pair, daemon, 1)
    assert pair.statuses() == ["ok"] * 9
    assert "BatchReturned" in pair.told


async def test_the_rows_of_one_batch_wait_and_those_of_others_do_not(make_pair: MakePair) -> None:
    pair = await make_pair("content:half:count=3", limits=Limits(max_requests=3))
    await pair.ask()
    await pair.all_well()


async def test_a_service_that_counts_nothing_and_sends_nothing_owes_the_whole(make_pair: MakePair) -> None:
    pair = await make_pair("batch:counts-lie", "content:empty:count=2")
    await pair.ask()
    ledger = await pair.all_well()
    assert ledger["create_calls"] == 1

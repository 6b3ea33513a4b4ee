"""No input file stays at a service whose batch is over, or was never created: counted by the service."""

from __future__ import annotations

import pytest

from batchd.domain.lifecycle import Forget, Upload

from ..engine.conftest import csv_of
from ..engine.test_faults import order
from .conftest import NINE, MakePair, Pair, told

pytestmark = [pytest.mark.slow, pytest.mark.field("files")]


async def left(pair: Pair) -> int:
    """Input files at the service that nobody has deleted."""
    ledger = await pair.sandbox.ledger()
    assert ledger["upload_calls"] > 0
    return sum(not upload["deleted"] for upload in ledger["uploads"])


@pytest.mark.parametrize(
    "faults",
    [
        ["create:400"],
        ["create:400:code=token_limit_exceeded"],
        ["create:401", "create:404:code=unknown_url"],
        ["upload:cut-after", "create:400"],
        ["batch:failed"],
    ],
    ids=" ".join,
)
async def test_after_a_definite_refusal_the_file_is_deleted(make_pair: MakePair, faults: list[str]) -> None:
    pair = await make_pair(*faults)
    await pair.ask()
    assert pair.statuses() == ["ok"] * 9
    assert await left(pair) == 0


async def test_where_it_could_not_be_deleted_it_is_tried_again_also_after_a_stop(make_pair: MakePair) -> None:
    pair = await make_pair("create:400", "delete:500:count=always")
    await pair.ask()
    assert await left(pair) == 4, "one of the refused batch, and those of its three parts"
    async with pair.household.living() as daemon:
        await pair.drain(daemon)  # nothing waits for them, and nobody is told
        assert await daemon.context.store.event_log.conditions() == {}
        await pair.sandbox.lift()
        pair.household.clock.advance(4_000)
        await pair.drain(daemon)
    assert await left(pair) == 0
    assert sum(isinstance(action, Forget) for action in pair.done) >= 4


async def test_a_batch_that_is_cancelled_before_it_is_created_leaves_none(make_pair: MakePair) -> None:
    pair = await make_pair()
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        while not any(isinstance(action, Upload) for action in pair.done):
            await pair.step(daemon)
        assert await told(pair, "BatchUploaded")
        [job] = await daemon.context.store.jobs.ids()
        await order(daemon, "cancel", job)
        await pair.drain(daemon)
    ledger = await pair.sandbox.ledger()
    assert (ledger["create_calls"], await left(pair)) == (0, 0)

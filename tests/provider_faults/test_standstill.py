"""Batches that stand still: cancelled long after their window, harvested, and the rest asked again."""

from __future__ import annotations

import pytest

from batchd.domain.lifecycle import Poll
from batchd.status.job_words import waits_for
from batchd.store.reading.snapshot import snapshot

from ..engine.conftest import csv_of
from .conftest import NINE, MakePair, Pair, told

pytestmark = [pytest.mark.slow, pytest.mark.field("batches that stand still")]

HOUR = 3_600.0


async def when(pair: Pair, kind: str, stuck: tuple[str, int]) -> float:
    """Hours from the submission to the first event of this kind, working until it happens and then to the end.

    What `status` says at that moment is left in `waits_for`.

    `stuck` is how the sandbox's batch stands still: its state, and how many requests are executed by then.
    """
    happened: dict[str, float] = {}
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()

        async def happens() -> bool:
            for each in pair.told:
                happened.setdefault(each, pair.household.clock.steady())
            return kind in happened

        await pair.until(daemon, lambda: told(pair, "BatchSubmitted"))
        await pair.at_work(stuck)
        await pair.until(daemon, happens)
        with snapshot(pair.household.folder / "state") as state:
            [job] = state.unfinished()
            pair.waits_for = str(waits_for(job, (), awake=True))
        await pair.drain(daemon)
        assert await daemon.context.store.event_log.conditions() == {}
    return (happened[kind] - happened["BatchSubmitted"]) / HOUR


async def test_a_batch_that_does_not_move_is_cancelled_harvested_and_its_rest_asked_again(make_pair: MakePair) -> None:
    pair = await make_pair("batch:stuck:fraction=0.5", poll=1_200.0)
    assert 24.5 <= await when(pair, "BatchStalled", ("in_progress", 4)) < 25
    ledger = await pair.all_well()
    first, *others = ledger["batches"]
    assert (first["status"], first["executed"]) == ("cancelled", 4)
    assert sum(batch["requests"] for batch in others) == 5
    [stalled] = [event for event in pair.household.events if event.kind == "BatchStalled"]
    assert "long after it should have ended (in_progress, 4 of 9 answered)" in stalled.sentence
    assert ledger["calls"]["cancel"] == 1
    assert pair.waits_for == (
        f"fake: 4 of 9 answered (1 batch); stopping batch {stalled.batch} there after no news for too long"
    )


async def test_one_that_finalizes_for_ever_is_cancelled_and_loses_nothing(make_pair: MakePair) -> None:
    pair = await make_pair("batch:stuck-finalizing", poll=1_200.0)
    assert 24.5 <= await when(pair, "BatchStalled", ("finalizing", 9)) < 25
    ledger = await pair.all_well()
    assert (ledger["create_calls"], ledger["batches"][0]["status"]) == (1, "cancelled")


async def test_one_that_cannot_even_be_cancelled_is_left_after_some_hours(make_pair: MakePair) -> None:
    pair = await make_pair("batch:stuck", "cancel:400:count=always", poll=1_200.0)
    assert 30.5 <= await when(pair, "BatchEnded", ("in_progress", 0)) < 31.5
    ledger = await pair.all_well()
    assert ledger["create_calls"] == 2
    ended = next(event for event in pair.household.events if event.kind == "BatchEnded")
    assert "did not in six hours" in ended.sentence
    [said] = [event for event in pair.household.events if event.kind == "ConditionRaised"]
    assert said.data()["subject"].startswith("cancelling batch ")


async def test_an_outage_is_no_standstill(make_pair: MakePair) -> None:
    pair = await make_pair("batch:stuck:fraction=0.5", poll=1_200.0)
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: told(pair, "BatchSubmitted"))
        await pair.at_work(("in_progress", 4))
        await pair.until(daemon, lambda: _polled(pair))
    # The daemon is not there for two days; what it last heard is then two days old.
    pair.household.clock.advance(48 * HOUR)
    came_back = pair.household.clock.steady()
    async with pair.household.living() as daemon:
        await pair.until(daemon, lambda: told(pair, "BatchStalled"))
        assert 6 <= (pair.household.clock.steady() - came_back) / HOUR < 7
        await pair.drain(daemon)
    await pair.all_well()


async def _polled(pair: Pair) -> bool:
    return any(isinstance(action, Poll) for action in pair.done)

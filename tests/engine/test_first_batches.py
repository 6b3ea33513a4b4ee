"""Which batches are the first of a job: those are told in the log, the others go the same way."""

from __future__ import annotations

import pytest

from batchd.contracts import Limits
from batchd.events import BatchEnded, BatchReturned, BatchSubmitted, Event
from batchd.model import Problem

from .conftest import MakeHousehold, route


def rows(number: int) -> str:
    return "review\n" + "".join(f"good {each}\n" for each in range(number))


def firsts(events: list[Event], kind: type[BatchSubmitted | BatchEnded]) -> list[bool]:
    return [event.first for event in events if isinstance(event, kind)]


@pytest.mark.slow
async def test_one_of_a_job_s_batches_is_the_first(make_household: MakeHousehold) -> None:
    household = make_household(limits=Limits(max_requests=2))
    household.drop("reviews/may.csv", rows(7))
    async with household.at_rest() as daemon:
        for kind in (BatchSubmitted, BatchEnded):
            told = firsts(household.events, kind)
            assert len(told) >= 4
            assert sum(told) == 1
        # Another job has a first batch of its own.
        household.events.clear()
        household.drop("reviews/june.csv", rows(8))
        await daemon.work()
        assert sum(firsts(household.events, BatchSubmitted)) == 1


async def test_a_batch_that_several_files_share_says_how_many(make_household: MakeHousehold) -> None:
    household = make_household()
    for name in ("may", "june", "july"):
        household.drop(f"reviews/{name}.csv", rows(2).replace("good", name))
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(9):  # claimed, read and planned, so that they wait together
            await daemon.step()
        await daemon.drain()
    submitted = [event for event in household.events if isinstance(event, BatchSubmitted)]
    assert sum(event.jobs for event in submitted) == 3
    assert all(event.first for event in submitted)
    assert sum(event.requests for event in submitted) == 6


async def test_a_batch_that_never_ran_is_not_the_first(make_household: MakeHousehold) -> None:
    household = make_household()
    refusals = [(Problem("token_limit_exceeded", "Enqueued token limit reached."),)]
    household.service.refuse = lambda _: refusals.pop() if refusals else ()
    household.drop("reviews/may.csv", rows(2))
    await household.work()
    assert any(isinstance(event, BatchReturned) for event in household.events)
    told = firsts(household.events, BatchSubmitted)
    assert told[:2] == [True, True]
    assert sum(told) == 2


async def test_little_goes_ahead_of_a_large_file_until_a_batch_is_answered(make_household: MakeHousehold) -> None:
    household = make_household(routes=(route(part_rows=2_000),), limits=Limits(max_requests=2_000))
    async with household.living() as daemon:
        for name in ("may", "june"):
            household.drop(f"reviews/{name}.csv", rows(3_500).replace("good", name))
            await daemon.work()
    sent = [event.requests for event in household.events if isinstance(event, BatchSubmitted)]
    assert sent == [1_000, 1_000, 1_500, 2_000, 1_500]
    assert household.service.executed.total() == 7_000

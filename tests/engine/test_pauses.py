"""What a person pauses is not sent, what is sent is collected, and nothing but a person lets it go on."""

from __future__ import annotations

import asyncio

import pytest

from batchd import Limits
from batchd.live.lanes import LiveTerms
from batchd.testing.household import Household, Living
from batchd.values import replace

from ..live.conftest import LiveService, said
from .conftest import MakeHousehold, csv_of, route
from .test_faults import order

NINE = [f"row {number}" for number in range(9)]


async def until(daemon: Living, kind: str, number: int = 1) -> None:
    for _ in range(300):
        if sum(event.kind == kind for event in daemon.household.events) >= number:
            return
        await daemon.step()
    raise AssertionError(f"No {kind}: {[event.kind for event in daemon.household.events]}")


def done(household: Household) -> list[str]:
    return sorted(name for name in household.outbox() if name.endswith(".results.csv"))


async def test_what_is_sent_is_collected_and_the_rest_waits_over_a_restart(make_household: MakeHousehold) -> None:
    household = make_household(limits=Limits(max_requests=3))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, "BatchSubmitted")
        await order(daemon, "pause", "provider fake")
        await daemon.drain()
        # Its answers are there; it has proven the others, which are packed and not sent.
        assert (household.service.creates, len(household.service.executed)) == (1, 3)
        [event] = [event for event in household.events if event.kind == "SendingPaused"]
        assert event.sentence == (
            "Paused provider fake: nothing new is sent. What is at a provider is collected and delivered."
        )
    async with household.living() as daemon:
        await daemon.drain()
        assert household.service.creates == 1
        assert not await daemon.engine.has_work(await daemon.engine.look()), "batchd once need not wait"
        await order(daemon, "resume", "everything")
        await daemon.drain()
    assert (household.service.creates, set(household.service.executed.values())) == (3, {1})
    assert done(household) == ["reviews/may.results.csv"]


async def test_batches_that_are_made_and_not_sent_are_taken_back(make_household: MakeHousehold) -> None:
    for stage in ("BatchPacked", "BatchUploaded"):
        household = make_household()
        household.drop("reviews/may.csv", csv_of(NINE))
        async with household.living() as daemon:
            await daemon.take_in()
            await until(daemon, stage)
            # The action that was found before the order comes after it.
            outlook = await daemon.engine.look()
            await order(daemon, "pause", "everything")
            await daemon.engine.look()
            for due in outlook.due:
                await daemon.engine.perform(due)
            await daemon.drain()
            assert household.service.creates == 0
            await order(daemon, "resume", "everything")
            await daemon.drain()
        assert (household.service.creates, done(household)) == (1, ["reviews/may.results.csv"])


async def test_a_route_that_is_paused_holds_up_no_other(make_household: MakeHousehold) -> None:
    household = make_household(routes=(route(), replace(route(), name="others", match=("others/**",))))
    async with household.living() as daemon:
        await order(daemon, "pause", "route reviews")
        household.drop("reviews/may.csv", csv_of(NINE))
        household.drop("others/june.csv", csv_of(["june"]))
        await daemon.work()
        assert done(household) == ["others/june.results.csv"]
        await order(daemon, "resume", "route reviews")
        await daemon.drain()
    assert done(household) == ["others/june.results.csv", "reviews/may.results.csv"]


async def test_a_daemon_of_some_jobs_alone_obeys_it_too(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        daemon.context.only = frozenset(await daemon.context.store.jobs.ids())
        await order(daemon, "pause", "everything")
        await daemon.drain()
        assert household.service.creates == 0
        assert not await daemon.engine.has_work(await daemon.engine.look())


@pytest.mark.slow
async def test_live_calls_under_way_end_and_no_other_begins(make_household: MakeHousehold) -> None:
    released = asyncio.Event()
    service = LiveService(lambda text, before: said(text))
    service.gate = released.wait
    household = make_household(provider=service, live=LiveTerms(at_once=2), routes=(route(attempts=1, part_rows=100),))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(100):
            if service.in_flight == 2:
                break
            await daemon.step()
        await order(daemon, "pause", "provider fake")
        await daemon.engine.look()
        released.set()
        while service.in_flight:
            await asyncio.sleep(0)
        await daemon.steps(3)
        assert (len(service.asked), service.in_flight) == (2, 0)
        await order(daemon, "resume", "provider fake")
        await daemon.drain()
    assert sorted(service.asked) == NINE
    assert done(household) == ["reviews/may.results.csv"]


async def test_orders_that_change_nothing_are_refused_in_words(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        for kind, target in (
            ("pause", "provider nobody"),
            ("resume", "everything"),
            ("pause", "everything"),
            ("pause", "everything"),
            ("resume", "route reviews"),
        ):
            await order(daemon, kind, target)
            await daemon.engine.look()
        answers = await daemon.context.store.database.read(
            lambda tx: tx.connection.execute("SELECT refused, answer FROM orders ORDER BY id").fetchall()
        )
    assert [tuple(each) for each in answers] == [
        (1, "The running daemon has no provider nobody; nothing was changed."),
        (1, "Nothing is paused."),
        (0, "Everything is paused: nothing new is sent, and what is at a provider is collected and delivered."),
        (1, "Everything is paused already. To go on: batchd resume"),
        (1, "Route reviews is not paused."),
    ]

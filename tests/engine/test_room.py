"""Whom a slow provider keeps waiting: itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from batchd.contracts import RemoteBatch
from batchd.domain import lifecycle
from batchd.domain.subjects import Subject
from batchd.engine.room import Due, Room, urgency
from batchd.model import BatchStatus
from batchd.system.threads import ThreadPools, threads_of
from batchd.testing.fakes import FakeProvider, FakeService

from .conftest import MakeHousehold, csv_of

pytestmark = pytest.mark.field("neighbours")


def full(make: Callable[[str], Due]) -> Room:
    """A room where all of these that may be are under way."""
    room = Room(workers=2)
    number = 0
    while room.has_room_for(due := make(str(number))):
        room.begin(due)
        number += 1
    return room


def test_polls_of_a_provider_leave_room_for_uploads_everywhere() -> None:
    room = full(lambda batch: Due(lifecycle.Poll(batch), "slow"))
    for provider in ("slow", "healthy"):
        assert room.has_room_for(Due(lifecycle.Upload("new"), provider))
        assert room.has_room_for(Due(lifecycle.Submit("new"), provider))
        assert room.has_room_for(Due(lifecycle.Fetch("new"), provider))
    assert room.has_room_for(Due(lifecycle.Poll("new"), "healthy"))


def test_downloads_of_a_provider_leave_room_for_its_polls() -> None:
    room = full(lambda batch: Due(lifecycle.Fetch(batch), "slow"))
    assert room.has_room_for(Due(lifecycle.Poll("new"), "slow"))


def test_deliveries_to_a_sink_leave_room_for_others_and_for_claims() -> None:
    room = full(lambda job: Due(lifecycle.Deliver(job, "webhook")))
    assert room.has_room_for(Due(lifecycle.Deliver("new", "csv")))
    assert room.has_room_for(Due(lifecycle.Claim("new")))


def test_a_create_and_an_upload_come_before_polls() -> None:
    actions = [lifecycle.Poll("a"), lifecycle.Fetch("b"), lifecycle.Upload("c"), lifecycle.Submit("d")]
    due = sorted((Due(action, "slow") for action in actions), key=urgency)
    assert [type(each.action).__name__ for each in due] == ["Submit", "Upload", "Fetch", "Poll"]


async def test_a_call_that_never_ends_is_ended_and_said(make_household: MakeHousehold) -> None:
    class Dripping(FakeProvider):
        dripping = True

        async def poll(self, batch: RemoteBatch) -> BatchStatus:
            while self.dripping:  # it is never silent for long
                await asyncio.sleep(0.01)
            return await super().poll(batch)

    service = FakeService()
    provider = Dripping(service)
    household = make_household(service=service, provider=provider, call_timeout=0.05)
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        while not isinstance(await daemon.step(), lifecycle.Poll):
            pass
        said = (await daemon.context.store.event_log.conditions())[Subject.provider("fake")]
        assert "fake was asked to say how far the batch batch-1 is and was not done after 0 s" in said
        provider.dripping = False
        await daemon.drain()
        assert await daemon.context.store.event_log.conditions() == {}
    assert service.creates == 1


async def test_a_provider_that_is_kept_off_is_not_called(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        daemon.reconfigure(kept_off={Subject.provider("fake"): "The plugin is kept off."})
        await daemon.take_in()
        await daemon.steps(12)
        said = (await daemon.context.store.event_log.conditions())[Subject.provider("fake")]
        assert "The plugin is kept off." in said
        assert household.service.files == {}
        daemon.reconfigure(kept_off={})
        await daemon.drain()
    assert household.service.creates == 1


async def test_what_waits_for_a_plugin_that_is_kept_off_is_no_work(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        daemon.reconfigure(kept_off={Subject.sink("csv"): "The plugin is kept off."})
        await daemon.take_in()
        await daemon.drain()  # so `once` comes to an end
        assert not await daemon.engine.has_work(await daemon.engine.look())
        said = (await daemon.context.store.event_log.conditions())[Subject.sink("csv")]
        assert "The plugin is kept off. To go on without it: `batchd skip-sink" in said
        daemon.reconfigure(kept_off={})
        await daemon.drain()
    assert any(name.endswith("results.csv") for name in household.outbox())


@pytest.mark.parametrize("until", [lifecycle.Plan, lifecycle.Upload, lifecycle.Submit])
async def test_what_waits_for_a_provider_that_is_kept_off_is_no_work(
    make_household: MakeHousehold, until: type[Any]
) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        while not isinstance(await daemon.step(), until):
            pass
        daemon.reconfigure(kept_off={Subject.provider("fake"): "The plugin is kept off."})
        await daemon.drain()
        assert not await daemon.engine.has_work(await daemon.engine.look())
        said = (await daemon.context.store.event_log.conditions())[Subject.provider("fake")]
        assert said == "The plugin is kept off."
        daemon.reconfigure(kept_off={})
        await daemon.drain()
    assert household.service.creates == 1
    assert any(name.endswith("results.csv") for name in household.outbox())


@pytest.mark.slow
async def test_threads_that_hang_are_their_owners_alone() -> None:
    loop = asyncio.get_running_loop()
    pools = ThreadPools(most=2)
    loop.set_default_executor(pools)
    release = asyncio.Event()
    hanging = [time.sleep] * 40

    async def webhook() -> None:
        with threads_of("sink webhook"):
            await asyncio.gather(*(asyncio.to_thread(hang, 0.2) for hang in hanging[:3]))
        release.set()

    task = asyncio.create_task(webhook())
    await asyncio.sleep(0)
    with threads_of("sink other"):
        assert await asyncio.to_thread(lambda: "other") == "other"
    assert await asyncio.to_thread(lambda: "ours") == "ours"
    assert not release.is_set(), "none of these waited for the hanging threads"
    await task
    with threads_of("sink webhook"), pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 / 0)

"""Background work of plugins: begins, begins again, ends."""

from __future__ import annotations

import asyncio
import logging

import pytest

from batchd import DeliveryJob, Observer, ResultRows, Settings, Sink
from batchd.events import Event
from batchd.plugin.background import Background, has_background
from batchd.testing.fakes import FakeClock


class Idle(Sink):
    """Has none."""

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None: ...


class Busy(Observer):
    """Fails as often as it is told to, then works until it is cancelled."""

    def __init__(self, failures: int) -> None:
        super().__init__(Settings())
        self.failures = failures
        self.begun = asyncio.Event()
        self.ended = False

    async def notice(self, event: Event) -> None: ...

    async def background(self) -> None:
        if self.failures:
            self.failures -= 1
            raise KeyError("token")
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


async def test_it_begins_again_after_failures_and_ends_with_the_daemon(caplog: pytest.LogCaptureFixture) -> None:
    busy, clock = Busy(2), FakeClock()
    background = Background(clock)
    before = clock.elapsed
    opening = asyncio.Event()
    with caplog.at_level(logging.WARNING, "batchd"):
        background.start("observer busy", busy, after=opening.wait())
        await asyncio.sleep(0)
        assert busy.failures == 2, "nothing before its aopen"
        opening.set()
        async with asyncio.timeout(5):
            await busy.begun.wait()
    assert not busy.ended
    await background.close()
    assert busy.ended
    assert clock.elapsed - before == pytest.approx(0.875 + 1.75)
    assert [record.getMessage().partition(": KeyError")[0] for record in caplog.records] == [
        "The background work of the observer busy failed"
    ] * 2
    assert "It begins again in 1 s." in caplog.records[0].getMessage()


async def test_who_has_none_gets_no_task() -> None:
    assert not has_background(Idle(Settings()))
    assert has_background(Busy(0))
    before = asyncio.all_tasks()
    Background().start("sink idle", Idle(Settings()))
    assert asyncio.all_tasks() == before

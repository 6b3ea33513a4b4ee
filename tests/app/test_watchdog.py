"""systemd hears signs of life as long as the daemon is alive, however seldom it looks at its inbox, and then no more."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from batchd.app.supervisor import Supervisor
from batchd.system.systemd import Notifier
from batchd.testing.fakes import FakeClock
from batchd.testing.household import Household, Living

PATIENCE = 30.0
WATCHDOG = 60.0
"""Seconds without a sign of life after which systemd would restart the daemon."""
PAUSE = WATCHDOG / 3


class ByHand(FakeClock):
    """A clock whose sleepers wake when a test moves it so far."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._begun: asyncio.Queue[float] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        """Sleep until the time is moved so far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.elapsed + seconds, waker))
        self._begun.put_nowait(seconds)
        await waker

    async def somebody_sleeps(self, seconds: float) -> None:
        """Wait until a sleep of so many seconds begins that was not waited for before."""
        async with asyncio.timeout(PATIENCE):
            while await self._begun.get() != seconds:
                pass

    def advance(self, seconds: float) -> None:
        """Move the time, and wake who has slept so long."""
        super().advance(seconds)
        for at, waker in self._sleepers:
            if at <= self.elapsed and not waker.done():
                waker.set_result(None)
        self._sleepers = [each for each in self._sleepers if not each[1].done()]


class Systemd:
    """The socket on which systemd listens."""

    def __init__(self, path: Path) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(WATCHDOG * 1_000_000))}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """What has come since, but for words for people."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return [each for each in messages if not each.startswith("STATUS=")]

    def close(self) -> None:
        self._socket.close()


@asynccontextmanager
async def supervised(
    folder: Path, clock: ByHand, systemd: Systemd, rescan: Callable[[], float]
) -> AsyncIterator[Living]:
    """A daemon that works, until the end of the block."""
    household = Household(folder / "house", clock=clock)
    async with household.living() as living:
        ours = Supervisor(
            living.context, living.engine, living.intake, rescan=rescan, notifier=Notifier(systemd.environment)
        )
        running = asyncio.create_task(ours.run())
        try:
            yield living
        finally:
            ours.stop()
            await running


async def test_it_is_alive_while_no_look_is_due_and_not_while_a_look_hangs(tmp_path: Path) -> None:
    clock, systemd = ByHand(), Systemd(tmp_path / "notify")
    goes_on, hangs, loop = threading.Event(), asyncio.Event(), asyncio.get_running_loop()
    looks: list[float] = []

    def rescan() -> float:
        looks.append(clock.elapsed)
        if len(looks) == 2:
            # As a call to a share whose server has gone.
            loop.call_soon_threadsafe(hangs.set)
            goes_on.wait(PATIENCE)
        return 3.5 * PAUSE

    async with supervised(tmp_path, clock, systemd, rescan) as living:
        await clock.somebody_sleeps(PAUSE)
        assert systemd.heard() == ["READY=1"]
        for _ in range(3):
            clock.advance(PAUSE)
            await clock.somebody_sleeps(PAUSE)
            assert systemd.heard() == ["WATCHDOG=1"]
        assert len(looks) == 1
        clock.advance(PAUSE / 2)
        async with asyncio.timeout(PATIENCE):
            await hangs.wait()
        for _ in range(4):
            clock.advance(PAUSE)
            for _ in range(10):  # the database answers, so a sign of life would come
                await living.context.store.event_log.beat(0)
        assert systemd.heard() == []
        goes_on.set()
        await clock.somebody_sleeps(PAUSE)
        assert systemd.heard() == ["WATCHDOG=1"]
    assert systemd.heard()[-1] == "STOPPING=1"
    systemd.close()

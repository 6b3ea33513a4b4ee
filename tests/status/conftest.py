"""A feed of events on a real database, and observers that tests can look into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batchd import Observer, Settings
from batchd.domain.records import Job, JobState
from batchd.domain.routing import PluginSpec, Route
from batchd.events import Event, JobFailed
from batchd.events.groups import every_kind
from batchd.status.feed import ConfiguredObserver, ObserverFeed
from batchd.store.database import Database
from batchd.store.store import Store
from batchd.testing.empty_database import put_empty_database
from batchd.testing.fakes import FakeClock

PATIENCE = 60.0


class Notebook(Observer[Settings]):
    """Writes down what it hears, once `on_notice` has let it."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.heard: list[Event] = []
        self.calls: list[str] = []
        self.on_notice: Callable[[Event], Awaitable[None]] | None = None
        self.on_open: Callable[[], Awaitable[None]] | None = None
        self._changed = asyncio.Condition()

    async def aopen(self) -> None:
        await self._call("aopen")
        if self.on_open is not None:
            await self.on_open()

    async def notice(self, event: Event) -> None:
        await self._call(f"notice {event.job}")
        if self.on_notice is not None:
            await self.on_notice(event)
        async with self._changed:
            self.heard.append(event)
            self._changed.notify_all()

    async def aclose(self) -> None:
        await self._call("aclose")

    @property
    def jobs(self) -> list[str | None]:
        """The jobs of the events that it has heard."""
        return [event.job for event in self.heard]

    async def has_called(self, call: str, times: int = 1) -> None:
        """Wait until a method was called so often."""
        await self._until(lambda: self.calls.count(call) >= times)

    async def has_heard(self, number: int) -> None:
        """Wait until it has heard so many events."""
        await self._until(lambda: len(self.heard) >= number)

    async def _call(self, call: str) -> None:
        async with self._changed:
            self.calls.append(call)
            self._changed.notify_all()

    async def _until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(so)


class Rig:
    """The folder of one state, and the daemons on it one after the other, as far as observers see them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "batchd.db"
        self.clock = FakeClock()
        self.feed: ObserverFeed
        self.store: Store

    @asynccontextmanager
    async def running(self, **observers: ConfiguredObserver) -> AsyncIterator[None]:
        """A feed that tells these."""
        self.feed = ObserverFeed(self.clock)
        put_empty_database(self.path)
        database = await Database.open(self.path, now=self.clock.now, on_event=self.feed.heard)
        self.store = Store(database)
        try:
            await self.feed.start(self.store.observers, observers)
            yield
            await self.feed.close(PATIENCE)
        finally:
            await self.feed.close(0.0)
            await database.close()

    async def take(self, job: str, route: str) -> None:
        """A file of this route is taken from the inbox."""
        record = Job(
            id=job,
            state=JobState.CLAIMING,
            source=f"{job}.csv",
            inbox_path=job.encode(),
            stamp=(1, 2, 3, 4),
            route=Route(name=route, match=(), provider="p", model="m", prompt=PluginSpec("template")),
            size=2,
            claimed_at=1.0,
        )
        await self.store.jobs.begin_claims([record])
        await self.store.jobs.claimed(record, (1, 2, 3, 4))

    async def happen(self, *jobs: str) -> None:
        """Each of these jobs fails."""
        await self.store.event_log.record(*(JobFailed(job=job, reason="x") for job in jobs))


def hearing(plugin: Observer[Settings], *kinds: type[Event]) -> ConfiguredObserver:
    """Configured to hear these, or everything."""
    return ConfiguredObserver(plugin, frozenset(kind.__name__ for kind in kinds) or every_kind())


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)

"""Observers in a whole daemon: which are made, what they hear, and what becomes of those that misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from batchd import events
from batchd.app.daemon import Daemon, daemon
from batchd.events import Event

from .conftest import prepared

PLUGIN = """
from pathlib import Path

from batchd import Observer, Settings, hookimpl
from batchd.testing.fakes import FakeProvider, FakeService


class Fake(FakeProvider):
    def __init__(self, settings):
        super().__init__(FakeService())


class Notes(Observer):
    class Settings(Settings):
        file: str

    async def notice(self, event):
        with Path(self.settings.file).open("a") as file:
            file.write(f"{event.kind} {event.job}\\n")


class Needy(Observer):
    class Settings(Settings):
        url: str

    def __init__(self, settings):
        raise RuntimeError("nobody asked for this one")

    async def notice(self, event):
        raise RuntimeError("nobody told this one")


@hookimpl
def register_providers(register):
    register("fake", Fake)


@hookimpl
def register_observers(register):
    register("notes", Notes)
    register("needy", Needy)
"""
CONFIG = """
plugin_dir = "plugins.d"

[providers.fake]

[routes.reviews]
provider = "fake"
model = "small"
prompt = { plugin = "template", user = "Review: {{ review }}" }
"""
NOTES = '[observers.notes]\nfile = "noted"\n'

Start = Callable[[str], AbstractAsyncContextManager[Daemon]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for daemons, with plugins."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start(house: Path) -> Start:
    """A daemon put together for the folder, with these tables of observers; it takes no files by itself."""

    @asynccontextmanager
    async def start(observers: str) -> AsyncIterator[Daemon]:
        config, catalogue = prepared(house, CONFIG + observers, PLUGIN)
        async with daemon(config, catalogue, workers=1, watch=False) as ours:
            yield ours

    return start


async def happen(ours: Daemon, *what: Event) -> None:
    """These events are committed."""
    await ours.context.store.event_log.record(*what)


def noted(house: Path) -> list[str]:
    """What the observer has noted."""
    return (house / "noted").read_text().splitlines() if (house / "noted").exists() else []


async def test_a_plugin_that_no_table_names_is_neither_made_nor_told(start: Start, house: Path) -> None:
    async with start("") as ours:
        await happen(ours, events.JobCancelled(job="one"))
    assert noted(house) == []


async def test_an_observer_hears_what_it_asks_for(start: Start, house: Path) -> None:
    async with start(NOTES + 'events = ["failed", "JobCancelled"]\n') as ours:
        for number, kind in enumerate((events.JobCancelled, events.JobFailed, events.JobRetried)):
            more = {"reason": "x"} if kind is events.JobFailed else {"rows": 1} if kind is events.JobRetried else {}
            await happen(ours, kind(job=str(number), **more))
    assert noted(house) == ["JobCancelled 0", "JobFailed 1"]

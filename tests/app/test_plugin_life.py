"""What a plugin has in a daemon: a folder of its own, and background work that ends with the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from batchd.app.daemon import daemon

from .conftest import prepared

if TYPE_CHECKING:
    import pytest

PLUGIN = """
import asyncio

from batchd import Observer, Sink, hookimpl
from batchd.testing.fakes import FakeProvider, FakeService


class Living:
    async def background(self):
        (self.state_folder / "begun").touch()
        try:
            await asyncio.Event().wait()
        finally:
            (self.state_folder / "ended").touch()


class LivingProvider(Living, FakeProvider):
    def __init__(self, settings):
        super().__init__(FakeService())


class LivingSink(Living, Sink):
    async def publish(self, job, rows):
        pass


class LivingObserver(Living, Observer):
    async def notice(self, event):
        pass


@hookimpl
def register_providers(register):
    register("fake", LivingProvider)


@hookimpl
def register_sinks(register):
    register("store", LivingSink)


@hookimpl
def register_observers(register):
    register("ear", LivingObserver)
"""
CONFIG = """
plugin_dir = "plugins.d"

[providers.fake]

[sinks.archive]
plugin = "store"

[observers.ear]

[routes.reviews]
provider = "fake"
model = "small"
sinks = ["archive"]
prompt = { plugin = "template", user = "Review: {{ review }}" }
"""


async def test_background_work_lives_as_long_as_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config, catalogue = prepared(tmp_path, CONFIG, PLUGIN)
    folders = [tmp_path / "state" / "plugins" / each for each in ("providers/fake", "sinks/archive", "observers/ear")]
    async with daemon(config, catalogue, watch=False, workers=1), asyncio.timeout(10):
        while not all((folder / "begun").exists() for folder in folders):
            await asyncio.sleep(0.005)
        assert not any((folder / "ended").exists() for folder in folders)
    assert all((folder / "ended").exists() for folder in folders)

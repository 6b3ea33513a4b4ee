"""A reload puts new providers and sinks in the place of the old ones, which are closed when nobody needs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from batchd.app.daemon import Daemon, daemon
from batchd.app.reload import reload

from .conftest import prepared

SERVICE = """
import asyncio
from pathlib import Path

from batchd import Sink, hookimpl
from batchd.testing.fakes import FakeProvider, FakeService

HERE = Path(__file__).parent.parent
SERVICE = FakeService(lambda body: "fine")


def say(text):
    with (HERE / "said").open("a") as file:
        file.write(text + "\\n")


class Slow(FakeProvider):
    def __init__(self, settings):
        super().__init__(SERVICE)

    async def upload(self, submission):
        say("upload begins")
        while not (HERE / "go").exists():
            await asyncio.sleep(0.01)
        say("upload ends")
        return await super().upload(submission)

    async def aclose(self):
        say("provider closed")


class Broken(Sink):
    async def publish(self, job, rows):
        pass

    async def aclose(self):
        say("sink closed")
        raise KeyError("oops")


@hookimpl
def register_providers(register):
    register("slow", Slow)


@hookimpl
def register_sinks(register):
    register("broken", Broken)
"""
CONFIG = """
plugin_dir = "plugins.d"

[intake]
settle = "1ms"
rescan = "20ms"

[providers.slow]
linger = "0s"
poll = "50ms"

[sinks.broken]

[routes.reviews]
provider = "slow"
model = "small"

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{ review }}"
"""


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Path, Daemon]]:
    """A folder, and a daemon at work in it."""
    monkeypatch.chdir(tmp_path)
    config, catalogue = prepared(tmp_path, CONFIG, SERVICE)
    async with daemon(config, catalogue, workers=1, watch=False) as ours:
        running = asyncio.create_task(ours.supervisor.run())
        yield tmp_path, ours
        ours.supervisor.stop()
        await running
    said = (tmp_path / "said").read_text().splitlines()
    assert said.count("provider closed") == said.count("sink closed") == 2, "each once"


async def until_said(folder: Path, *lines: str) -> None:
    """Wait until these lines, and nothing else, were said."""
    async with asyncio.timeout(60):
        while not (folder / "said").exists() or (folder / "said").read_text().splitlines() != list(lines):
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_what_was_replaced_is_closed_once_its_calls_have_ended(
    house: tuple[Path, Daemon], caplog: pytest.LogCaptureFixture
) -> None:
    folder, ours = house
    (folder / "inbox" / "reviews").mkdir(exist_ok=True)
    (folder / "inbox" / "reviews" / "may.csv").write_text("id,review\n1,good\n")
    await until_said(folder, "upload begins")
    await reload(ours)
    assert (folder / "said").read_text() == "upload begins\n", "its call goes on"
    (folder / "go").touch()
    await until_said(folder, "upload begins", "upload ends", "provider closed", "sink closed")
    assert "The sink broken failed while it was closed: 'oops'" in caplog.text

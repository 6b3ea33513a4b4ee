"""`[workers]`: a plugin runs what works on files, and what stays on this machine stays here."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.app.once import once
from batchd.errors import PluginError

from .conftest import prepared

pytestmark = pytest.mark.slow

PLUGINS = """
from pathlib import Path

from batchd import Executor, Settings, hookimpl
from batchd.testing.fakes import FakeProvider, FakeService

HERE = Path(__file__).parent.parent


def say(text):
    with (HERE / "said").open("a") as file:
        file.write(text + "\\n")


class NotingSettings(Settings):
    number_after: int | None = None
    closing: bool = True


class Noting(Executor):
    Settings = NotingSettings

    async def aopen(self):
        say(f"asked for {self.number}")
        if self.settings.number_after is not None:
            self.number = self.settings.number_after

    async def aclose(self):
        say("closed")
        if not self.settings.closing:
            raise KeyError("the key of the door")

    async def run(self, function, task):
        say(function.__name__)
        return function(task)


class Shut(Executor):
    async def aopen(self):
        raise OSError("no route to the cluster")

    async def run(self, function, task):
        pass


class Quick(FakeProvider):
    def __init__(self, settings):
        super().__init__(FakeService(lambda body: "fine"))


@hookimpl
def register_executors(register):
    register("noting", Noting)
    register("shut", Shut)


@hookimpl
def register_providers(register):
    register("quick", Quick)
"""
CONFIG = """
plugin_dir = "plugins.d"

[intake]
settle = "1ms"
rescan = "20ms"

[providers.quick]
linger = "0s"
poll = "1ms"

[routes.reviews]
provider = "quick"
model = "small"
{reuse}

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{{{ review }}}}"

[workers]
{workers}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a configuration and its plugins lie."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def said_by(folder: Path, workers: str, *, reuse: str = "", number: int | None = None) -> list[str]:
    """Work on one file, and what the executor of the plugin says then."""
    config, catalogue = prepared(folder, CONFIG.format(workers=workers, reuse=reuse), PLUGINS)
    (folder / "inbox" / "reviews" / "may.csv").write_text("id,review\n1,good\n2,bad\n")
    outcome = await once(config, catalogue, workers=number)
    assert outcome.exit_status == 0
    said = folder / "said"
    return said.read_text().splitlines() if said.exists() else []


async def test_parts_are_worked_on_by_the_configured_executor(folder: Path) -> None:
    said = await said_by(folder, 'executor = "noting"\nnumber = 3')
    assert said[0] == "asked for 3"
    assert said[1:4] == ["load_plugins"] * 3, "one for each task at a time"
    assert said[4:] == ["plan", "collect", "closed"], "a file is read, and a batch distributed, on this machine"


async def test_the_command_line_overrides_the_number(folder: Path) -> None:
    assert (await said_by(folder, 'executor = "noting"\nnumber = 3', number=1))[0] == "asked for 1"


async def test_where_answers_are_reused_parts_stay_on_this_machine(folder: Path) -> None:
    """The database of answers lies on its disk."""
    said = await said_by(folder, 'executor = "noting"\nnumber = 1', reuse='reuse = "1d"')
    assert said == ["asked for 1", "load_plugins", "closed"]


async def test_without_a_name_workers_are_processes_of_this_machine(folder: Path) -> None:
    assert await said_by(folder, "number = 1") == []


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        ('executor = "shut"\nnumber = 2', 'executor "shut" could not be opened: OSError: no route to the cluster'),
        ('executor = "noting"', 'executor "noting" breaks its contract: after aopen.. its number is 0'),
        ('executor = "noting"\nnumber_after = -1', "its number is -1, not 1 or more"),
    ],
)
async def test_one_that_cannot_be_opened_ends_the_start_in_words(folder: Path, workers: str, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        await said_by(folder, workers)


async def test_one_that_fails_to_close_is_named_in_the_log(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    await said_by(folder, 'executor = "noting"\nnumber = 1\nclosing = false')
    assert "The executor \"noting\" failed to close: 'the key of the door'" in caplog.text

"""Commands that call no provider start in a blink, and import nothing that they do not need."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ..cases import share
from .cli_kit import environment, finished_house

MAX_TIMES = 3.0
RUNS = 9


def cpu_of(command: list[str], cwd: Path) -> float:
    """Seconds of processor that a process takes, its own and the system's for it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


@pytest.mark.speed
def test_status_takes_less_than_three_times_importing_click(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    click = [sys.executable, "-c", "import click"]
    status = [sys.executable, "-m", "batchd", "status"]
    # Taken in turns and the least of each, so that what else the machine does hits both alike.
    times = [(cpu_of(click, house.folder), cpu_of(status, house.folder)) for _ in range(RUNS)]
    least, ours = min(one for one, _ in times), min(other for _, other in times)
    assert ours < MAX_TIMES * least, f"{ours * 1000:.0f} ms against {least * 1000:.0f} ms for click"


def imported_by(cwd: Path, *arguments: str) -> set[str]:
    """The top-level packages that a call imports, ours with their modules."""
    command = [sys.executable, "-X", "importtime", "-m", "batchd", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode in {0, 5}, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


QUICK = [
    ("status",),
    ("status", "may.csv"),
    ("status", "--json"),
    ("events", "may.csv"),
    ("cancel", "may.csv"),
    ("retry", "may.csv"),
    ("state", "path"),
    ("completion", "bash"),
    ("--version",),
    ("--help",),
    ("status", "--help"),
]


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house that these commands change nothing of, but for orders that nobody carries out."""
    house, _ = finished_house(tmp_path_factory.mktemp("looked-at") / "house")
    return house.folder


@pytest.mark.slow
@pytest.mark.parametrize("arguments", share(QUICK), ids=" ".join)
def test_quick_commands_import_nothing_heavy(looked_at: Path, arguments: tuple[str, ...]) -> None:
    modules = imported_by(looked_at, *arguments)
    packages = {name.partition(".")[0] for name in modules}
    assert packages.isdisjoint({"anthropic", "openai", "pydantic", "aiosqlite", "rich", "jinja2", "watchdog"})
    # It takes 15 ms. Commands that look at jobs save more than that, since they define dozens of its structs.
    assert "msgspec" not in packages or arguments[0] not in {"completion", "--version"}
    if arguments != ("--help",):  # which asks plugins for their commands
        plugins = {
            "batchd_anthropic",
            "batchd_files",
            "batchd_inline",
            "batchd_openai",
            "batchd_prompts",
            "batchd_sandbox",
        }
        assert packages.isdisjoint({"asyncio", "pluggy", *plugins})


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    share(
        [
            ("init", "elsewhere"),
            ("plugins",),
            ("config", "get", "routes"),
            ("check", "--offline"),
            ("sandbox", "--help"),
            ("demo", "--help"),
        ]
    ),
    ids=" ".join,
)
def test_nothing_that_calls_no_provider_imports_openai(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "config.toml").write_text(DEFAULT)
    assert "openai" not in imported_by(tmp_path, *arguments)


OPENED = """
import asyncio, sys
from pathlib import Path
from batchd.app.instances import Instances
from batchd.app.load import load
from batchd.live.lanes import Lanes
from batchd.store.spool import Spool
from batchd.system.clock import Clock

async def opened():
    config, catalogue = load(Path("config.toml"))
    instances = Instances.of(config, catalogue, Lanes(Spool(Path("state")), Clock()))
    await asyncio.gather(*instances.configured(config, catalogue).opening.values())

asyncio.run(opened())
print("aiohttp" in sys.modules, "openai" in sys.modules)
"""
LIVE = """
[providers.near]
plugin = "openai"
mode = "live"
base_url = "http://127.0.0.1:1/v1"
api_key = "none"

[routes.reviews]
provider = "near"
model = "m"
prompt = { plugin = "template", user = "{{ text }}" }
"""


@pytest.mark.slow
def test_a_provider_of_live_calls_alone_opens_without_the_sdk(tmp_path: Path) -> None:
    """Importing it takes about as long as 4,000 calls."""
    (tmp_path / "config.toml").write_text(LIVE)
    command = [sys.executable, "-c", OPENED]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "False"], done.stderr[-2000:]


DEFAULT = (Path(__file__).parents[2] / "config.toml").read_text()

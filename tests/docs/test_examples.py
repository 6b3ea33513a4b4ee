"""The plugins in examples/plugins do what they say, one by one and together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from batchd import Observer, Sink
from batchd.domain.routing import PluginSpec, Route
from batchd.plugin.catalogue import Catalogue
from batchd.testing.conformance import (
    ExecutorConformance,
    ObserverConformance,
    SinkConformance,
)
from batchd.testing.household import Household
from tests.cases import EVERY_CASE, share
from tests.sinks_plugin.receiver import Receiver

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
PLUGINS = EXAMPLES / "plugins"


SHORT_FORM = "not (memory_does_not_grow or importing_it_is_cheap or many_tasks or given_twice or let_go)"
"""Without what takes a process a plugin, where one for all of them shows the same, or a process a task again and again."""
IMPORT_ALL = """
import runpy, sys
import batchd.contracts, batchd.hookspecs
tops = lambda: {name.partition(".")[0] for name in sys.modules}
before = tops()
for path in sys.argv[1:]:
    runpy.run_path(path)
print(*sorted(tops() - before - sys.stdlib_module_names - {"__mp_main__"}))
"""


def brought_in_by(*modules: Path) -> list[str]:
    """The packages of others that these modules import together, beyond what batchd does."""
    command = [sys.executable, "-c", IMPORT_ALL, *map(str, modules)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def made(role: str, kind: str, **settings: Any) -> Any:
    return Catalogue.load(PLUGINS).create(role, kind, settings)


class TestPost(SinkConformance):
    """The receiver keeps what it gets by its key."""

    rows_to_compare = (1_000, 8_000)

    def setup_method(self) -> None:
        self.receiver = Receiver()

    def teardown_method(self) -> None:
        self.receiver.close()
        super().teardown_method()

    def make(self) -> Sink[Any]:
        sink: Sink[Any] = made("sink", "post", url=self.receiver.url, secret="s3cret")
        return sink

    def seen(self) -> Any:
        return dict(self.receiver.pages)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("RAY_ADDRESS"), reason="RAY_ADDRESS names no Ray cluster")
class TestRay(ExecutorConformance):
    """The other one, on a cluster that is there."""

    def make(self) -> Any:
        return made("executor", "ray", address=os.environ["RAY_ADDRESS"])


class TestHeartbeat(ObserverConformance):
    def setup_method(self) -> None:
        self.receiver = Receiver()

    def teardown_method(self) -> None:
        self.receiver.close()
        super().teardown_method()

    def make(self) -> Observer[Any]:
        observer: Observer[Any] = made("observer", "heartbeat", url=self.receiver.url)
        return observer


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The observer writes where the process is; in a daemon that is beside the config."""
    monkeypatch.chdir(tmp_path)


async def test_a_file_goes_all_the_way_through_reader_prompt_provider_and_sink(tmp_path: Path) -> None:
    household = Household(
        tmp_path / "house",
        provider=made("provider", "echo"),
        routes=[
            Route(
                name="texts",
                match=("*.txt",),
                provider="fake",
                model="any",
                prompt=PluginSpec("language"),
                sinks=("markdown", "csv"),
                attempts=1,
            )
        ],
        plugin_dir=PLUGINS,
    )
    household.drop("may.txt", "Bonjour\n\nfür|dich\n")
    async with household.living() as living:
        await living.take_in()
        await living.drain()
    outbox = household.outbox()
    assert sorted(outbox) == ["may.failed.csv", "may.report.json", "may.results.csv", "may.results.md"]
    table = outbox["may.results.md"].decode().splitlines()
    # Echoed, the question is no word; so the rows fail, by name. The empty line is no row.
    assert table[0] == "| text | language | status |"
    assert table[2:] == ["| Bonjour |  | failed |", "| für\\|dich |  | failed |"]
    codes = {failure["code"]: failure["rows"] for failure in household.report("may.report.json")["failures"]}
    assert codes == {"not_one_word": 2}


async def test_the_echo_answers_with_the_question(tmp_path: Path) -> None:
    household = Household(
        tmp_path / "house",
        provider=made("provider", "echo"),
        routes=[
            Route(
                name="texts",
                match=("*.txt",),
                provider="fake",
                model="any",
                prompt=PluginSpec("template", {"user": "{{ text }}?"}),
                sinks=("markdown",),
            )
        ],
        plugin_dir=PLUGINS,
    )
    household.drop("may.txt", "Bonjour\n")
    async with household.living() as living:
        await living.take_in()
        await living.drain()
    assert household.outbox()["may.results.md"].decode().splitlines()[2] == "| Bonjour | Bonjour? | ok |"


@pytest.mark.third
@pytest.mark.slow(seconds=5)
def test_the_tests_of_the_examples_pass(tmp_path: Path) -> None:
    """As an author runs them, in a folder of their own; half of them, all with BATCHD_EVERY_CASE=1."""
    options = [
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "-W",
        "error",
        *([] if EVERY_CASE else ["-k", SHORT_FORM]),
    ]
    chosen = map(str, share(sorted((EXAMPLES / "plugin_tests").glob("test_*.py")), 2))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, *chosen],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PLUGINS), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_import_of_an_example_brings_in_what_only_its_object_needs() -> None:
    assert brought_in_by(*PLUGINS.glob("*.py")) == []


def test_the_tally_counts(tmp_path: Path) -> None:
    results = tmp_path / "may.results.csv"
    results.write_text("\ufefftext,status\na,ok\nb,failed\nc,ok\n", "utf-8")
    command = Catalogue.load(PLUGINS).commands()["tally"]()
    done = CliRunner().invoke(command, [str(results)])
    assert (done.exit_code, done.output) == (0, "failed: 1\nok: 2\n")


def test_each_example_is_a_plugin_of_its_own() -> None:
    catalogue = Catalogue.load(PLUGINS, tolerant=True)
    assert catalogue.broken == ()
    offered = {offer.plugin for offer in catalogue.offers if offer.where.startswith(str(PLUGINS))}
    assert offered == {path.stem for path in PLUGINS.glob("*.py")}


def test_there_is_an_example_for_each_hook() -> None:
    catalogue = Catalogue.load(PLUGINS)
    roles = {offer.role for offer in catalogue.offers if offer.where.startswith(str(PLUGINS))}
    assert {role.hook for role in roles} == {
        f"register_{each}s"
        for each in ("reader", "prompt_builder", "provider", "sink", "observer", "executor", "service", "command")
    }

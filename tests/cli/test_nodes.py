"""`batchd nodes`, and what `batchd check` says of machines that workers run on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .cli_kit import here
from .test_running import real_house

pytestmark = pytest.mark.slow

RACK = """
from batchd import Executor, Node, Settings, hookimpl


class RackSettings(Settings):
    empty: bool = False


class Rack(Executor):
    Settings = RackSettings

    async def aopen(self):
        self.number = self.number or 6
        if self.settings.empty:
            self.trouble = "The rack is empty."

    def nodes(self):
        if self.settings.empty:
            return []
        here = self.hello.here
        return [
            Node("rack-1", here.batchd, here.python, here.plugins, here.plugin_files, 4, ("plan of job x7", "collect")),
            Node("rack-2", "0.1", here.python, slots=2, fault="it has batchd 0.1. Install the same there."),
            Node("rack-3", here.batchd, here.python, slots=2),
        ]

    async def run(self, function, task):
        raise AssertionError


@hookimpl
def register_executors(register):
    register("rack", Rack)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return real_house(tmp_path / "house") / "config.toml"


def with_rack(config: Path, more: str = "") -> Path:
    (config.parent / "plugins.d" / "rack.py").write_text(RACK)
    config.write_text(f'{config.read_text()}\n[workers]\nexecutor = "rack"\n{more}\n')
    return config


def test_on_one_machine_it_says_so(config: Path) -> None:
    config.write_text(f"{config.read_text()}\n[workers]\nnumber = 3\n")
    said = here("nodes", config=config)
    assert (said.status, said.out) == (0, "Workers run on this machine alone: 3 tasks at a time.\n")


def test_each_machine_has_a_line(config: Path) -> None:
    said = here("nodes", config=with_rack(config))
    first, second, third = said.out.splitlines()
    assert said.status == 0
    assert first.startswith("✓ rack-1: 4 tasks at a time, batchd ")
    assert first.endswith("; plan of job x7, collect")
    assert second == "✗ rack-2: is not used: it has batchd 0.1. Install the same there."
    assert third.endswith("; idle")
    record = here("nodes", "--json", config=config).json()
    assert (record["executor"], record["number"], record["trouble"]) == ("rack", 6, None)
    assert [node["fault"] for node in record["nodes"]] == [None, "it has batchd 0.1. Install the same there.", None]
    assert record["nodes"][0]["running"] == ["plan of job x7", "collect"]
    checked = json.loads(here("check", "--json", config=config).out)
    found = {each["subject"]: (each["level"], each["text"]) for each in checked["results"]}
    assert found["node rack-2"] == ("wrong", "batchd does not use it: it has batchd 0.1. Install the same there.")
    assert found["workers rack"] == ("ok", "2 nodes can be used: 6 tasks at a time.")
    assert checked["exit_status"] == 5


def test_without_a_machine_nothing_can_be_done(config: Path) -> None:
    said = here("nodes", config=with_rack(config, "empty = true"))
    assert (said.status, said.out) == (5, "The rack is empty.\n")
    checked = json.loads(here("check", "--json", config=config).out)
    assert {"subject": "workers rack", "level": "wrong", "text": "The rack is empty."} in checked["results"]
    assert not (config.parent / "state").exists(), "it asks, and leaves nothing"

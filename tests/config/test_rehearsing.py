"""Plugins that block, or end the process, while they are loaded: named, kept off, and nothing else stops for them."""

from __future__ import annotations

import os
from pathlib import Path
from random import randrange
from unittest import mock

import pytest

from batchd.app.load import load
from batchd.config.checking.rehearsing import found, loaded_plugins, to_keep_off
from batchd.plugin.absent import PluginOff
from batchd.plugin.catalogue import Catalogue, Role
from batchd.plugin.kept_off import not_loaded
from batchd.status.places import Places

from ..durability.nursery import EXECUTED

pytestmark = pytest.mark.field("neighbours")

SINK = """
import os, sys, time
import batchd


class Hook(batchd.Sink):
    def __init__(self, settings):
        {made}

    async def publish(self, job, rows): ...


@batchd.hookimpl
def register_sinks(register):
    {hook}
    register("{kind}", Hook)


{imported}
"""
CONFIG = """
plugin_dir = "plugins.d"

[plugins]
may_block = "1s"

[providers.none]
plugin = "openai"
base_url = "http://127.0.0.1:9/v1"
api_key = "none"

[sinks.hook]
plugin = "hook"

[routes.plain]
provider = "none"
model = "m"
sinks = ["csv"]
prompt.plugin = "template"
prompt.user = "{{ review }}"

[routes.hooked]
provider = "none"
model = "m"
sinks = ["csv", "hook"]
prompt.plugin = "template"
prompt.user = "{{ review }}"
"""
SEGFAULT = "import ctypes; ctypes.string_at(0)"
LOOP = "sum(range(10 ** 14))"
CASES = [
    ("slept", {"imported": "time.sleep(10_000)"}, "its import did not return within 1 s (", "slept.py, line 19)"),
    ("looped", {"hook": LOOP}, "its hook register_sinks did not return within 1 s (", "looped.py, line 15)"),
    ("left", {"imported": "os._exit(0)"}, "its import ended the process with status 0", ""),
    ("left2", {"hook": "os._exit(3)"}, "its hook register_sinks ended the process with status 3", ""),
    ("segv", {"imported": SEGFAULT}, "its import ended the process: Segmentation fault (", "segv.py, line 19)"),
    ("keys", {"hook": "raise KeyboardInterrupt"}, "its hook register_sinks raised KeyboardInterrupt", ""),
    (
        "hook",
        {"made": "time.sleep(10_000)", "kind": "hook"},
        'the sink "hook" did not return within 1 s (',
        "hook.py, line 8)",
    ),
]
BROKEN = [
    ("base", {"imported": 'raise type("Mine", (BaseException,), {})("no")'}, "it cannot be imported: Mine: no"),
    ("exits", {"hook": "sys.exit(4)"}, "its hook register_sinks raised SystemExit: 4"),
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "plugins.d").mkdir()
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def put(config: Path, name: str, **code: str) -> None:
    source = SINK.format(**{"made": "pass", "hook": "pass", "imported": "", "kind": name} | code)
    (config.parent / "plugins.d" / f"{name}.py").write_text(source)


@pytest.mark.slow(seconds=5)
def test_each_is_named_with_what_it_did_and_all_else_is_loaded(config: Path) -> None:
    # Each takes a process or two. Half of them, other ones in each run, unless all are asked for.
    every_case = os.environ.get("BATCHD_EVERY_CASE") == "1"
    cases = CASES if every_case else [*CASES[:-1][randrange(2) :: 2], CASES[-1]]
    put(config, "good")
    for name, code, *_ in (*cases, *BROKEN):
        put(config, name, **code)
    off = to_keep_off(config)
    faults = [f"{name}: {off.get(name)}" for name, _, *words in cases if any(each not in off[name] for each in words)]
    assert not faults, "\n".join(faults)
    assert off.keys() == {name for name, *_ in cases}
    # It is noted: the next start waits for none of them, and status and the list of plugins say it.
    assert not_loaded(found(config)) == off
    assert {each.subject.name for each in Places.of(config).blocked()} == off.keys()
    listed = loaded_plugins(config)
    assert {each.plugin: each.reason for each in listed.kept_off} == off
    broken = {each.plugin: each.reason for each in listed.broken if not each.kept_off}
    assert [name for name, _, reason in BROKEN if reason not in broken[name]] == []
    # What needs one of them waits; the configuration can be used for all else.
    loaded, catalogue = load(config, off)
    assert [route.name for route in loaded.routes] == ["plain", "hooked"]
    assert catalogue.absent("sink", "hook") == f'The sink "hook" is not there. {off["hook"]}'
    assert catalogue.create("sink", "good", {}) is not None
    # A change of a plugin has all tried again: here in a Python of its own, as people have it.
    put(config, "hook")
    with mock.patch("subprocess.Popen", EXECUTED):
        assert "hook" not in not_loaded(found(config))


METHODS = {Role.SINK: "publish", Role.PROVIDER: "submit", Role.READER: "read", Role.PROMPT_BUILDER: "build"}


async def test_something_stands_in_for_what_a_plugin_has_that_is_kept_off(config: Path) -> None:
    put(config, "till", imported="raise RuntimeError('this must not be imported')")
    catalogue = Catalogue.load(config.parent / "plugins.d", off={"till": "The plugin is off."})
    assert [each.sentence for each in catalogue.kept_off] == ["The plugin is off."]
    for role, method in METHODS.items():
        made = catalogue.create(role, "till", {"any": ["key"]})
        with pytest.raises(PluginOff, match="is not there. The plugin is off."):
            answer = getattr(made, method)(None)
            await answer
    assert catalogue.absent("sink", "cvs") is None, "the nearest name is more likely"
    assert catalogue.absent("executor", "till") is None, "nothing can be done without one"

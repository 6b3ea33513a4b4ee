"""`[plugins] disabled`: what is left out, by which names, and who says so."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.routing import PluginSpec
from batchd.errors import PluginError
from batchd.plugin.catalogue import Catalogue
from batchd.workers.worker_plugins import load_plugins

SINKS = """
    from pathlib import Path
    from batchd import Sink, hookimpl

    Path(__file__).with_suffix(".loaded").touch()


    class Quiet(Sink):
        async def publish(self, job, rows): ...


    @hookimpl
    def register_sinks(register):
        for kind in {kinds}:
            register(kind, Quiet)
"""
Folder = Callable[..., Path]


def sinks(*kinds: str) -> str:
    """A plugin that leaves a mark where it is loaded."""
    return SINKS.replace("{kinds}", repr(kinds))


def test_a_plugin_that_is_disabled_is_not_imported(folder: Folder) -> None:
    where = folder(noisy=sinks("one"), other=sinks("two"))
    catalogue = Catalogue.load(where, ["noisy"])
    assert catalogue.kinds("sink") == ["two"]
    assert [path.name for path in where.glob("*.loaded")] == ["other.loaded"]
    [left_out] = catalogue.disabled
    assert left_out.sentence == f'The plugin "noisy" of {where}/noisy.py is not loaded.'
    assert catalogue.is_disabled("sink", "noisy")
    assert not catalogue.is_disabled("sink", "two")


@pytest.mark.parametrize("name", ["batchd-till", "Batchd_Till", "till"])
def test_a_distribution_is_disabled_by_its_name_or_its_plugin_s(installed: Any, name: str) -> None:
    installed.add("till", AssertionError("imported"))
    catalogue = Catalogue.load(None, [name])
    assert catalogue.broken == ()
    assert [each.sentence for each in catalogue.disabled] == ['The plugin "till" of batchd-till 1.2 is not loaded.']


def test_a_kind_that_is_disabled_is_not_offered(folder: Folder) -> None:
    where = folder(both=sinks("one", "two"))
    catalogue = Catalogue.load(where, ["one"])
    assert catalogue.kinds("sink") == ["two"]
    assert [each.sentence for each in catalogue.disabled] == [
        f'The sink "one" of the plugin "both" of {where}/both.py is not offered.'
    ]
    assert pickle.loads(pickle.dumps(catalogue)).kinds("sink") == ["two"]


def test_what_is_disabled_cannot_clash(folder: Folder, installed: Any) -> None:
    """Neither with a plugin of its name nor with one that offers the same kind."""
    installed.add("till", AssertionError("imported"))
    where = folder(till=sinks("one"), shop=sinks("one"))
    with pytest.raises(PluginError, match="2 plugins of the name"):
        Catalogue.load(where)
    with pytest.raises(PluginError, match='offer the sink "one"'):
        Catalogue.load(where, ["batchd-till"]).kinds("sink")
    assert Catalogue.load(where, ["batchd-till", "shop"]).kinds("sink") == ["one"]


def test_a_worker_process_loads_none_of_it_either(folder: Folder) -> None:
    where = folder(noisy=sinks("one"), other=sinks("two"))
    load_plugins(PluginSpec("", plugin_dir=str(where), disabled=frozenset({"noisy"})))
    assert [path.name for path in where.glob("*.loaded")] == ["other.loaded"]

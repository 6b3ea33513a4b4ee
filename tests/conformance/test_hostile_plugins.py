"""Each hostile plugin breaks one promise, and fails exactly the one test for it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from batchd.testing.conformance.plugin import PluginConformance

from ..cases import share
from . import (
    hostile_commands,
    hostile_executors,
    hostile_imports,
    hostile_prompts,
    hostile_providers,
    hostile_readers,
    hostile_sinks,
)
from .good_plugins import Notebook, Shop, Table
from .kit_results import failed
from .samples import (
    OfBatchProvider,
    OfCommand,
    OfExecutor,
    OfLiveProvider,
    OfObserver,
    OfPromptBuilder,
    OfReader,
    OfSink,
    OfTable,
)

pytestmark = pytest.mark.slow


def hostile(module: ModuleType) -> list[type[Any]]:
    """The plugins in a module that name the test that they fail."""
    return [each for each in vars(module).values() if isinstance(each, type) and "fails" in vars(each)]


PROVIDERS = hostile(hostile_providers)
SINKS = hostile(hostile_sinks)
CASES: list[tuple[type[PluginConformance], type[Any]]] = [
    *((OfReader, each) for each in hostile(hostile_readers)),
    *((OfReader, each) for each in hostile(hostile_imports)),
    *((OfPromptBuilder, each) for each in hostile(hostile_prompts)),
    *((OfBatchProvider if issubclass(each, Shop) else OfLiveProvider, each) for each in PROVIDERS),
    *((OfTable if issubclass(each, Table) else OfSink, each) for each in SINKS if not issubclass(each, Notebook)),
    *((OfCommand, each) for each in hostile(hostile_commands)),
    *((OfExecutor, each) for each in hostile(hostile_executors)),
    *((OfObserver, each) for each in SINKS if issubclass(each, Notebook)),
]


@pytest.mark.parametrize(("conformance", "plugin"), [pytest.param(*case, id=case[1].__name__) for case in share(CASES)])
def test_it_fails_exactly_the_test_of_the_promise_that_it_breaks(
    conformance: type[PluginConformance], plugin: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes = {"plugin": plugin}
    if plugin is hostile_executors.Lingering:
        # The kit says that it waits once a quarter of this is over.
        monkeypatch.setattr("batchd.testing.conformance.executor.PATIENCE", 3 * plugin.PATIENCE)
    if "memory" not in plugin.fails:
        # The memory test takes a second, and this plugin does not break its promise.
        attributes["rows_to_compare"] = (20, 200)
    messages = failed(type(f"Of{plugin.__name__}", (conformance,), attributes))
    assert list(messages) == [plugin.fails], messages
    assert messages[plugin.fails].startswith("AssertionError: "), "the message must say what to do"


def test_every_test_of_the_kit_has_a_plugin_that_fails_it() -> None:
    untested = []
    for conformance in {conformance for conformance, _ in CASES} - {OfTable}:
        same = {OfSink, OfTable} if conformance is OfSink else {conformance}
        broken = {plugin.fails for each, plugin in CASES if each in same}
        shared = {name for name in dir(PluginConformance) if name.startswith("test_")}
        untested += [name for name in dir(conformance) if name.startswith("test_") and name not in broken | shared]
    assert untested == []
    assert shared <= {plugin.fails for _, plugin in CASES}

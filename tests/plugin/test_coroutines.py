"""A plugin whose method is no coroutine where it must be one, or is one where it must not, is found when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.errors import PluginError
from batchd.plugin.catalogue import Catalogue

pytestmark = pytest.mark.field("check")

PLUGIN = """
import functools
from batchd import Observer, PromptBuilder, Sink, hookimpl

class Base(Sink):
    async def publish(self, job, rows): ...

def twice(method):
    @functools.wraps(method)
    def wrapped(*arguments):
        return method(*arguments)
    return wrapped

class Bad({base}):
{body}

@hookimpl
def register_{role}s(register):
    register("bad", {made})
"""
BAD = {
    "publish": ("Sink", "sink", "    def publish(self, job, rows): ...", "publish is a plain def"),
    "check": ("Base", "sink", "    def check(self): return ()", "check is a plain def"),
    "notice": ("Observer", "observer", "    def notice(self, event): ...", "notice is a plain def"),
    "yields": ("Sink", "sink", "    async def publish(self, job, rows): yield 1", "publish contains yield"),
    "build": ("PromptBuilder", "prompt_builder", "    async def build(self, row): return {}", "build is async"),
}


def offered(folder: Path, base: str, role: str, body: str, made: str = "Bad") -> Catalogue:
    (folder / "bad.py").write_text(
        PLUGIN.replace("{base}", base).replace("{role}", role).replace("{body}", body).replace("{made}", made)
    )
    return Catalogue.load(folder)


@pytest.mark.parametrize("name", BAD)
def test_a_method_of_the_wrong_kind_is_found_at_load(tmp_path: Path, name: str) -> None:
    base, role, body, says = BAD[name]
    catalogue = offered(tmp_path, base, role, body)
    (broken,) = catalogue.broken
    assert says in broken.sentence
    assert "bad" in broken.sentence


def test_one_made_by_a_function_is_found_when_it_is_made(tmp_path: Path) -> None:
    base, role, body, says = BAD["publish"]
    with pytest.raises(PluginError, match=says):
        offered(tmp_path, base, role, body, "lambda settings: Bad(settings)").create("sink", "bad", {})


@pytest.mark.parametrize(
    "body",
    [
        "    async def publish(self, job, rows): ...",
        "    @twice\n    async def publish(self, job, rows): ...",
    ],
)
def test_a_good_one_is_no_fault(tmp_path: Path, body: str) -> None:
    catalogue = offered(tmp_path, "Sink", "sink", body)
    assert not catalogue.broken
    catalogue.create("sink", "bad", {})

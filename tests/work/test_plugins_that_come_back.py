"""A plugin that cannot be loaded for a moment: no file is refused for it, and the worker does not go on without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.domain.routing import PluginSpec
from batchd.errors import FileRefused, PluginError
from batchd.work.reading.read import ReadTask, read

FLAKY = '''
import errno
from pathlib import Path

from batchd import PromptBuilder, Reader, hookimpl

HERE = Path(__file__)


class Flaky(Reader):
    """Letters."""

    suffixes = (".letters",)

    def __init__(self, settings):
        super().__init__(settings)
        fail_once("make")

    def read(self, source):
        yield ["text"]
        yield ["a"]


class Ask(PromptBuilder):
    columns = ("answer",)

    def build(self, row):
        return {}


def fail_once(when):
    mark = HERE.with_name(f"fail-to-{when}")
    if mark.exists():
        mark.unlink()
        raise OSError(errno.EIO, "Input/output error")


@hookimpl
def register_readers(register):
    fail_once("register")
    register("letters", Flaky)


@hookimpl
def register_prompt_builders(register):
    register("ask", Ask)
'''


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A plugin folder of its own, for nothing to be remembered of it."""
    folder = tmp_path / "plugins.d"
    folder.mkdir()
    (folder / "flaky.py").write_text(FLAKY)
    return folder


def task(plugins: Path, kind: str = "") -> ReadTask:
    source, target = plugins.with_name("source"), plugins.with_name("rows.jsonl")
    source.write_bytes(b"anything")
    recipes = (PluginSpec(name, plugin_dir=str(plugins)) for name in (kind, "ask"))
    return ReadTask(str(source), "may.letters", str(target), 10, *recipes)


def test_a_reader_that_could_not_be_loaded_is_there_at_the_next_file(plugins: Path) -> None:
    (plugins / "fail-to-register").touch()
    # Of a suffix alone the worker cannot know better; the daemon, which gave it the task, does.
    with pytest.raises(FileRefused, match="does not know how to read"):
        read(task(plugins))
    assert read(task(plugins)).rows == 1


@pytest.mark.parametrize("when", ["register", "make"])
def test_a_reader_that_the_route_names_is_not_the_file_s_fault(plugins: Path, when: str) -> None:
    (plugins / f"fail-to-{when}").touch()
    with pytest.raises(PluginError, match="Input/output error"):
        read(task(plugins, "letters"))
    assert read(task(plugins, "letters")).rows == 1

"""What a machine is asked before its workers are used, and what it must have."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from batchd.executor import Hello, Node
from batchd.values import replace
from batchd.workers.nodes import MARK, ask_for, describe_node, difference


@pytest.fixture
def hello(tmp_path: Path) -> Hello:
    """Of a daemon with a folder of plugins and a spool."""
    for name in ("plugins.d", "spool"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "plugins.d/ours.py").write_text("A = 1\n")
    return ask_for(tmp_path / "plugins.d", frozenset(), tmp_path / "spool", marking=True)


def with_here(hello: Hello, **fields: object) -> Hello:
    return replace(hello, here=replace(hello.here, **fields))


def test_the_machine_of_the_daemon_itself_can_be_used(hello: Hello) -> None:
    node = describe_node(hello, "rack-7", slots=3)
    assert (node.name, node.slots, node.fault) == ("rack-7", 3, "")
    assert node.plugins["batchd"] == node.batchd
    assert (node.plugin_files, node.python) == (hello.here.plugin_files, hello.here.python)


def test_a_machine_that_has_other_things_is_not_used(hello: Hello) -> None:
    here = hello.here
    cases = {
        "it has batchd": with_here(hello, batchd="9.9"),
        "it has Python": with_here(hello, python="2.7"),
        "it has batchd 0": with_here(hello, plugins={**here.plugins, "batchd": "0.1"}),
        "it does not have the plugin batchd-mail 1.0": with_here(hello, plugins={**here.plugins, "batchd-mail": "1.0"}),
        "which the daemon does not have": with_here(hello, plugins={}),
        "has other files than those that the daemon has read": with_here(hello, plugin_files="0" * 64),
    }
    node = describe_node(hello)
    assert "is not there" in difference(replace(node, plugin_files=""), hello)
    faults = [f"{words}: {found}" for words, each in cases.items() if words not in (found := difference(node, each))]
    assert not faults, "\n".join(faults)


def test_what_python_and_editors_leave_in_the_folder_does_not_count(hello: Hello, tmp_path: Path) -> None:
    (tmp_path / "plugins.d/__pycache__").mkdir()
    (tmp_path / "plugins.d/__pycache__/ours.pyc").write_text("x")
    (tmp_path / "plugins.d/.ours.py.swp").write_text("x")
    assert describe_node(hello).fault == ""
    (tmp_path / "plugins.d/ours.py").write_text("A = 2\n")
    assert "has other files than those that the daemon has read" in describe_node(hello).fault


@pytest.mark.field("folders")
def test_a_machine_must_see_the_working_files(hello: Hello, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    assert (spool / MARK).read_text() == hello.mark
    spool.chmod(0o755)
    assert "other users can read" in describe_node(hello).fault
    assert describe_node(replace(hello, private=False)).fault == "", "where it is so here, too"
    spool.chmod(0o700)
    (spool / MARK).write_text("of another daemon")
    assert "another folder than the daemon's is at" in describe_node(hello).fault
    shutil.rmtree(spool)
    assert "it cannot use the folder of the working files" in describe_node(hello).fault
    assert describe_node(replace(hello, mark="")).fault == "", "where the daemon has not been yet, nothing is asked"


def test_looking_alone_leaves_no_mark(tmp_path: Path) -> None:
    assert ask_for(None, frozenset(), tmp_path, marking=False).mark == ""
    assert list(tmp_path.iterdir()) == []


def test_disabled_plugins_are_not_compared() -> None:
    found = describe_node(Hello(Node("", "", ""), disabled=frozenset({"batchd"})))
    assert "batchd" not in found.plugins

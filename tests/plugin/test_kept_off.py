"""A plugin that is kept off is tried again once something of its code has changed, and not before."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from batchd.plugin.kept_off import KeptOff, keep_off, kept_off, state_of
from batchd.plugin.neighbours import share

OURS = "from _tables import rows\n"


def added(name: str) -> Callable[[Path], None]:
    """Write one more file below the plugin folder."""

    def add(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("fixed = True\n")

    return add


def imported(folder: Path) -> None:
    """Import what the plugins share, which Python compiles."""
    share(folder)
    try:
        importlib.import_module("_tables.sheets")
    finally:
        share(None)


@pytest.fixture
def plugin_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins.d"
    (folder / "_tables").mkdir(parents=True)
    (folder / "ours.py").write_text(OURS)
    (folder / "_tables" / "__init__.py").write_text("rows = 1\n")
    (folder / "_tables" / "sheets.py").write_text("cells = 2\n")
    return folder


def is_off_after(change: Callable[[Path], object], plugin_dir: Path) -> bool:
    """Whether a plugin that blocked batchd before this change is still kept off after it."""
    state = plugin_dir.parent
    before = state_of(None, plugin_dir)
    keep_off(state, [KeptOff("ours", "ours.py", 1, "<module>", 10.0, 0.0, before, "its import did not return")])
    assert kept_off(state, state_of(None, plugin_dir))
    change(plugin_dir)
    return bool(kept_off(state, state_of(None, plugin_dir)))


@pytest.mark.parametrize(
    "name",
    [
        "ours.py",
        "theirs.py",
        "_words.py",
        "_tables/__init__.py",
        "_tables/sheets.py",
        "_tables/deep/new.py",
        "_fast.so",
    ],
)
def test_it_is_tried_again_once_a_module_has_changed(plugin_dir: Path, name: str) -> None:
    assert not is_off_after(added(name), plugin_dir)


@pytest.mark.parametrize("name", ["till.log", "_tables/cache.json", ".ours.py", "notes/old.py"])
def test_it_stays_off_if_only_files_have_changed_that_nobody_imports(plugin_dir: Path, name: str) -> None:
    assert is_off_after(added(name), plugin_dir)


def test_it_stays_off_if_python_has_compiled_what_is_shared(plugin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert is_off_after(imported, plugin_dir)
    assert list(plugin_dir.rglob("*.pyc"))


def test_a_shared_module_that_is_moved_is_a_change(plugin_dir: Path) -> None:
    assert not is_off_after(lambda folder: (folder / "_tables").rename(folder / "_sheets"), plugin_dir)


def test_a_folder_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    assert state_of(None, tmp_path / "none") == state_of(None, None)

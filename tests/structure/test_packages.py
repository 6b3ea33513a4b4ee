"""Folders, packages and entry points belong together, wherever they are listed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FOLDERS = sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir() and path.name != "__pycache__")
CONTRACTS = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}


def test_every_folder_of_plugins_is_one() -> None:
    assert FOLDERS
    assert all(name.startswith("batchd_") for name in FOLDERS)
    assert all((ROOT / "plugins" / name / "__init__.py").is_file() for name in FOLDERS)


def test_every_plugin_has_an_entry_point() -> None:
    points = PROJECT["project"]["entry-points"]["batchd"]
    assert sorted(points.values()) == FOLDERS
    assert {module.removeprefix("batchd_"): module for module in FOLDERS} == points


def test_every_plugin_is_in_the_wheel() -> None:
    # A folder that is not listed works in an editable install and is absent from the wheel.
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == ["daemon/batchd", *(f"plugins/{name}" for name in FOLDERS)]


def test_every_plugin_is_checked_for_its_types() -> None:
    assert PROJECT["tool"]["mypy"]["packages"] == ["batchd", *FOLDERS, "tests.public_api"]


@pytest.mark.parametrize(
    ("contract", "key"),
    [
        ("The daemon never imports a plugin", "forbidden_modules"),
        ("Plugins come in by the front door", "source_modules"),
        ("Plugins do not know each other", "modules"),
    ],
)
def test_every_plugin_is_under_the_import_contracts(contract: str, key: str) -> None:
    assert CONTRACTS[contract][key] == FOLDERS
    assert PROJECT["tool"]["importlinter"]["root_packages"] == ["batchd", *FOLDERS]


@pytest.mark.parametrize("folder", ["daemon", "plugins"])
def test_a_source_root_is_no_package(folder: str) -> None:
    # With an __init__.py there, the repository's root on the path would make every module exist twice.
    assert not (ROOT / folder / "__init__.py").exists()


def test_every_folder_with_modules_is_a_package() -> None:
    sources = [ROOT / "daemon" / "batchd", *(ROOT / "plugins" / name for name in FOLDERS)]
    folders = {path.parent for source in sources for path in source.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []

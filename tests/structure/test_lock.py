"""The lock file has one version of everything, fits pyproject.toml, and says nothing about where it was made."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements-dev.lock").read_text("utf-8")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))

_PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.!+]+)(?: ; (?P<marker>[^\\]+?))? \\")
_LINE = re.compile(rf"{_PIN.pattern}|    --hash=sha256:[0-9a-f]{{64}}(?: \\)?| *# [\w .():-]*")


def wanted() -> Iterator[Requirement]:
    """All that pyproject.toml asks for: to run, for each extra, to develop, and to build."""
    project = PYPROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    groups += [*PYPROJECT["dependency-groups"].values(), PYPROJECT["build-system"]["requires"]]
    yield from (Requirement(each) for group in groups for each in group)


def pins(python: str) -> dict[str, list[str]]:
    """The versions that the lock has for that Python on Linux, by name."""
    here = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    found: dict[str, list[str]] = {}
    for match in _PIN.finditer(LOCK):
        if match["marker"] is None or Marker(match["marker"]).evaluate(dict(here)):
            found.setdefault(match["name"], []).append(match["version"])
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_it_has_one_version_of_everything_that_is_asked_for(python: str) -> None:
    locked = pins(python)
    assert {name: versions for name, versions in locked.items() if len(versions) != 1} == {}
    unfit = [
        str(each)
        for each in wanted()
        if not each.specifier.contains(locked.get(canonicalize_name(each.name), ["0"])[0], prereleases=True)
        or canonicalize_name(each.name) not in locked
    ]
    assert unfit == [], "run `make lock`"


def test_the_pythons_that_are_named_are_those_that_are_taken() -> None:
    assert PYTHONS[0] == "3.11"
    assert not SpecifierSet(PYPROJECT["project"]["requires-python"]).contains("3.10.99")
    assert all(SpecifierSet(PYPROJECT["project"]["requires-python"]).contains(python) for python in PYTHONS)


def test_it_is_nothing_but_versions_and_hashes() -> None:
    # No address and no path: where packages come from is the business of the machine that installs them.
    assert [line for line in LOCK.splitlines() if not _LINE.fullmatch(line)] == []
    assert "/" not in LOCK
    blocks = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(list(_PIN.finditer(LOCK))) > 40
    assert [block.partition(" ")[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("line", ["--index-url https://a.test", "a @ file:///b", "a==1", "-e .", "    # via -r /c"])
def test_another_line_would_be_noticed(line: str) -> None:
    assert not _LINE.fullmatch(line)

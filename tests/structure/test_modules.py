"""Modules of a size that a person can hold in mind, each with a word on what it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for folder in ("daemon", "plugins") for path in (ROOT / folder).rglob("*.py"))
MOST_LINES = 400


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_is_not_too_long(module: Path) -> None:
    lines = module.read_text("utf-8").count("\n")
    assert lines <= MOST_LINES, f"{module.relative_to(ROOT)} has {lines} lines: two things have grown together in it"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_says_what_it_is(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    assert ast.get_docstring(tree) or not tree.body


def test_they_were_found() -> None:
    assert len(MODULES) > 100

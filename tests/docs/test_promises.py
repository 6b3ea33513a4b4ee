"""Each promise is there with tests that show it, and those tests exist."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from .pages import DOCS, ROOT, headings, prose

PAGE = DOCS / "promises.md"
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
KEPT = [heading for heading in headings(PAGE) if heading not in {"Promises", "What is not promised"}]


def section(heading: str) -> str:
    """What stands under a heading."""
    return prose(PAGE).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@cache
def names(path: str) -> set[str]:
    """What a test module defines: functions, classes and names at its top."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_the_promises_are_those_that_are_kept_now() -> None:
    assert KEPT == [
        "Nothing is lost",
        "Nothing is paid twice",
        "Whole or not at all",
        "Never over budget",
        "Bounded memory",
        "One bad row is one bad row",
        "Every event is heard",
        "No secret leaves",
        "What is purged is gone",
        "No neighbour starves another",
        "Nobody reads another team's results",
        "The page is for those who were let in",
        "A program and an assistant do what they may",
    ]


def test_every_test_that_is_named_exists() -> None:
    faults = []
    for path, test in sorted(set(_TEST.findall(prose(PAGE)))):
        if not (ROOT / path).exists():
            faults.append(f"{path} is not there")
        elif test not in names(path) or not test.lower().startswith("test"):
            faults.append(f"{path} has no {test}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("heading", KEPT)
def test_each_promise_is_shown_by_tests(heading: str) -> None:
    how, _, shown = section(heading).partition("\nShown by:\n")
    assert "\n- " in how
    assert len(_TEST.findall(shown)) >= 3


def test_everything_that_looks_like_a_test_is_one() -> None:
    assert re.findall(r"`(tests/[^`]*)`", prose(PAGE)) == [
        f"{path}::{test}" for path, test in _TEST.findall(prose(PAGE))
    ]

"""Modules of a size that a person can hold in mind, each with a word on what it is."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for folder in ("daemon", "plugins")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
MAX_LINES = 400


def test_none_is_too_long() -> None:
    lengths = {name: text.count("\n") for name, text in MODULES.items()}
    faults = [f"{name} has {lines} lines: split it" for name, lines in lengths.items() if lines > MAX_LINES]
    assert not faults, "\n".join(faults)


def test_each_says_what_it_is() -> None:
    faults = [f"{name} has no docstring" for name, text in MODULES.items() if text and not text.startswith('"""')]
    assert not faults, "\n".join(faults)


def test_they_were_found() -> None:
    assert len(MODULES) > 100

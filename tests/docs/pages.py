"""The documentation as data: pages, headings, tables, code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(ROOT / name / "README.md" for name in ("plugins", "systemd", "tests")),
    *sorted(DOCS.rglob("*.md")),
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code: its language, its text, and the line that it begins on."""

    language: str
    text: str
    line: int


def blocks(page: Path, language: str) -> list[Block]:
    """The blocks of code in that language."""
    text = page.read_text("utf-8")
    found = [Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in _FENCE.finditer(text)]
    return [block for block in found if block.language == language]


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text("utf-8"))


def headings(page: Path) -> list[str]:
    """The texts of the headings."""
    return [match[2] for match in _HEADING.finditer(prose(page))]


def tables(page: Path) -> dict[str, list[list[str]]]:
    """Under each heading the rows of its tables, without their heads; a cell is as it is written."""
    found: dict[str, list[list[str]]] = {}
    heading, ruled = "", False
    for line in prose(page).splitlines():
        match = _HEADING.match(line)
        if match:
            heading = match[2]
        if not line.startswith("|"):
            ruled = False
        elif re.fullmatch(r"\|( *:?-+:? *\|)+", line):
            ruled = True
        elif ruled:
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found.setdefault(heading, []).append([cell.strip() for cell in cells])
    return found


def code(cell: str) -> str | None:
    """What a cell holds that is one piece of code and nothing else: `settle` written as `` `settle` ``."""
    match = re.fullmatch(r"`([^`]+)`", cell)
    return match[1].replace("\\|", "|") if match else None

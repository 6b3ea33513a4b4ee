"""Words that no text of the project uses, since readers stop at them; the usual word stands beside each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

CHECKED = (
    "bench",
    "daemon",
    "docs",
    "examples",
    "packaging",
    "plugins",
    "systemd",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "config.toml",
    "tests/README.md",
)
NOT_CHANGED = ROOT / "daemon/batchd/store/migrations"
"""A migration stays as it was released."""
SUFFIXES = {"", ".py", ".md", ".toml", ".sql", ".service", ".conf", ".sysusers", ".tmpfiles"}

FORBIDDEN = {
    r"\b(?:un)?mend(?:s|ed|ing)?\b": "fix, correct",
    r"\bwhoever\b": "the caller, the operator, the person who …",
    r"\bfor ever\b": "without end, keeps …ing",
    r"\b(?:a|an|the|no|of|its|their|and|for|by) doubles?\b(?![- ]quot|-click)": "duplicate",
    r"\btwins?\b": "duplicate",
    r"\bof (?:its|their) own accord\b": "by itself",
    r"\bhe\b": "name the program or the person",
    r"\bmanieth\b": "the number of",
    r"\bgrains?\b": "subunit",
    r"\btold of\b": "notified of, recorded",
    r"\bwhat (?:became|becomes|become) of\b": "the outcome of",
}
ANY = re.compile("|".join(FORBIDDEN), re.IGNORECASE)
"""Most texts have none of them, and are read once for all."""


def texts(*places: str) -> Iterator[tuple[str, str]]:
    """Name and text of every file in these folders, and of these files."""
    for place in places:
        path = ROOT / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in SUFFIXES and NOT_CHANGED not in file.parents:
                yield str(file.relative_to(ROOT)), file.read_text("utf-8")


def faults_in(name: str, text: str) -> Iterator[str]:
    """A sentence for each forbidden word."""
    if ANY.search(text) is None:
        return
    for pattern, better in FORBIDDEN.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: “{match[0]}” (better: {better})"


def test_texts_use_the_usual_words() -> None:
    faults = [fault for name, text in texts(*CHECKED) for fault in faults_in(name, text)]
    assert not faults, "\n".join(faults)


def test_a_forbidden_word_would_be_noticed() -> None:
    assert list(faults_in("x.py", "One.\nOnce it is mended, he goes on.")) == [
        "x.py:2: “mended” (better: fix, correct)",
        "x.py:2: “he” (better: name the program or the person)",
    ]
    assert not list(faults_in("x.py", "The header recommends double quotes; a range that doubles."))


def test_files_are_found() -> None:
    assert all(list(texts(place)) for place in CHECKED)

"""Names and cells of a table that results are written to: names that are free, that no database confuses, and text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import msgspec

from .model import Json

_encode = msgspec.json.Encoder().encode


def free_names(taken: Iterable[str], names: Iterable[str]) -> list[str]:
    """Names of columns for a table that has those `taken` already: a name that exists gets ` (2)`, ` (3)` and so on."""
    used, free = set(taken), []
    for each in names:
        name, number = each, 1
        while name in used:
            number += 1
            name = f"{each} ({number})"
        used.add(name)
        free.append(name)
    return free


def unique_names(names: Iterable[str], *, longest: int | None = None) -> list[str]:
    """Names that a database keeps apart: no two are the same, not even in another case. The first keeps its own.

    `longest` is in bytes of UTF-8: PostgreSQL cuts off what is beyond 63. NUL and halves of characters are left out,
    and a name without anything is `column 3` by its place.

    >>> unique_names(["job", "Text", "text", "", "Job"])
    ['job', 'Text', 'text (2)', 'column 4', 'Job (2)']
    """
    used: set[str] = set()
    unique = []
    for place, each in enumerate(names, start=1):
        wanted = each.replace("\0", "").encode("utf-8", "ignore").decode() or f"column {place}"
        name, number = _cut(wanted, "", longest), 1
        while _folded(name) in used:
            number += 1
            name = _cut(wanted, f" ({number})", longest)
        used.add(_folded(name))
        unique.append(name)
    return unique


def cell_text(value: Json) -> str:
    """A value as the text of a cell: None is empty, other values that are not text are written as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else _encode(value).decode()


def _cut(name: str, ending: str, longest: int | None) -> str:
    if longest is None or len(f"{name}{ending}".encode()) <= longest:
        return f"{name}{ending}"
    return name.encode()[: longest - len(ending)].decode("utf-8", "ignore") + ending


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

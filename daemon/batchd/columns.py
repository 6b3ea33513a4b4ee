"""Column names and cells of a results table: free names, names that a database keeps apart, and cells as text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import msgspec

from .model import Json

_encode = msgspec.json.Encoder().encode


def free_names(taken: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return names for new columns of a table that has the `taken` ones: a name that exists gets ` (2)`, ` (3)`, …"""
    used, free = set(taken), []
    for each in names:
        name, number = each, 1
        while name in used:
            number += 1
            name = f"{each} ({number})"
        used.add(name)
        free.append(name)
    return free


def column_names(names: Iterable[str]) -> list[str]:
    """The names of a file's columns, each once: a second `a` is `a (2)`, the third column without a name `column 3`.

    >>> column_names(["a", "a", "", "a (2)"])
    ['a', 'a (3)', 'column 3', 'a (2)']
    """
    names = list(names)
    own, used = set(filter(None, names)), set[str]()
    unique = []
    for place, name in enumerate(names, start=1):
        base = free = name or f"column {place}"
        number = 1
        while free in used or (free in own and free != name):
            number += 1
            free = f"{base} ({number})"
        used.add(free)
        unique.append(free)
    return unique


def unique_names(names: Iterable[str], *, longest: int | None = None) -> list[str]:
    """Return names that a database keeps apart: no two are equal when case is ignored. The first keeps its name.

    `longest` is in bytes of UTF-8: PostgreSQL cuts a name after 63. NUL and lone surrogates are left out; an empty
    name becomes `column 3`, by its position.

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

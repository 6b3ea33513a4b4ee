"""The header of a CSV file: the names of the columns, and how many cells a row may have."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from batchd import FileRefused, column_names

from .forms import is_blank

JOINERS = frozenset("\u200c\u200d")
"""Invisible, and part of words in Farsi and Hindi."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns. A row has a cell for each; those from `required` on may be missing.

    `written` are the cells of the header as they stand in the file, `given` the names that batchd has made up.
    """

    names: Sequence[str]
    required: int
    written: Sequence[str]
    given: Sequence[str]


def header_of(cells: Sequence[str], line: int, rows: Sequence[Sequence[str]]) -> Header:
    """The header. Columns at its end without a name are none, unless one of the first `rows` has a cell there."""
    names = [visible(cell) for cell in cells]
    width = max((n for n, name in enumerate(names, start=1) if name), default=0)
    if not width:
        raise without_names(line)
    required = width
    if not all(is_blank(row[width:]) for row in rows if len(row) <= len(names)):
        width = len(names)
    unique = column_names(names[:width])
    given = [name for name, own in zip(unique, names, strict=False) if name != own]
    return Header(unique, required, cells, given)


def without_names(line: int) -> FileRefused:
    """The refusal of a file whose header is empty."""
    return FileRefused(
        "header",
        f"Line {line:,}, the header, names no column. Write the names of the columns there, and drop the file again.",
    )


def visible(name: str) -> str:
    """A name without spaces around it and without characters that nobody sees, such as a mark or a soft hyphen."""
    if name.isascii():
        return name.replace("\0", "").strip()
    seen = (each for each in name if each != "\0" and (unicodedata.category(each) != "Cf" or each in JOINERS))
    return "".join(seen).strip()

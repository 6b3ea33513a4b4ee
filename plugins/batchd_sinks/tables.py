"""What tables of results have in common: their columns, and how the columns of a file find theirs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from batchd import ResultRows, unique_names

KEY = ("job", "row")
"""The columns that tell rows apart."""
FIRST = (*KEY, "file")
"""The columns before those of the results."""


def names_of(rows: ResultRows, *, longest: int | None = None) -> list[str]:
    """The names of a job's columns in a table. A column of the file that is called `job` is `job (2)` there."""
    return unique_names([*FIRST, *rows.names], longest=longest)


def placed(names: Sequence[str], existing: Iterable[str]) -> tuple[list[str], list[str]]:
    """The columns of a table that the names stand for, in whatever case they are written there; and what is missing."""
    known = {_folded(each): each for each in existing}
    found = [known.get(_folded(name), name) for name in names]
    return found, [name for name in names if _folded(name) not in known]


def quoted(name: str) -> str:
    """A name as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

"""What tables of results have in common: their columns, and which of them takes which column of a file."""

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
    """The table's columns for these names, whatever their case in the table, and the names that it lacks."""
    known = {_folded(each): each for each in existing}
    found = [known.get(_folded(name), name) for name in names]
    return found, [name for name in names if _folded(name) not in known]


def quoted(name: str) -> str:
    """A name as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'


def creating(table: str, columns: Iterable[tuple[str, str]]) -> str:
    """The statement that makes a table with columns of these names and types."""
    parts = [f"{quoted(name)} {type_}{' NOT NULL' if name in KEY else ''}" for name, type_ in columns]
    return f"CREATE TABLE {table} ({', '.join(parts)}, PRIMARY KEY ({', '.join(map(quoted, KEY))}))"


def replacing(columns: Sequence[str]) -> str:
    """The end of an INSERT into these quoted columns: a row that is there already gets the new values."""
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns[len(KEY) :])
    return f"ON CONFLICT ({', '.join(columns[: len(KEY)])}) DO UPDATE SET {changes}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

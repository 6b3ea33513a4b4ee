"""Finds names that occur twice among any number of names, without holding them in memory.

The names go into a private SQLite file, and SQLite's sort on disk finds the duplicates. The result is exact, since
names are compared and not hashes. The disk needs room for each name and about 20 bytes more, and twice that during the
sort. Memory is that of the caches below, whatever the number of names.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

AT_ONCE = 5_000
"""Names that are handed to SQLite together; one by one they take four times as long."""

_SCHEMA = """
pragma journal_mode = off;   -- it is thrown away in any case
pragma synchronous = off;
pragma locking_mode = exclusive;
pragma temp_store = file;    -- what the sort needs must not be memory either
pragma cache_size = -2000;   -- kilobytes; the sort takes as much again
create table names (number integer primary key, name text, kind integer, place integer);
begin;
"""
_DUPLICATED = """
create table duplicated as
    select name, min(number) as first, kind from names where kind = ? group by name having count(*) > 1;
create unique index duplicated_by_name on duplicated (name);
"""
# Goes through `names` in order of the numbers, and looks each name up in the small table of duplicates.
_DUPLICATES = """
select names.number, names.place, names.name, first.number, first.place
from names cross join duplicated using (name) join names as first on first.number = duplicated.first
where names.kind = ? and names.number > duplicated.first
order by names.number
"""
_OTHERS = "select number, place from names where kind <> ? order by number"

_Entry: TypeAlias = tuple[int, str, int, int]


class Duplicate(NamedTuple):
    """A name that was added before, with the number `first`. The places are those noted with the two."""

    number: int
    place: int
    name: str
    first: int
    first_place: int


class DuplicateFinder:
    """Names by number, each with a kind, within which it must be unique, and a place, which the caller gets back.

    `file` holds them until `close`; without it SQLite makes a temporary file that has no name.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._waiting: list[_Entry] = []
        if file is not None:
            file.unlink(missing_ok=True)
        with self._disk():
            self.database = sqlite3.connect("" if file is None else file, isolation_level=None)
            self.database.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget all names, and delete the file."""
        self.database.close()
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def add(self, number: int, name: str, kind: int = 0, place: int = 0) -> None:
        """Note a name. Each number must be larger than the one before."""
        self._waiting.append((number, name, kind, place))
        if len(self._waiting) >= AT_ONCE:
            self._flush()

    def find(self, kind: int = 0) -> None:
        """Look for duplicates among the names of a kind. Call it once, after the last name was added."""
        self._flush()
        create, index, _ = _DUPLICATED.split(";")
        with self._disk():
            self.database.execute(create, (kind,))
            self.database.execute(index)

    def duplicates(self, kind: int = 0) -> Iterator[Duplicate]:
        """The names of the kind that occurred before, by number. Call `find` first."""
        for row in self._rows(_DUPLICATES, (kind,)):
            yield Duplicate(*row)

    def others(self, kind: int) -> Iterator[tuple[int, int]]:
        """Number and place of every name that is not of this kind, by number."""
        yield from self._rows(_OTHERS, (kind,))

    def prepare_search(self) -> None:
        """Make `has` quick. Call it after the last name was added, and before any iteration."""
        with self._disk():
            self.database.execute("create index if not exists names_by_name on names (name)")

    def has(self, name: str) -> bool:
        """Whether a name was noted, of whatever kind."""
        with self._disk():
            found = self.database.execute("select 1 from names where name = ?", (name,)).fetchone()
        return found is not None

    def _rows(self, query: str, values: Sequence[int]) -> Iterator[Any]:
        with self._disk():
            yield from self.database.execute(query, values)

    def _flush(self) -> None:
        with self._disk():
            self.database.executemany("insert into names values (?, ?, ?, ?)", self._waiting)
        self._waiting.clear()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Turn SQLite's errors into OSError: with a private file, only the disk can fail."""
        try:
            yield
        except sqlite3.OperationalError as error:
            full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
            number, reason = (errno.ENOSPC, os.strerror(errno.ENOSPC)) if full else (errno.EIO, str(error))
            if self._file is not None:
                raise OSError(number, reason, str(self._file)) from error
            raise OSError(number, f"{reason} (TMPDIR names another folder for temporary files)") from error

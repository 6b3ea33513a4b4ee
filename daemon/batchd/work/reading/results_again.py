"""Reads a results file that is dropped again: batchd's columns are removed, rows that have an answer are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from ...model import BadRow, Json, RowStatus

_NAME = re.compile(r"\.results\b", re.IGNORECASE)
STATUS, ERROR = "status", "error"
"""The columns after those of the answer."""


class ResultsAgain:
    """What to remove from a results file. `left_out` counts the rows that have an answer."""

    def __init__(self, columns: Sequence[str], status: int, taken_out: Iterable[int]) -> None:
        out = {status, *taken_out}
        self._kept = [place for place in range(len(columns)) if place not in out]
        self._status = status
        self.columns = [columns[place] for place in self._kept]
        self.left_out = 0

    @classmethod
    def of(cls, name: str, columns: Sequence[str], answers: Iterable[str], needed: Iterable[str]) -> Self | None:
        """Return None unless the file's name and columns are those of results, edited or not."""
        status = _last(columns, STATUS, ())
        if status is None or _NAME.search(name.rpartition("/")[2]) is None:
            return None
        out = {status}
        for each in (ERROR, *answers):
            place = _last(columns, each, out)
            # If a person has removed batchd's column, one of the file's own may have its name.
            if place is not None and columns[place] not in set(needed):
                out.add(place)
        again = cls(columns, status, out)
        return again if again.columns else None

    def rows(self, records: Iterable[Sequence[Json] | BadRow]) -> Iterator[Sequence[Json] | BadRow]:
        """Yield the rows to ask, without batchd's columns."""
        for record in records:
            if isinstance(record, BadRow):
                yield BadRow(self._own(record.values), record.failure)
            elif str(record[self._status]).strip().lower() == RowStatus.OK:
                self.left_out += 1
            else:
                yield self._own(record)

    def _own(self, values: Sequence[Json]) -> list[Json]:
        return [values[place] for place in self._kept if place < len(values)]


def _last(columns: Sequence[str], name: str, out: Iterable[int]) -> int | None:
    """Return the place of the last column of this name, perhaps with a number: batchd's come after the file's own."""
    numbered = re.compile(rf"{re.escape(name)}(?: \(\d+\))?")
    places = (place for place, column in enumerate(columns) if place not in set(out) and numbered.fullmatch(column))
    return max(places, default=None)

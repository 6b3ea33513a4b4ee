"""Reads rows that are written like earlier ones: one match of a regular expression for a whole row.

A program writes a column the same way from the first row to the last, or leaves a cell out, so the shape of one row
fits nearly all. A row that is written differently is left to the reader of cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from batchd import Json

Cell = tuple[str, ...]
"""A usual cell as matched: letters of its column, style, kind, formula, value, and inline text instead of one."""
ReaderOf = Callable[[str, str], Callable[[str], Json]]
"""Returns the function that reads cells of a kind and a style."""
MAX_COLUMNS = 200
"""The most columns of a row with a shape: compiling more takes longer than it saves."""
_SHAPES = 20
_CREDIT = 500


class RowShape:
    """How rows are written. `pattern` matches one; its first group is the number of the row."""

    def __init__(self, cells: Sequence[Cell], prefix: str, places: Mapping[str, int], reader_of: ReaderOf) -> None:
        row = "".join(_cell(each, prefix) for each in cells)
        self.pattern = re.compile(rf'\s*+<{prefix}row r="(\d{{1,9}}+)"(?: [^<>]*+)?>{row}</{prefix}row>')
        self._readers = [reader_of(kind if not inline else "str", style) for _, style, kind, _, _, inline in cells]
        taken = [places[letters] for letters, *_ in cells]
        self._gaps = [place for place in range(taken[-1]) if place not in set(taken)]

    def values(self, found: Sequence[str | None]) -> list[Json]:
        """The cells of a row, from the groups of its match."""
        cells = [None if text is None else read(text) for read, text in zip(self._readers, found[1:], strict=True)]
        for place in self._gaps:
            cells.insert(place, None)
        return cells


class Shapes:
    """Has the shape to try next. Rows that it does not fit change it; after too many of them, no shape is tried."""

    def __init__(self, prefix: str, places: Mapping[str, int], reader_of: ReaderOf) -> None:
        self.current: RowShape | None = None
        self._prefix = prefix
        self._places = places
        self._reader_of = reader_of
        self._cells: dict[int, Cell] = {}
        self._left = _SHAPES
        self._credit = _CREDIT

    def missed(self, cells: Sequence[Cell]) -> None:
        """Learn from a row of usual cells that was read without a shape, or that the shape did not fit."""
        self._credit -= 1
        if self._credit < 0:
            self.current = None
            return
        places = [self._places.get(letters, -1) for letters, *_ in cells]
        filled = all(value or inline for *_, value, inline in cells)
        if not self._left or not filled or -1 in places or places != sorted(set(places)):
            return
        known = self._cells | dict(zip(places, cells, strict=True))
        if max(known) < MAX_COLUMNS:
            self._left -= 1
            self._credit = _CREDIT
            self._cells = known
            in_order = [known[place] for place in sorted(known)]
            self.current = RowShape(in_order, self._prefix, self._places, self._reader_of)


def _cell(cell: Cell, prefix: str) -> str:
    """The pattern of a cell that is written like this one, or is empty, or is missing."""
    letters, style, kind, formula, _, inline = cell
    text = r"(?: xml:space=\"preserve\")?+>([^<]++)</"
    value = f"<{prefix}is><{prefix}t{text}{prefix}t></{prefix}is>" if inline else f"<{prefix}v{text}{prefix}v>"
    calculated = rf"<{prefix}f(?:[^>]*/>|[^>]*>[^<]*</{prefix}f>)" if formula else ""
    attributes = (f' s="{style}"' if style else "") + (f' t="{kind}"' if kind else "")
    return rf'(?:<{prefix}c r="{letters}\d++"(?:{attributes}>{calculated}{value}</{prefix}c>|(?: s="\d++")?+/>))?+'

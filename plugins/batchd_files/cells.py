"""Writes values as cells of a CSV file: quoted where necessary, escaped where a spreadsheet would run them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from batchd import Json

_encode = msgspec.json.Encoder().encode

# Every character that a CSV reader may take for a delimiter: when the file is dropped again, its delimiter is guessed
# and the cells must be the same. A byte order mark would be removed from the first cell.
_MUST_BE_QUOTED = re.compile('[",;\t|\r\n\ufeff]')
FORMULA_SIGNS = frozenset("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-](?:\d+(?:[.,]\d+)*|\.\d+)(?:[eE][+-]?\d+)?%?")


def as_text(value: Json) -> str:
    """A value as the text of a cell: None is empty, other values that are not text are written as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else _encode(value).decode()


def harmless(text: str) -> str:
    """The text, with a ' before it if a spreadsheet would run it as a formula. Plain numbers stay as they are."""
    if text[:1] not in FORMULA_SIGNS or _NUMBER.fullmatch(text) is not None:
        return text
    return f"'{text}"


class Table:
    """Writes the lines of a CSV file with one delimiter."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        characters = _MUST_BE_QUOTED.pattern
        self._search = re.compile(f"{characters[:-1]}{re.escape(delimiter)}]").search

    def line(self, values: Sequence[Json]) -> str:
        """The values as a line with its newline: RFC 4180, but with LF in place of CR LF."""
        delimiter = self._delimiter
        # Each `in` is a memchr: on a text of some sentences, ten times as fast as a regular expression. Most cells are
        # one word or number, for which the first check is enough.
        cells = [
            value
            if type(value) is str
            and (
                value.isalnum()
                or (
                    '"' not in value
                    and "," not in value
                    and "\n" not in value
                    and ";" not in value
                    and "\t" not in value
                    and "|" not in value
                    and "\r" not in value
                    and "\ufeff" not in value
                    and delimiter not in value
                )
            )
            else self._cell(as_text(value))
            for value in values
        ]
        # Readers skip blank lines, so a row with one empty cell is written as "".
        return f"{delimiter.join(cells)}\n" if len(cells) != 1 or cells[0] else '""\n'

    def header(self, names: Sequence[str]) -> str:
        """The header line. All names are quoted if it could be taken for Excel's `sep=;`."""
        line = self.line(names)
        return self._delimiter.join(map(_quoted, names)) + "\n" if line[:4].lower() == "sep=" else line

    def _cell(self, text: str) -> str:
        return text if self._search(text) is None else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace('"', '""')
    return f'"{escaped}"'

"""The reader `csv`: tables saved by Excel, LibreOffice and databases, or written by hand."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from pydantic import field_validator

from batchd import BadRow, Dialect, Failure, FileRefused, Json, Reader, Settings, Source

from .content import refuse_other_kinds
from .delimiter import SAMPLE, declared_delimiter, find_delimiter, line_end, named
from .encoding import certain_encoding, choose_encoding, known_encoding, undecodable, written_as
from .quotes import refusal

MAX_CELL = 10_000_000
"""Characters in one cell. A longer cell is nearly always the rest of the file after a quote that is not closed."""

MAX_COLUMNS = 16_384
"""As many as a sheet of Excel has."""


class CsvSettings(Settings):
    """The reader table of a route, for CSV files."""

    encoding: str = "auto"
    """`auto`: UTF-8, UTF-16 with a byte order mark, and what it is for certain; else a name such as `cp1252`."""
    delimiter: str = "auto"
    """`auto` detects `,` `;` tab and `|`; else one character."""

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        return value if value == "auto" else known_encoding(value)

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if value != "auto" and (len(value) != 1 or value in '"\r\n\0'):
            raise ValueError(f'{value!r} cannot separate cells. Write "auto", ",", ";", "\\t" or "|".')
        return value


class CsvReader(Reader[CsvSettings]):
    """Reads `.csv` and `.tsv`. The first line names the columns; blank lines are skipped."""

    Settings = CsvSettings
    suffixes = (".csv", ".tsv")
    max_cell = MAX_CELL
    """Characters. A line may have twice as many."""

    def __init__(self, settings: CsvSettings) -> None:
        super().__init__(settings)
        self._description: dict[str, Json] = {}
        self._dialect: Dialect | None = None

    def describe(self) -> Mapping[str, Json]:
        """The encoding and delimiter of the last file."""
        return dict(self._description)

    def dialect(self) -> Dialect | None:
        """See Reader."""
        return self._dialect

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """See Reader. Memory holds one record at a time."""
        # The limit holds for the whole process. Its default is too small for an article in a cell.
        csv.field_size_limit(self.max_cell)
        configured = None if self.settings.encoding == "auto" else self.settings.encoding
        with source.open() as file:
            head = refuse_other_kinds(file)
            encoding = choose_encoding(head, configured)
        guessed = False
        if configured is None and encoding == "utf-8":
            encoding = certain_encoding(source)
            guessed = encoding != "utf-8"
        try:
            with _open(source, encoding) as text:
                sample = text.read(SAMPLE)
            delimiter, skipped = self._delimiter(sample, source)
            self._description = {"encoding": encoding, "delimiter": delimiter, **({"guessed": True} if guessed else {})}
            # A few rows of a file may not be enough to guess its encoding again.
            own, mark = ("utf-8", True) if guessed else written_as(head, encoding)
            self._dialect = Dialect(
                encoding=own, mark=mark, delimiter=delimiter, line_end=line_end(sample), declared=skipped > 0
            )
            yield from _records(source, encoding, delimiter, skipped, self.max_cell)
        except UnicodeDecodeError:
            raise undecodable(source, encoding) from None

    def _delimiter(self, sample: str, source: Source) -> tuple[str, int]:
        """The delimiter, and how many lines to skip at the beginning."""
        declared = declared_delimiter(sample)
        if declared is not None:
            return declared, 1
        # Our own results have the delimiter of their sink, or that of the program that they were edited with.
        if self.settings.delimiter != "auto" and ".results." not in source.name:
            return self.settings.delimiter, 0
        likely = "\t" if source.suffix == ".tsv" else ","
        return find_delimiter(sample, complete=len(sample) < SAMPLE, first=likely), 0


class _Lines:
    """The lines of a text file for `csv.reader`, checked for problems that it would not report."""

    def __init__(self, text: io.TextIOWrapper, encoding: str, max_line: int, delimiter: str) -> None:
        self.last_nul = 0
        """Number of the last line that contained a NUL."""
        self._text = text
        self._max_line = max_line
        self._delimiter = delimiter
        # Windows' Vietnamese code page writes a tone as a separate mark; other programs write one letter.
        self._compose = encoding == "cp1258"

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(iter(partial(self._text.readline, self._max_line), ""), start=1):
            if len(line) == self._max_line:
                raise FileRefused(
                    "too_long",
                    f"Line {number:,} is longer than {self._max_line:,} characters. "
                    "Check that the file is a CSV file with one row per line, and drop it again.",
                )
            if "\0" in line:
                self.last_nul = number
            if len(line) > MAX_COLUMNS and self._cells(line) > MAX_COLUMNS:
                # Before they are taken apart: each cell takes some 60 bytes more than it has letters.
                raise FileRefused(
                    "columns",
                    f"Line {number:,} has {self._cells(line):,} cells, and batchd reads at most {MAX_COLUMNS:,} "
                    "columns. Check that each row is on its own line, and drop the file again.",
                )
            yield unicodedata.normalize("NFC", line) if self._compose else line

    def _cells(self, line: str) -> int:
        """How many cells a line has at least: a delimiter within quotes may be part of a long text."""
        between = self._delimiter if '"' not in line else f'"{self._delimiter}"'
        return line.count(between) + 1


def _open(source: Source, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(source.open(), encoding, newline="")


def _records(
    source: Source, encoding: str, delimiter: str, skipped: int, max_cell: int
) -> Iterator[Sequence[str] | BadRow]:
    with _open(source, encoding) as text:
        lines = _Lines(text, encoding, 2 * max_cell, delimiter)
        numbered = iter(lines)
        for _ in range(skipped):
            next(numbered)
        reader = csv.reader(numbered, delimiter=delimiter, strict=True)
        header: Sequence[str] | None = None
        rows = 0
        first, following = skipped, skipped + 1  # the lines on which this record and the next one begin
        try:
            for cells in reader:
                first, following = following, reader.line_num + skipped + 1
                if not cells or (len(cells) == 1 and cells[0].isspace() and (header is None or len(header) > 1)):
                    continue
                if header is None:
                    header = _names(cells, first)
                    yield header
                    continue
                rows += 1
                if lines.last_nul >= first:
                    yield BadRow(cells, _nul(first))
                elif len(cells) == len(header):
                    yield cells
                else:
                    yield BadRow(cells, _ragged(first, len(cells), len(header), delimiter))
        except csv.Error as error:
            with _open(source, encoding) as again:
                raise refusal(str(error), again, following, reader.line_num + skipped, delimiter) from None
    if header is None:
        raise FileRefused(
            "empty",
            "The file is empty. Write a line with the names of the columns and rows below it, and drop it again.",
        )
    if rows == 0:
        raise FileRefused("no_rows", "The file has a header line but no rows below it. Add rows and drop it again.")


def _names(cells: Sequence[str], line: int) -> list[str]:
    """The names of the columns. A column without a name is named after its position."""
    names = [cell.strip() for cell in cells]
    if not any(names):
        raise FileRefused(
            "header",
            f"Line {line:,}, the header, names no column. Write the names of the columns there, and drop the "
            "file again.",
        )
    positions: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if name and name in positions:
            raise FileRefused(
                "header",
                f"Columns {positions[name]:,} and {position:,} are both called “{name}”. Rename one of them, and "
                "drop the file again.",
            )
        positions.setdefault(name, position)
    return [name or _default_name(position, positions) for position, name in enumerate(names, start=1)]


def _default_name(position: int, used: Mapping[str, int]) -> str:
    name = f"column_{position}"
    number = 1
    while name in used:
        number += 1
        name = f"column_{position} ({number})"
    return name


def _nul(line: int) -> Failure:
    return Failure(
        "nul", f"Line {line:,} contains a NUL character, which is not text. Remove it and drop the row again."
    )


def _ragged(line: int, cells: int, columns: int, delimiter: str) -> Failure:
    counted = f"{cells:,} cell{'' if cells == 1 else 's'}"
    if cells > columns:
        advice = f'If a cell contains a {named(delimiter)}, put quotes (") around that cell.'
    else:
        advice = f"Write a {named(delimiter)} for each empty cell."
    return Failure("ragged", f"Line {line:,} has {counted}, but the header has {columns:,}. {advice}")

"""The records of a CSV file, one by one. One with a stray quote fails alone: lines in its quotes are read again."""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import IO, Any, NamedTuple, final

from batchd import FileRefused

from .blocks import can_be_read_together, counts_on
from .forms import Form

MAX_COLUMNS = 16_384
"""As many as a sheet of Excel has."""
MAX_LINES = 1_000_000
"""Lines of one cell. They are kept until it ends, since they are read again if its quote is never closed."""
AHEAD = 50
"""Lines that may still belong to a record with a stray quote."""
_CHUNK = 1 << 16
_BLOCK, _MORE = 1 << 16, 1 << 18
"""Characters that are read together, and how many more in search of the end of a cell."""

UNCLOSED, FOLLOWED, TOO_LONG = "unclosed", "followed", "too_long"
"""What is wrong with a quote: it is never closed, text follows where it ends a cell, or its cell has no end."""


@final
class Stray(NamedTuple):
    """A record with a quote in a wrong place: its text, what is wrong, and the line on which that shows."""

    text: str
    what: str
    line: int


class Records:
    """The records of a text, as `reader` yields them. `pending` holds the lines of the current record.

    The caller clears `pending` after each record. `odd` says that a line since then has a NUL or a byte order mark.
    After an error of `reader`, `broken` returns the record that failed, and a new reader goes on after it.
    """

    def __init__(
        self, text: io.TextIOWrapper, form: Form, *, max_cell: int, compose: bool, skipped: int = 0, block: int = _BLOCK
    ) -> None:
        self.pending: list[str] = []
        self.odd = False
        self._text = text
        self._form = form
        self._max_line = 2 * max_cell
        self._block = block
        # Windows' Vietnamese code page writes a tone as a separate mark; other programs write one letter.
        self._compose = compose
        self._again: deque[str] = deque()
        self._reader: Any = None
        self._before = skipped
        for _ in range(skipped):
            text.readline(self._max_line)

    @property
    def line(self) -> int:
        """The number of the line on which the record begins."""
        return self._taken - len(self.pending) + 1

    @property
    def is_again(self) -> bool:
        """Whether there are lines to be read again."""
        return bool(self._again)

    def block(self) -> str | None:
        """The next lines, up to the end of a record as far as quotes show it; empty at the end of the text.

        None if records must be read one by one. After each block, call `passed` or `one_by_one`.
        """
        if self._again or self._compose or not can_be_read_together(self._form):
            return None
        text = self._text.read(self._block)
        if text and text[-1] != "\n":
            text += self._text.readline(self._max_line)
        quote = self._form.quote
        if quote and text.count(quote) % 2:
            more, size = [text], 0
            while size <= _MORE and (line := self._text.readline(self._max_line)):
                more.append(line)
                size += len(line)
                if line.count(quote) % 2:
                    break
            text = "".join(more)
        return text

    def passed(self, lines: int) -> None:
        """Count the lines of the block as read."""
        self._before, self._reader = self._taken + lines, None

    def one_by_one(self, block: str) -> None:
        """Let `reader` read the records of the block."""
        self._again.extend(io.StringIO(block, newline=""))

    @property
    def _taken(self) -> int:
        """How many lines have been read, without those that will be read again."""
        return self._before + (0 if self._reader is None else self._reader.line_num)

    def reader(self) -> Iterator[list[str]]:
        """A reader of the records from here on. Raises `csv.Error` or `Endless` at one that cannot be read."""
        self._before = self._taken
        self._reader = self._form.reader(self._lines())
        return self._reader  # type: ignore[no-any-return]  # a reader of `csv`

    def _lines(self) -> Iterator[str]:
        """The lines, checked for what `csv` would not report."""
        form, again, keep = self._form, self._again, self.pending.append
        escape, compose, pending = form.escape, self._compose, self.pending
        while again:
            line = again.popleft()
            if len(line) > MAX_COLUMNS:
                self._check(line)
            self.odd = self.odd or "\0" in line or "\ufeff" in line
            keep(line)
            yield form.unescaped(line)
        for line in iter(partial(self._text.readline, self._max_line), ""):
            if len(line) > MAX_COLUMNS:
                self._check(line)
            if "\0" in line or "\ufeff" in line:
                self.odd = True
            if compose:
                line = unicodedata.normalize("NFC", line)
            keep(line)
            if len(pending) > MAX_LINES:
                raise Endless
            yield line if escape is None else form.unescaped(line)

    def _next_line(self) -> str:
        line = self._text.readline(self._max_line)
        if len(line) > MAX_COLUMNS:
            self._check(line)
        return unicodedata.normalize("NFC", line) if self._compose else line

    def _check(self, line: str) -> None:
        number = self._taken + 1
        if len(line) >= self._max_line:
            raise FileRefused(
                "too_long",
                f"Line {number:,} is longer than {self._max_line:,} characters. "
                "Check that the file is a CSV file with one row per line, and drop it again.",
            )
        quote, delimiter = self._form.quote, self._form.delimiter
        # A delimiter within quotes may be part of a long text.
        between = delimiter if not quote or quote not in line else f"{quote}{delimiter}{quote}"
        cells = line.count(between) + 1
        if cells > MAX_COLUMNS and not self._is_empty_from(line, MAX_COLUMNS):
            # Refused before the line is split: each cell takes some 60 bytes more than it has letters.
            raise FileRefused(
                "columns",
                f"Line {number:,} has {cells:,} cells, and batchd reads at most {MAX_COLUMNS:,} "
                "columns. Check that each row is on its own line, and drop the file again.",
            )

    def _is_empty_from(self, line: str, cells: int) -> bool:
        """Whether all cells after this many are empty, and the line is short enough to be read all the same."""
        return len(line.rstrip(f"\r\n{self._form.delimiter}")) < cells and len(line) <= 4 * cells

    def broken(self, error: Exception, width: int) -> Stray:
        """The record that could not be read: its first line, and the lines that belong to it. Others are read again."""
        pending = self.pending
        what = TOO_LONG if isinstance(error, Endless) else _what(str(error))
        line = self.line + (len(pending) - 1 if what is FOLLOWED else 0)
        return self._stray(what, line, width)

    def _stray(self, what: str, line: int, width: int) -> Stray:
        pending = self.pending
        self._again.extendleft(reversed(pending[1:]))
        self._before -= len(pending) - 1
        del pending[1:]
        for _ in range(self._belonging(width)):
            pending.append(self._again.popleft())
            self._before += 1
        return Stray("".join(pending).rstrip("\r\n"), what, line)

    def _belonging(self, width: int) -> int:
        """How many of the next lines belong to the record: up to a cell that ends in a quote but begins with none.

        None do if a line before that cell is a whole row.
        """
        for number in range(AHEAD):
            if len(self._again) <= number:
                line = self._next_line()
                if not line:
                    return 0
                self._again.append(line)
            line = self._form.unescaped(self._again[number])
            try:
                cells = next(self._form.reader([line]), [])
            except csv.Error:
                return 0
            if _ends_a_cell(line.rstrip("\r\n"), self._form):
                return number + 1
            if len(cells) == width:
                return 0
        return 0

    def swallowing(self, width: int) -> Stray | None:
        """The record if a cell of it holds the next rows, since a quote is not closed: their first cells count up."""
        if not counts_on(self.pending, self._form.delimiter, width):
            return None
        return self._stray(UNCLOSED, self.line, width)


class Endless(Exception):
    """A cell has too many lines."""


def _ends_a_cell(line: str, form: Form) -> bool:
    """Whether a cell of the line ends in a quote but begins without one: it began on a line above."""
    quote = form.quote
    if form.escape is not None:
        line = line.replace(form.escape * 2, "").replace(f"{form.escape}{quote}", "")
    inside = False
    for piece in line.split(form.delimiter):
        odd = piece.count(quote) % 2 == 1
        if inside or piece.lstrip(" " if form.skip_spaces else "").startswith(quote):
            inside = inside != odd
        elif odd and piece.endswith(quote):
            return True
    return False


def _what(error: str) -> str:
    if error.startswith("unexpected end"):
        return UNCLOSED
    return TOO_LONG if error.startswith("field larger") else FOLLOWED


_MAX_FILLED = 64 << 20
"""Bytes at the end that are examined. A file with more NULs is a hole, not a table that was filled up to a size."""


def content_end(file: IO[bytes], encoding: str) -> int | None:
    """Where the text ends if the file is filled up with NULs, or ends with Ctrl-Z as under DOS; else None.

    `encoding` writes no mark by itself.
    """
    fillers = {"\0".encode(encoding), "\x1a".encode(encoding)}
    unit = len("\0".encode(encoding))
    end = file.seek(0, os.SEEK_END)
    size = end
    if end % unit:
        return None
    while end and size - end < _MAX_FILLED:
        start = max(0, end - _CHUNK)
        file.seek(start)
        chunk = file.read(end - start)
        kept = 0 if not any(chunk) else len(chunk)
        while kept and chunk[kept - unit : kept] in fillers:
            kept -= unit
        end = start + kept
        if kept:
            break
    return end if end < size else None


class Limited(io.RawIOBase):
    """A file that ends at `end`."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._file = file
        self._left = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any writable buffer
        chunk = self._file.read(min(len(buffer), self._left))
        buffer[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)

    def close(self) -> None:
        self._file.close()
        super().close()

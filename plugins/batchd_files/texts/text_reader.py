"""The reader `text`: one row per line, for files without columns."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from batchd import BadRow, Failure, FileRefused, Json, Reader, Settings, Source

from .content import refuse_other_kinds
from .encoding import EncodingName, find_encoding, undecodable

MAX_LINE = 1_000_000
"""Characters of a line."""
_SHOWN = 1_000


class TextSettings(Settings):
    """The reader table of a route, for plain text."""

    encoding: EncodingName = "auto"
    """As for CSV files."""


class TextReader(Reader[TextSettings]):
    """Reads `.txt` and `.md` where a route names them. Each line is a row of one column, `text`, unless it is blank."""

    Settings = TextSettings
    suffixes = (".txt", ".md")
    only_if_named: ClassVar[bool] = True
    max_line = MAX_LINE

    def __init__(self, settings: TextSettings) -> None:
        super().__init__(settings)
        self._encoding = ""

    def describe(self) -> Mapping[str, Json]:
        """The encoding of the last file."""
        return {"format": "text", "encoding": self._encoding}

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """Memory holds a line at a time."""
        with source.open() as file:
            encoding = find_encoding(source, refuse_other_kinds(file), self.settings.encoding)
        self._encoding = encoding
        rows = 0
        yield ["text"]
        try:
            with io.TextIOWrapper(source.open(), encoding) as lines:
                for number, line in enumerate(iter(lambda: lines.readline(self.max_line + 1), ""), start=1):
                    if len(line) > self.max_line and not line.endswith("\n"):
                        rows += 1
                        yield self._too_long(lines, line, number)
                    elif not line.isspace():
                        rows += 1
                        yield [line.rstrip("\r\n")]
        except UnicodeDecodeError:
            raise undecodable(source, encoding) from None
        if rows == 0:
            raise FileRefused("empty", "The file has no text. Write one line for each row, and drop it again.")

    def _too_long(self, lines: io.TextIOWrapper, line: str, number: int) -> BadRow:
        while (rest := lines.readline(self.max_line)) and not rest.endswith("\n"):
            pass
        return BadRow(
            [line[:_SHOWN]],
            Failure(
                "line_too_long",
                f"Line {number:,} is longer than {self.max_line:,} characters. Only its beginning is returned; the "
                "whole line is in the original file, in the archive. Write it as several lines.",
            ),
        )

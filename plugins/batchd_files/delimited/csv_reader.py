"""The reader `csv`: tables saved by Excel, LibreOffice and databases, or written by hand."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

from pydantic import field_validator

from batchd import BadRow, Dialect, Json, Reader, Settings, Source

from ..texts.content import HEAD, refuse_json, refuse_other_kinds
from ..texts.encoding import EncodingName, find_encoding, undecodable, written_as
from .cells import PLAIN_NUMBER
from .delimiter import RARE, SAMPLE, can_be_declared, declared_delimiter, find_delimiter, line_end
from .forms import Form, Trial, find_form, parsed
from .records import Limited, Records, content_end
from .rows import Rows

MAX_CELL = 10_500_000
"""Characters in one cell: 10 MB. A longer one is nearly always the rest of the file after a quote that is not
closed."""
_QUOTING_CELLS = 1_000
"""How many cells are looked at for quotes: a program that writes in one style does so from the first."""
_BY_MARK_OR_USUAL = frozenset({"utf-8", "utf-8-sig", "utf-16", "utf-32"})
"""UTF-8, and encodings that only a mark shows. Any other that no route names was guessed."""
_OF_FORM = ("quote", "escape", "skip_spaces")
"""The attributes of a form that are settings, too."""


class CsvSettings(Settings):
    """The reader table of a route, for CSV files."""

    encoding: EncodingName = "auto"
    """`auto`: by the byte order mark, else UTF-8, else a guess that is certain; or a name such as `cp1252`."""
    delimiter: str = "auto"
    """`auto` detects `,` `;` tab and `|`; else one character."""
    quote: str = "auto"
    """`auto`: `"`, or `'` where that is certain; else one character, or `none` if there are no quotes, only text."""
    escape: str = "auto"
    """The character before a quote that belongs to the text. `auto`: a backslash where that is certain; else one
    character, or `none`. Such a quote may always be written twice."""
    skip_spaces: bool | Literal["auto"] = "auto"
    """Whether spaces after a delimiter are left out. `auto`: if they stand before quotes."""
    header_row: int | Literal["auto"] = "auto"
    """The line with the names of the columns, from 1; nothing above it is read. `auto`: the first line that is not
    empty, or the one below a title where that is certain."""

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if value != "auto" and (len(value) != 1 or value in '"\r\n\0'):
            raise ValueError(f'{value!r} cannot separate cells. Write "auto", ",", ";", "\\t" or "|".')
        return value

    @field_validator("quote", "escape")
    @classmethod
    def _mark(cls, value: str) -> str:
        if value not in {"auto", "none"} and (len(value) != 1 or value.isalnum() or value in " \r\n\0"):
            raise ValueError(f'{value!r} cannot be that. Write "auto", "none" or one character, such as "\'".')
        return value

    @field_validator("header_row")
    @classmethod
    def _a_line(cls, value: int | str) -> int | str:
        if isinstance(value, int) and not 1 <= value <= 1_000:
            raise ValueError('Lines are counted from 1. Write "auto" or a number up to 1000.')
        return value


class CsvReader(Reader[CsvSettings]):
    """Reads `.csv`, `.tsv` and `.tab`. The first line names the columns; empty rows are left out."""

    Settings = CsvSettings
    suffixes = (".csv", ".tsv", ".tab")
    max_cell = MAX_CELL
    """Characters. A line may have twice as many."""

    def __init__(self, settings: CsvSettings) -> None:
        super().__init__(settings)
        self._description: dict[str, Json] = {}
        self._dialect: Dialect | None = None

    def describe(self) -> Mapping[str, Json]:
        """How the last file was read: its encoding and delimiter, and what in it is unusual."""
        return dict(self._description)

    def dialect(self) -> Dialect | None:
        return self._dialect

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        return chain.from_iterable(self.read_many(source))

    def read_many(self, source: Source) -> Iterator[Sequence[Sequence[str] | Sequence[Json] | BadRow]]:
        """Memory holds one block of lines, or one record, at a time."""
        # The limit holds for the whole process. Its default is too small for an article in a cell.
        csv.field_size_limit(self.max_cell)
        # Results of batchd have the form of their sink, or of the program that edited them, not that of the route.
        settings = CsvSettings(encoding=self.settings.encoding) if ".results." in source.name else self.settings
        with source.open() as file:
            head = refuse_other_kinds(file)
            refuse_json(head)
            end = content_end(file, "utf-8")
            encoding = find_encoding(source, head if end is None else head[: min(end, HEAD)], settings.encoding)
            own = written_as(head, encoding)
            if encoding.startswith(("utf-16", "utf-32")):
                end = content_end(file, own[0])
        guessed = settings.encoding == "auto" and encoding not in _BY_MARK_OR_USUAL
        try:
            with _open(source, encoding, end) as text:
                sample = text.read(SAMPLE)
            form, skipped, titles, trial = self._form(settings, sample, source)
            self._description = {"encoding": encoding, "delimiter": form.delimiter}
            self._description |= {"guessed": True} if guessed else {}
            self._description |= _unusual(form, Form(form.delimiter))
            self._description |= {"header_row": skipped + 1} if titles else {}
            declared = declared_delimiter(sample) is not None
            # A form that was detected is written as the usual one, which is always detected again.
            rare = settings.delimiter == "auto" and form.delimiter in RARE
            self._dialect = Dialect(
                encoding=own[0],
                mark=own[1],
                delimiter=form.delimiter,
                line_end=line_end(sample),
                declared=declared or rare,
                form="tsv" if source.suffix in {".tsv", ".tab"} else "csv",
                guessed=guessed,
                quoting=_quoting(sample, form.delimiter, form.quote),
                **_configured(settings, form, above=skipped - (declared or rare)),
            )
            with _open(source, encoding, end) as text:
                compose = encoding == "cp1258"
                records = Records(text, form, max_cell=self.max_cell, compose=compose, skipped=skipped)
                rows = Rows(records, form, [row.cells for row in trial.rows[1:]], declared=declared)
                header = rows.header()
                if len(header.names) == 1 < len(header.written):
                    # Without its other cells, the header would not show the delimiter.
                    self._dialect = replace(self._dialect, declared=can_be_declared(form.delimiter))
                yield [header.names]
                yield from rows.blocks()
                self._description |= rows.remarks()
        except UnicodeDecodeError:
            raise undecodable(source, encoding) from None

    def _form(self, settings: CsvSettings, sample: str, source: Source) -> tuple[Form, int, int, Trial]:
        """The form, how many lines to skip at the beginning, how many records among them are titles, and how the
        sample reads."""
        whole, complete = sample, len(sample) < SAMPLE
        delimiter = declared_delimiter(sample)
        skipped = 0 if delimiter is None else 1
        if isinstance(settings.header_row, int):
            skipped = max(skipped, settings.header_row - 1)
        for _ in range(skipped):
            sample = sample[len(next(io.StringIO(sample, newline=""), "")) :]
        if delimiter is None and settings.delimiter != "auto":
            delimiter = settings.delimiter
        if delimiter is None:
            first = "\t" if source.suffix in {".tsv", ".tab"} else ","
            delimiter = find_delimiter(sample, complete=complete, first=first)
        chosen = {name: value for name in _OF_FORM if (value := getattr(settings, name)) != "auto"}
        nothing: dict[str, Any] = {"quote": "", "escape": None}
        form = Form(delimiter, **{name: nothing[name] if value == "none" else value for name, value in chosen.items()})
        form = find_form(sample, form, chosen, complete=complete)
        trial = parsed(sample, form, complete=complete)
        titles = 0 if isinstance(settings.header_row, int) else trial.titles()
        # Files of batchd have no titles, and files with Excel's `sep=;` hardly ever.
        if titles and (declared_delimiter(whole) or ".failed." in source.name) and not trial.rows[titles].behind_blank:
            titles = 0
        if titles:
            above = trial.rows[titles].line - 1
            skipped += above
            trial = Trial(trial.rows[titles:], trial.broken)
        return form, skipped, titles, trial


def _open(source: Source, encoding: str, end: int | None) -> io.TextIOWrapper:
    file = source.open()
    if end is not None:
        file = io.BufferedReader(Limited(file, end))
    return io.TextIOWrapper(file, encoding, newline="")


def _unusual(form: Form, usual: Form) -> dict[str, Json]:
    return {name: value for name in _OF_FORM if (value := getattr(form, name)) != getattr(usual, name)}


def _configured(settings: CsvSettings, form: Form, *, above: int) -> dict[str, Json]:
    """The parts of the form that the route sets for all its files."""
    expected: dict[str, Json] = {name: getattr(form, name) for name in _OF_FORM if getattr(settings, name) != "auto"}
    if isinstance(settings.header_row, int):
        expected["above"] = max(0, above)
    return expected


def _quoting(sample: str, delimiter: str, quote: str) -> str:
    """`all`, `text` (all but numbers) or `minimal`, by the cells at the beginning of a file."""
    if not quote:
        return "minimal"
    mark, between = re.escape(quote), re.escape(delimiter)
    cell = re.compile(f"({mark}(?:[^{mark}]|{mark}{mark})*{mark}|[^{between}\r\n]*)(?:{between}|\r\n|\r|\n|\\Z)")
    quoted = numbers = 0
    for number, match in enumerate(cell.finditer(sample.removeprefix("\ufeff"))):
        text = match[1]
        if number == _QUOTING_CELLS:
            break
        if text.startswith(quote):
            quoted += 1
        elif PLAIN_NUMBER.fullmatch(text) is not None:
            numbers += 1
        elif text:
            return "minimal"
    # A single quoted cell in a file of numbers needed its quotes.
    if quoted < 2:
        return "minimal"
    return "text" if numbers else "all"

"""The form of a table as text: its delimiter, its quotes, its escape; and how a sample reads in a form."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

BACKSLASH = "\\"
MAX_BROKEN = 50
"""Broken records of a sample. A form with more of them is not that of the file."""
MAX_TITLES = 20
"""Lines above the header."""


@dataclass(frozen=True, slots=True)
class Form:
    """How cells are told apart. An empty `quote` means that there are no quotes, only text.

    `escape` stands before a quote that belongs to the text; such a quote may be written twice as well. `skip_spaces`:
    spaces behind a delimiter do not belong to the cell.
    """

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    skip_spaces: bool = False

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """A reader of the `csv` module, which raises `csv.Error` at a quote in a wrong place."""
        quoting: dict[str, Any] = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            escapechar=self.escape,
            skipinitialspace=self.skip_spaces,
            strict=True,
            **quoting,
        )

    def unescaped(self, line: str) -> str:
        """The line for `reader`: an escape before an ordinary letter, as in `C:\\new`, stands for itself."""
        if self.escape is None or self.escape not in line:
            return line
        escape = re.escape(self.escape)
        special = re.escape(f"{self.escape}{self.quote}{self.delimiter}") + "\r\n"
        return re.sub(f"{escape}([{special}])|{escape}", lambda found: found[0] if found[1] else found[0] * 2, line)


@dataclass(frozen=True, slots=True)
class Record:
    """A record that is not blank, and the number of the line on which it begins."""

    line: int
    cells: Sequence[str]
    behind_blank: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """A sample as it reads in a form. `broken` counts the records with a quote in a wrong place."""

    rows: Sequence[Record]
    broken: int

    def faults(self) -> int:
        """How many records would fail."""
        if not self.rows:
            return self.broken
        titles = self.titles()
        width = _width(self.rows[titles].cells)
        return self.broken + sum(not _fits(row.cells, width) for row in self.rows[titles + 1 :])

    def titles(self) -> int:
        """How many records stand above the header, where that is certain; else 0."""
        head = self.rows[: MAX_TITLES + 1]
        # Lines such as `Exported by,An` may stand there too, where a blank line divides them from the header.
        divided = max((n for n, row in enumerate(head) if n and row.behind_blank), default=0)
        first = next((n for n, row in enumerate(head) if _filled(row.cells) > 1), 0)
        return next((place for place in (divided, first) if place and self._begins_at(place)), 0)

    def _begins_at(self, place: int) -> bool:
        """Whether this record is certainly the header: it names all columns, and each row below has as many cells."""
        header, data = self.rows[place].cells, self.rows[place + 1 :]
        width = _width(header)
        if (
            not data
            or width < 2
            or not names_columns(header[:width])
            or any(_filled(row.cells) >= min(width, 3) for row in self.rows[:place])
            or not all(_fits(row.cells, width) for row in data)
        ):
            return False
        if self.rows[place].behind_blank:
            return True
        numbers = any(all(_is_number(row.cells[n]) for row in data) for n in range(width))
        bare = all(len(row.cells) == 1 for row in self.rows[:place])
        return numbers or bare if width > 2 else numbers and bare


BLANK = " \t\r\n\xa0"
"""Characters that an empty cell may hold. Other invisible characters are text."""


def is_blank(cells: Iterable[str]) -> bool:
    """Whether there is nothing in the cells."""
    return not any(cell and cell.strip(BLANK) for cell in cells)


def is_ruler(cells: Sequence[str]) -> bool:
    """Whether the cells are the line of dashes that databases and Markdown draw below the header.

    >>> [is_ruler(cells) for cells in (["", ":---", "--:"], ["----+-----"], ["--", ""], ["-", "-"], ["-5", "--"])]
    [True, True, False, False, False]
    """
    drawn = [stripped for cell in cells if (stripped := cell.strip(BLANK))]
    ruled = len(drawn) > 1 or "-+-" in "".join(drawn)
    return ruled and all("--" in each and not each.strip("-+:|") for each in drawn)


def _filled(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell and cell.strip(BLANK))


def _width(cells: Sequence[str]) -> int:
    """How many cells there are up to the last one that is not empty."""
    return max((n for n, cell in enumerate(cells, start=1) if cell.strip(BLANK)), default=0)


def _fits(cells: Sequence[str], width: int) -> bool:
    """Whether a row has `width` cells, perhaps with empty ones after them."""
    return len(cells) >= width >= _width(cells)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d+(?:[.,]\d+)*\s*%?", cell) is not None


def names_columns(cells: Sequence[str]) -> bool:
    """Whether the cells can only be the names of columns."""
    names = [cell.strip().casefold() for cell in cells]
    return (
        all(names)
        and len(set(names)) == len(names)
        and not any(_is_number(name) or len(name) > 100 or "\n" in name for name in names)
        and not any(cell.startswith(" ") for cell in cells)
    )


def parsed(sample: str, form: Form, *, complete: bool) -> Trial:
    """Read a sample in a form. If the sample is not `complete`, its last record may be cut off and is left out.

    A record that cannot be read is taken for one line: the next record begins on the line after its first one.
    """
    lines = list(io.StringIO(sample, newline=""))
    rows: list[Record] = []
    start = broken = 0
    blank = False
    while start < len(lines) and broken < MAX_BROKEN:
        reader: Any = form.reader(map(form.unescaped, lines[start:]))
        first = start
        try:
            for cells in reader:
                if _filled(cells):
                    rows.append(Record(first + 1, cells, blank))
                    blank = False
                else:
                    blank = True
                first = start + reader.line_num
            break
        except csv.Error as error:
            # If the sample ends within quotes, that speaks against the form only if the file ends there too.
            if not complete and str(error).startswith("unexpected end"):
                return Trial(rows, broken)
            broken += 1
            start = first + 1
    if not complete and len(rows) > 1:
        del rows[-1]
    return Trial(rows, broken)


def find_form(sample: str, form: Form, fixed: Iterable[str], *, complete: bool) -> Form:
    """The form of a sample whose delimiter is known: the usual one, unless another reads it far better.

    `fixed` names the attributes of `form` that must not change.
    """
    usual = parsed(sample, form, complete=complete)
    faults, best = usual.faults(), form
    for other in _others(sample, form, set(fixed)):
        trial = parsed(sample, other, complete=complete)
        if not trial.rows or any('"' in name for name in trial.rows[0].cells):
            continue  # a quote in a name is a sign against this form
        if other.quote != form.quote and any(cell.startswith('"') for row in trial.rows for cell in row.cells):
            continue  # the usual quotes are there
        found = trial.faults()
        if found < faults and found * 10 <= faults:
            faults, best = found, other
        elif not faults and not found and best == form and _shown(usual, trial, form, other):
            best = other
        if best != form and not faults:
            break
    return best


def _others(sample: str, form: Form, fixed: set[str]) -> Iterator[Form]:
    """The other forms that the sample has signs of, the likeliest first."""
    spaced = re.search(rf"{re.escape(form.delimiter)} +[\"']", sample) is not None
    skip = [True] if spaced and "skip_spaces" not in fixed and form.delimiter != " " else []
    escapes = [BACKSLASH] if BACKSLASH in sample and "escape" not in fixed and form.delimiter != BACKSLASH else []
    quotes = ["'"] if "'" in sample and "quote" not in fixed and form.delimiter != "'" else []
    for quote in [form.quote, *quotes]:
        for escape in [form.escape, *escapes]:
            for skipping in [form.skip_spaces, *skip]:
                other = replace(form, quote=quote, escape=escape, skip_spaces=skipping)
                if other != form:
                    yield other


def _shown(usual: Trial, trial: Trial, form: Form, other: Form) -> bool:
    """Whether the cells show that the other form is right, though each record has as many cells in both."""
    if len(usual.rows) != len(trial.rows) or other.escape != form.escape:
        return False
    pairs = [(a.cells, b.cells) for a, b in zip(usual.rows, trial.rows, strict=True)]
    if any(len(one) != len(two) for one, two in pairs):
        return False
    if other.skip_spaces != form.skip_spaces:
        quoted = re.compile(rf" +([{form.quote}{other.quote}]).*\1 *", re.DOTALL)
        spaced = [one != two for a, b in pairs for one, two in zip(a, b, strict=True) if quoted.fullmatch(one)]
        if not spaced or not all(spaced):
            return False
    return other.quote == form.quote or _wraps(pairs, other.quote)


def _wraps(pairs: Sequence[tuple[Sequence[str], Sequence[str]]], quote: str) -> bool:
    """Whether a whole column stands in these quotes."""
    for column in zip(*([*zip(a, b, strict=True)] for a, b in pairs), strict=False):
        found = [
            one.strip()[:1] == one.strip()[-1:] == quote and len(one.strip()) > 1 and two[:1] not in {'"', quote}
            for one, two in column[1:]
            if one.strip()
        ]
        name, plain = column[0]
        wrapped = name.strip()[:1] == quote and plain[:1] not in {'"', quote}
        if found and all(found) and len(found) + wrapped > 1:
            return True
    return False

"""Detects the delimiter of a CSV file by trying each candidate on a sample."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

CANDIDATES = (",", ";", "\t", "|")
SAMPLE = 65_536
"""How many characters the sample has."""

NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "space", ":": "colon"}
"""The usual names of delimiters."""

_LINE_END = re.compile("\r\n|\n|\r")
_EXCEL_LINE = re.compile(r"sep=([^\w\s\"']|\t)[ \t]*(?=[\r\n]|\Z)", re.IGNORECASE)


def named(delimiter: str) -> str:
    """The delimiter's usual name, such as `comma`, or the character itself in quotes."""
    return NAMES.get(delimiter, f"“{delimiter}”")


def declared_delimiter(sample: str) -> str | None:
    """The delimiter from Excel's first line `sep=;`; None if the first line is an ordinary one."""
    match = _EXCEL_LINE.match(sample)
    return match[1] if match else None


def can_be_declared(delimiter: str) -> bool:
    """Whether a first line `sep=…` can name it."""
    return declared_delimiter(f"sep={delimiter}") is not None


def line_end(sample: str) -> str:
    """The end of the first line."""
    match = _LINE_END.search(sample)
    return match[0] if match else "\n"


@dataclass(frozen=True, slots=True)
class _Trial:
    """The result of one delimiter: the number of cells in the header, and the share of rows with as many.

    `sound` means that every quote is where quotes belong. (With a comma, those of `id;","` are not.)
    """

    delimiter: str
    sound: bool = True
    header: int = 0
    agreeing: float = 0.0


def find_delimiter(sample: str, *, complete: bool, first: str = ",") -> str:
    """The likeliest delimiter of a sample. `complete`: the sample is the whole file. `first` wins a draw."""
    order = sorted(CANDIDATES, key=lambda delimiter: delimiter != first)
    trials = [_try(sample, delimiter, complete=complete) for delimiter in order]
    tables = [trial for trial in trials if trial.header > 1]
    # A header that no delimiter splits is one column. The best delimiter is then one that does not split the rows.
    best = max(tables or trials, key=lambda trial: (trial.sound, trial.agreeing, trial.header))
    return best.delimiter


def _try(sample: str, delimiter: str, *, complete: bool) -> _Trial:
    names: Sequence[str] | None = None
    widths: list[int] = []
    sound = True
    try:
        for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True):
            if cells and names is None:
                names = cells
            elif cells:
                widths.append(len(cells))
        if not complete and widths:
            del widths[-1]  # incomplete
    except csv.Error as error:
        # If the sample ends within quotes, that speaks against the delimiter only if the file ends there too.
        sound = not complete and str(error).startswith("unexpected end")
    if names is None:
        return _Trial(delimiter, sound)
    sound = sound and not any('"' in name for name in names)
    if not widths:
        return _Trial(delimiter, sound, len(names), 1.0)
    return _Trial(delimiter, sound, len(names), widths.count(len(names)) / len(widths))

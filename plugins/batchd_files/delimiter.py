"""Which character separates the cells of a CSV file: found by trying each on a sample."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

CANDIDATES = (",", ";", "\t", "|")
SAMPLE = 65_536
"""Characters that are tried."""

NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "space", ":": "colon"}
"""What people call them."""

_EXCEL_LINE = re.compile(r"sep=([^\w\s\"']|\t)[ \t]*(?=[\r\n]|\Z)", re.IGNORECASE)


def named(delimiter: str) -> str:
    """What a person calls it: `comma`, or the character itself in quotes."""
    return NAMES.get(delimiter, f"“{delimiter}”")


def told_by_first_line(sample: str) -> str | None:
    """The delimiter that Excel's own first line `sep=;` tells, None if the first line is an ordinary one."""
    match = _EXCEL_LINE.match(sample)
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class _Trial:
    """How a sample comes out with one delimiter: cells of the header, of most rows, and how many rows agree."""

    delimiter: str
    header: int
    usual: int
    agreeing: float


def find_delimiter(sample: str, *, complete: bool, first: str = ",") -> str:
    """The likeliest delimiter of a sample. `complete` says that it is the whole file, `first` wins a draw."""
    order = sorted(CANDIDATES, key=lambda delimiter: delimiter != first)
    trials = [_try(sample, delimiter, complete=complete) for delimiter in order]
    tables = [trial for trial in trials if trial.header > 1]
    whole = [trial for trial in tables if trial.usual == trial.header]
    # A header that no delimiter splits is the name of one column; then the best is what leaves the rows whole.
    best = max(whole or tables or trials, key=lambda trial: (trial.agreeing, trial.header))
    return best.delimiter


def _try(sample: str, delimiter: str, *, complete: bool) -> _Trial:
    records = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    widths: Sequence[int] = [len(cells) for cells in records if cells]
    if not complete and len(widths) > 1:
        widths = widths[:-1]  # cut off in the middle
    if not widths:
        return _Trial(delimiter, 0, 0, 0.0)
    header, *others = widths
    if not others:
        return _Trial(delimiter, header, header, 1.0)
    counted = Counter(others)
    usual = max(counted, key=lambda width: (counted[width], width == header))
    return _Trial(delimiter, header, usual, counted[header] / len(others))

"""Which character separates the cells of a CSV file: found by trying each on a sample."""

from __future__ import annotations

import csv
import io
import re
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
    """How a sample comes out with one delimiter: the cells of its header, and the share of rows with as many.

    It is sound if every quote stands where quotes belong. (With a comma tried on `id;","` they do not.)
    """

    delimiter: str
    sound: bool = True
    header: int = 0
    agreeing: float = 0.0


def find_delimiter(sample: str, *, complete: bool, first: str = ",") -> str:
    """The likeliest delimiter of a sample. `complete` says that it is the whole file, `first` wins a draw."""
    order = sorted(CANDIDATES, key=lambda delimiter: delimiter != first)
    trials = [_try(sample, delimiter, complete=complete) for delimiter in order]
    tables = [trial for trial in trials if trial.header > 1]
    # A header that no delimiter splits is the name of one column; then the best is what leaves the rows whole.
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
            del widths[-1]  # cut off in the middle
    except csv.Error as error:
        # A sample that ends within quotes is no fault of the delimiter, unless the file ends there too.
        sound = not complete and str(error).startswith("unexpected end")
    if names is None:
        return _Trial(delimiter, sound)
    sound = sound and not any('"' in name for name in names)
    if not widths:
        return _Trial(delimiter, sound, len(names), 1.0)
    return _Trial(delimiter, sound, len(names), widths.count(len(names)) / len(widths))

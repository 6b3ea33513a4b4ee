"""Detects the delimiter of a CSV file by trying each candidate on a sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .forms import Form, Trial, parsed

CANDIDATES = (",", ";", "\t", "|")
RARE = ("^", "~", "¦", "\x01", ":")
"""Taken only if no other candidate splits the header and every row has as many cells as the header."""
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
    """Whether a first line `sep=…` can name this delimiter."""
    return declared_delimiter(f"sep={delimiter}") is not None


def line_end(sample: str) -> str:
    """The end of the first line."""
    match = _LINE_END.search(sample)
    return match[0] if match else "\n"


@dataclass(frozen=True, slots=True)
class _Score:
    """The result of one delimiter: the number of cells in the header, and the share of rows with as many.

    `sound` means that every quote is where quotes belong. (With a comma, those of `id;","` are not.)
    """

    delimiter: str
    sound: bool
    header: int
    agreeing: float
    rows: int


def find_delimiter(sample: str, *, complete: bool, first: str = ",") -> str:
    """The likeliest delimiter of a sample. `complete`: the sample is the whole file. `first` wins a draw."""
    order = sorted(CANDIDATES, key=lambda delimiter: delimiter != first)
    trials = {delimiter: parsed(sample, Form(delimiter), complete=complete) for delimiter in order}
    scores = [_score(trials[delimiter], delimiter) for delimiter in order]
    tables = [score for score in scores if score.header > 1]
    if not tables:
        titled = [delimiter for delimiter in order if trials[delimiter].titles()]
        if len(titled) == 1:
            return titled[0]
        for delimiter in RARE:
            score = _score(trial := parsed(sample, Form(delimiter), complete=complete), delimiter)
            if score.header > 1 and score.sound and score.rows and score.agreeing == 1.0 and all(trial.rows[0].cells):
                return delimiter
    # A header that no delimiter splits is one column. The best delimiter is then one that does not split the rows.
    best = max(tables or scores, key=lambda score: (score.sound, score.agreeing, score.header))
    return best.delimiter


def _score(trial: Trial, delimiter: str) -> _Score:
    names: Sequence[str] = trial.rows[0].cells if trial.rows else ()
    rows = trial.rows[1:]
    sound = not trial.broken and not any('"' in name for name in names)
    agreeing = sum(len(row.cells) == len(names) for row in rows) / len(rows) if rows else float(bool(names))
    return _Score(delimiter, sound, len(names), agreeing, len(rows))

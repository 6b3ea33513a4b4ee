"""Which cells of a CSV file stand in quotes: only those that must, all, or all but numbers."""

from __future__ import annotations

import re

from .cells import PLAIN_NUMBER

_CELLS = 1_000
"""How many cells are looked at: a program that writes in one style does so from the first."""


def quoting_of(sample: str, delimiter: str, quote: str = '"') -> str:
    """`all`, `text` (all but numbers) or `minimal`, by the cells at the beginning of a file."""
    if not quote:
        return "minimal"
    mark, between = re.escape(quote), re.escape(delimiter)
    cell = re.compile(f"({mark}(?:[^{mark}]|{mark}{mark})*{mark}|[^{between}\r\n]*)(?:{between}|\r\n|\r|\n|\\Z)")
    quoted = numbers = 0
    for number, match in enumerate(cell.finditer(sample.removeprefix("\ufeff"))):
        text = match[1]
        if number == _CELLS:
            break
        if text.startswith(quote):
            quoted += 1
        elif PLAIN_NUMBER.fullmatch(text) is not None:
            numbers += 1
        elif text:
            return "minimal"
    # One quoted cell in a file of numbers is one that had to be.
    if quoted < 2:
        return "minimal"
    return "text" if numbers else "all"

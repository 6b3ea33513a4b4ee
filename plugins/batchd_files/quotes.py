"""Explains what is wrong with the quotes of a CSV file, and on which line the problem begins."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from batchd import FileRefused

from .delimiter import named


def refusal(reason: str, lines: Iterable[str], first: int, last: int, delimiter: str) -> FileRefused:
    """The refusal after `csv` stopped at line `last` of the file's lines, in a record that begins at line `first`."""
    opened = _opened(islice(lines, first - 1, last), first, delimiter) or first
    if reason.startswith("field larger"):
        return FileRefused(
            "too_long",
            f'The cell that begins on line {opened:,} is longer than 10 million characters. Most likely a quote (") '
            "is opened there and never closed. Close it, and drop the file again.",
        )
    if reason.startswith("unexpected end"):
        return FileRefused(
            "quote",
            f'A quote (") is opened on line {opened:,} and never closed, so the rest of the file would be one '
            'cell. Close it, or write it twice ("") if it belongs to the text, and drop the file again.',
        )
    return FileRefused(
        "quote",
        f'On line {last:,} a quote (") ends a cell, but more text follows before the next {named(delimiter)}. '
        f'{_begins(opened, last)}Write a quote that belongs to the text twice (""), with quotes around the '
        "whole cell, and drop the file again.",
    )


def _begins(opened: int, last: int) -> str:
    return f"The cell begins on line {opened:,}; the quote there may be wrong. " if opened != last else ""


def _opened(lines: Iterable[str], first: int, delimiter: str) -> int | None:
    """The line on which the faulty cell begins, the one whose quote is not properly closed."""
    opened: int | None = None
    for number, line in enumerate(lines, first):
        position = 0
        while position < len(line):
            if opened is None:
                if line[position] == '"':
                    opened, position = number, position + 1
                    continue
                following = line.find(delimiter, position)
                if following < 0:
                    break
                position = following + 1
                continue
            closing = line.find('"', position)
            if closing < 0:
                break
            behind = line[closing + 1 : closing + 2]
            if behind == '"':
                position = closing + 2
            elif behind in ("", delimiter, "\r", "\n"):
                opened, position = None, closing + 1
            else:
                return opened
    return opened

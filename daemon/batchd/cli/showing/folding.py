"""Sentences folded to the width of a terminal, never inside a word or a command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TextIO

MIN_WIDTH = 20
_WHOLE = re.compile(r"`[^`\n]+`|\d [A-Z]{3}\b")
"""What is never broken across lines: a command in backticks, an amount with its currency."""
_OFFERED = re.compile(r"(?<=:) (batchd [a-z](?:(?!: batchd ).)*)$")
"""A command at the end of a line, after a colon. It gets a line of its own, to be copied."""
_KEPT = "\xa0"
"""Replaces a space where no line may end: textwrap takes it for a letter."""


def folded(text: str, width: int) -> Iterator[str]:
    """Yield the text in lines of at most `width`, unless a word or a command is wider.

    A command that the text offers gets a line of its own.
    """
    import textwrap

    for whole in text.splitlines() or [""]:
        line, command, *_ = [*_OFFERED.split(whole), ""]
        kept = _WHOLE.sub(lambda found: found[0].replace(" ", _KEPT), line)
        indent = " " * (len(line) - len(line.lstrip(" ")))
        pieces = textwrap.wrap(
            kept.lstrip(" "),
            max(MIN_WIDTH, width),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from (piece.replace(_KEPT, " ") for piece in pieces or [""])
        if command:
            yield f"{indent}  {command}"


def for_stream(text: str, stream: TextIO) -> str:
    """The text for a stream: folded on a terminal, unchanged in a pipe or a file."""
    if not stream.isatty():
        return text
    import shutil

    return "\n".join(folded(text, shutil.get_terminal_size().columns))

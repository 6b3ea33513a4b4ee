"""Sentences folded to the width of a terminal, never inside of a word or a command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TextIO

MIN_WIDTH = 20
# A command stands in backticks, or ends its line after a colon.
_COMMAND = re.compile(r"`[^`\n]+`|(?<=: )batchd [a-z].*$")
_KEPT = "\xa0"
"""In place of a space that no line may end at: textwrap takes it for a letter."""


def folded(text: str, width: int) -> Iterator[str]:
    """The lines of the text, each at most so wide, unless a word or a command is wider."""
    import textwrap

    for line in text.splitlines() or [""]:
        kept = _COMMAND.sub(lambda command: command[0].replace(" ", _KEPT), line)
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


def for_stream(text: str, stream: TextIO) -> str:
    """The text for a stream: folded on a terminal, as it is in a pipe or a file."""
    if not stream.isatty():
        return text
    import shutil

    return "\n".join(folded(text, shutil.get_terminal_size().columns))

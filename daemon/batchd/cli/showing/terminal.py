"""How tables and sentences look on a terminal, in all commands. Imported only for a terminal, since it imports rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ...status.formatting import clean
from .folding import folded

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class Prose:
    """Sentences that are folded between words, and keep their commands whole."""

    def __init__(self, text: str, style: str = "", *, head: str = "") -> None:
        self._text, self._style, self._head = text, style, head

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = Text("\n".join(folded(clean(self._head + self._text), options.max_width)), style=self._style)
        text.stylize("bold", 0, len(self._head))
        yield text


def plain_table(*heads: str) -> Table:
    """A table without lines. The first column is folded if it is too wide, so that it can be copied. The others are
    numbers, and are not folded."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(heads[0], overflow="fold")
    for head in heads[1:]:
        table.add_column(head, justify="right", no_wrap=True)
    return table

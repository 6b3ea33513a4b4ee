"""`batchd try` on a terminal: the answers as a table. Imported only for a terminal, since it imports rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...status.formatting import clean
from .terminal import Prose
from .try_lines import cells_of, closing, in_words

if TYPE_CHECKING:
    from ...app.estimating.trying import Tried, TryPlan

CELL = 200
"""Characters of a cell or an answer that are shown; `--json` has all of them."""


def page(plan: TryPlan, tried: Sequence[Tried]) -> RenderableType:
    return Group(Text(), _table(plan, tried), Text(), *(Prose(line) for line in closing(plan, tried)))


def _table(plan: TryPlan, tried: Sequence[Tried]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("row", justify="right", no_wrap=True)
    table.add_column("asked about", overflow="fold", ratio=1)
    for each in tried:
        table.add_column(clean(each.column.name), overflow="fold", ratio=1)
    for place, row in enumerate(plan.rows):
        answers = [
            Text(_short(in_words(each.outcomes[place])), style="red" if each.outcomes[place].answer is None else "")
            for each in tried
        ]
        table.add_row(str(row + 1), Text(_short(cells_of(plan, place)), style="dim"), *answers)
    return table


def _short(text: str) -> str:
    text = clean(" ".join(text.split()))
    return text if len(text) <= CELL else f"{text[: CELL - 1]}…"

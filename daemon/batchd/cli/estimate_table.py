"""`batchd estimate` on a terminal: the prices as a table. Imported there only, as it brings rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..status.formatting import clean
from .estimate_lines import closing, name_of, opening, percent, shown, shows_most

if TYPE_CHECKING:
    from ..app.estimating.estimate import Estimate


def page(made: Estimate) -> RenderableType:
    """Everything there is to say."""
    pieces: list[RenderableType] = [Text(line) for line in opening(made)]
    pieces.append(_table(made))
    pieces += [Text(line, style="red" if made.held else "yellow") for line in closing(made)]
    return Group(*pieces)


def _table(made: Estimate) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    most = shows_most(made)
    table.add_column("model", overflow="fold")
    for head in ("batch", *(["at most"] if most else []), "live", "saves"):
        table.add_column(head, justify="right", no_wrap=True)
    for each in made.quotes:
        own = (each.provider, each.model) == made.own
        name = Text(clean(name_of(each)), style="bold" if own else "")
        if own:
            name.append("  the route's", style="dim")
        asked = [(each.batch, "likely"), *([(each.batch, "most")] if most else []), (each.live, "likely")]
        cells = [shown(span, which, made.currency) for span, which in asked]
        table.add_row(name, *cells, Text(percent(each.saving), style="green"))
    table.caption = f"in {made.currency}, the cheapest first"
    table.caption_justify = "left"
    return table

"""`batchd estimate` on a terminal: the prices as a table. Imported only for a terminal, since it imports rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ...status.formatting import clean
from .estimate_lines import closing, name_of, opening, percent, shown, shows_most
from .terminal import Prose, plain_table

if TYPE_CHECKING:
    from rich.table import Table

    from ...app.estimating.estimate import Estimate


def page(made: Estimate) -> RenderableType:
    pieces: list[RenderableType] = [Prose(line) for line in opening(made)]
    pieces += [Text(), _table(made), Text(f"in {made.currency}, the cheapest first", style="dim")]
    below = list(closing(made))
    pieces += [Text()] if below else []
    pieces += [Prose(line, style="red" if made.held else "yellow") for line in below]
    return Group(*pieces)


def _table(made: Estimate) -> Table:
    most = shows_most(made)
    table = plain_table("model", "batch", *(["at most"] if most else []), "live", "saves")
    for each in made.quotes:
        own = (each.provider, each.model) == made.own
        name = Text(clean(name_of(each)), style="bold" if own else "")
        if own:
            name.append("  the route's", style="dim")
        asked = [(each.batch, "likely"), *([(each.batch, "most")] if most else []), (each.live, "likely")]
        cells = [shown(span, which, made.currency) for span, which in asked]
        table.add_row(name, *cells, Text(percent(each.saving), style="green"))
    return table

"""Charts for people, as SVG that takes its colours from the page."""

from __future__ import annotations

import html
from collections.abc import Sequence

_WIDTH = 360
_BAR = 26
_MARGINS = 56
_TICKS = 3
"""Marks of the axis of rows beside its zero, all of them whole numbers."""
_LABEL = 18
"""Characters of a label; the table beside the chart has it whole."""


def bars(values: Sequence[tuple[str, int]], *, label: str) -> str:
    """A horizontal bar for each value, in their order. `label` is what a screen reader says."""
    import leather  # slow to import, and only workers draw

    # Each label is there once, so that no two bars become one.
    shown = [(number, _short(name) + "\u200b" * index) for index, (name, number) in enumerate(values)]
    step = -(-max(rows for rows, _ in shown) // _TICKS)
    chart = leather.Chart()
    chart.add_x_scale(0, step * _TICKS)
    chart.add_x_axis(ticks=[step * tick for tick in range(_TICKS + 1)])
    chart.add_bars(shown)
    height = _MARGINS + _BAR * len(shown)
    drawn = str(chart.to_svg(width=_WIDTH, height=height))
    head, _, rest = drawn.partition(">")
    if not head.startswith("<svg"):
        raise ValueError("the chart is not the SVG element that it should be")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{html.escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{rest}'
    )


def _short(name: str) -> str:
    # Control characters are no characters of XML.
    plain = "".join(character if character.isprintable() else " " for character in name)
    return plain if len(plain) <= _LABEL else f"{plain[: _LABEL - 1]}…"

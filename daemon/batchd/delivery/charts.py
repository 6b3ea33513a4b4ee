"""Charts for people, as SVG that takes its colours from the page."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

_WIDTH = 360
_WIDE, _HEIGHT = 620, 240
_NAMED = 8
"""The most columns that have their names below."""
_BAR = 26
_MARGINS = 56
_TICKS = 3
"""Marks on the axis of rows besides zero, all of them whole numbers."""
_ROOM = 14
"""The space after the drawing, for half of the last name on the axis."""
_LABEL = 18
"""The most characters of a label; the table beside the chart has the whole text."""


Write: TypeAlias = Callable[[int], str]
"""Writes a value at the axis."""


def bars(values: Sequence[tuple[str, int]], *, label: str, write: Write | None = None) -> str:
    """A horizontal bar for each value, in their order. `label` is what a screen reader says."""
    import leather  # slow to import, and seldom needed

    # Make each label unique, so that no two bars become one.
    shown = [(number, _short(name) + "\u200b" * index) for index, (name, number) in enumerate(values)]
    most = max(number for number, _ in shown)
    ticks = _ticks(most, -(-most // _TICKS) if write is None else _round(most))
    chart = leather.Chart()
    chart.add_x_scale(0, ticks[-1])
    chart.add_x_axis(ticks=ticks, tick_formatter=_formatter(write))
    chart.add_bars(shown)
    return _svg(chart, _WIDTH, _MARGINS + _BAR * len(shown), label)


def columns(values: Sequence[tuple[str, int]], *, label: str, write: Write, narrow: bool = False) -> str:
    """A column for each value, such as days; only some have their names below. For a phone if `narrow`."""
    import leather

    shown = list(values)
    ticks = _ticks(max(number for _, number in shown), _round(max(number for _, number in shown)))
    every = -(-len(shown) // (_NAMED // 2 if narrow else _NAMED))
    chart = leather.Chart()
    chart.add_y_scale(0, ticks[-1])
    chart.add_y_axis(ticks=ticks, tick_formatter=_formatter(write))
    chart.add_x_axis(ticks=[name for name, _ in shown][::-1][::every][::-1])
    chart.add_columns(shown)
    return _svg(chart, _WIDTH if narrow else _WIDE, _HEIGHT, label, "narrow" if narrow else "desk")


def _ticks(most: int, step: int) -> list[int]:
    return [step * tick for tick in range(max(1, -(-most // max(1, step))) + 1)] if most else [0, 1]


def _round(most: int) -> int:
    """Return a round number that is at least a third of `most`."""
    least, step = -(-most // _TICKS), 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= least:
                return step * factor
        step *= 10


def _formatter(write: Write | None) -> Callable[[Any, int, int], str] | None:
    return None if write is None else lambda value, _index, _number: write(int(value))


def _svg(chart: Any, width: int, height: int, label: str, kind: str = "bar") -> str:
    drawn = str(chart.to_svg(width=width, height=height))
    head, _, rest = drawn.partition(">")
    if not head.startswith("<svg"):
        raise ValueError("the chart is not the SVG element that it should be")
    return (
        # The name of the last mark on the axis is centred on the edge.
        f'<svg class="{kind}" viewBox="0 0 {width + _ROOM} {height}" role="img" aria-label="{html.escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{rest}'
    )


def _short(name: str) -> str:
    # Control characters are no characters of XML.
    plain = "".join(character if character.isprintable() else " " for character in name)
    return plain if len(plain) <= _LABEL else f"{plain[: _LABEL - 1]}…"

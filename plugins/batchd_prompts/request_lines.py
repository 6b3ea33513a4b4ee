"""Many requests that differ in a few texts only: encoded once, then cut and filled in.

A request is encoded with a mark in each place where a row's text goes, and cut at the marks. What is left to
do for a row is to escape its texts and put them between the pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from batchd import Body, Failure, Row

from .json_text import BROKEN_TEXT, shown
from .rendering import Cell, Template

_encode = msgspec.json.Encoder().encode

Slot: TypeAlias = "Cell | Template"
"""What fills a place: one cell, or all of a template that only Jinja can fill."""


def encode_requests(
    rows: Iterable[Row], templates: Sequence[Template], body: Callable[[Sequence[str]], Body], common: Body
) -> Iterator[bytes | Failure]:
    """The encoded requests for the rows, in order. `body` makes one out of a text for each template."""
    pieces, slots = _cut(templates, body, common)
    columns: Sequence[str] | None = None
    places: list[int | Template] = []
    missing: Failure | None = None
    for row in rows:
        if row.columns is not columns:
            columns = row.columns
            missing = next((failure for one in templates if (failure := one.missing(columns)) is not None), None)
            places = [] if missing is not None else _places(slots, columns)
        yield _filled(row, pieces, places) if missing is None else missing


def _filled(row: Row, pieces: Sequence[bytes], places: Sequence[int | Template]) -> bytes | Failure:
    values = row.values
    line = [pieces[0]]
    try:
        for place, piece in zip(places, pieces[1:], strict=True):
            if type(place) is int:
                text = values[place]
                if type(text) is not str:
                    text = shown(text)
            else:
                text = place.render(row)  # type: ignore[union-attr]  # what is not an int is a Template
                if isinstance(text, Failure):
                    return text
            line.append(_encode(text)[1:-1])
            line.append(piece)
    except UnicodeEncodeError:
        return BROKEN_TEXT
    return b"".join(line)


def _places(slots: Sequence[Slot], columns: Sequence[str]) -> list[int | Template]:
    return [columns.index(slot.column) if isinstance(slot, Cell) else slot for slot in slots]


def _cut(
    templates: Sequence[Template], body: Callable[[Sequence[str]], Body], common: Body
) -> tuple[list[bytes], list[Slot]]:
    slots = [slot for template in templates for slot in _slots(template)]
    for number in range(10_000):
        # No end of this mark is a beginning of it, so it cannot arise across a seam; only a text that contains it
        # whole would be cut as well, and then there are too many pieces and the next mark is tried.
        mark = f"<cell-{number}>"
        encoded = _encode({**common, **body([_marked(template, mark) for template in templates])})
        pieces = encoded.split(mark.encode())
        if len(pieces) == len(slots) + 1:
            return pieces, slots
    raise AssertionError("a text of the prompt contains ten thousand marks")


def _slots(template: Template) -> list[Slot]:
    if template.pieces is None:
        return [template]
    return [piece for piece in template.pieces if isinstance(piece, Cell)]


def _marked(template: Template, mark: str) -> str:
    if template.pieces is None:
        return mark
    return "".join(piece if isinstance(piece, str) else mark for piece in template.pieces)

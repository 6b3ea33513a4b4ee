"""Encodes many requests that differ only in a few texts.

One request is encoded with a mark wherever a row's text goes, and split at the marks. For each row, only its texts
are then escaped and put between the pieces.
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
"""What goes between two pieces: one cell, or the whole of a template that only Jinja can fill."""


def encode_requests(
    rows: Iterable[Row], templates: Sequence[Template], body: Callable[[Sequence[str]], Body], common: Body
) -> Iterator[bytes | Failure]:
    """The encoded requests for the rows, in order. `body` builds one from a text for each template."""
    pieces, slots = _split(templates, body, common)
    columns: Sequence[str] | None = None
    sources: list[int | Template] = []
    missing: Failure | None = None
    for row in rows:
        if row.columns is not columns:
            columns = row.columns
            missing = next((failure for one in templates if (failure := one.missing(columns)) is not None), None)
            if missing is None:
                sources = [columns.index(slot.column) if isinstance(slot, Cell) else slot for slot in slots]
        yield _filled(row, pieces, sources) if missing is None else missing


def _filled(row: Row, pieces: Sequence[bytes], sources: Sequence[int | Template]) -> bytes | Failure:
    values = row.values
    line = [pieces[0]]
    try:
        for source, piece in zip(sources, pieces[1:], strict=True):
            if type(source) is int:
                text = values[source]
                if type(text) is not str:
                    text = shown(text)
            else:
                text = source.render(row)  # type: ignore[union-attr]  # if it is not an int, it is a Template
                if isinstance(text, Failure):
                    return text
            line.append(_encode(text)[1:-1])
            line.append(piece)
    except UnicodeEncodeError:
        return BROKEN_TEXT
    return b"".join(line)


def _split(
    templates: Sequence[Template], body: Callable[[Sequence[str]], Body], common: Body
) -> tuple[list[bytes], list[Slot]]:
    slots = [slot for template in templates for slot in _slots(template)]
    for number in range(10_000):
        # No suffix of this mark is a prefix of it, so it cannot arise at the edge of a text. If a text contains the
        # mark, there are too many pieces, and the next mark is tried.
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
    return mark if template.pieces is None else template.filled(lambda _: mark)

"""Writes the answers to a pilot's rows to files, for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from ..contracts import ResultRow
from ..domain.names import display
from ..domain.routing import PluginSpec
from ..domain.rows import Run
from ..file_sink import Shape
from ..files import replacing
from ..model import RowStatus
from ..workers.limits import ROW_TIMEOUT
from .joined import joined, write_table

TOLD, CELL = 5, 60
"""How many rows a note shows, and how many characters of a cell; of an answer, twice as many."""


class PilotTask(Struct, frozen=True):
    """Write the rows of these runs to `table`, as `sink` writes them, and a few of them to `words`."""

    runs: Sequence[Run]
    shape: Shape
    sink: PluginSpec
    table: str
    words: str
    row_timeout: float = ROW_TIMEOUT


class PilotDone(Struct, frozen=True):
    """How many rows there are, and how many of them failed."""

    rows: int
    failed: int


def write_pilot(task: PilotTask) -> PilotDone:
    """Write both files. The same rows give the same bytes."""
    number = failed = 0
    told: list[str] = []

    def rows() -> Iterator[ResultRow]:
        nonlocal failed, number
        for run in task.runs:
            for row in joined(run, names=task.shape.names):
                number += 1
                failed += row.status is RowStatus.FAILED
                if len(told) < TOLD:
                    told.append(_told(row))
                yield row

    write_table(task.table, task.sink, task.shape, rows(), task.row_timeout)
    with replacing(Path(task.words)) as file:
        file.write("".join(f"{line}\n" for line in told).encode("utf-8", "backslashreplace"))
    return PilotDone(number, failed)


def _told(row: ResultRow) -> str:
    asked = " | ".join(_short(value) for value in row.values[:3])
    answer = (
        ", ".join(_short(value) for value in row.answer)
        if row.failure is None
        else f"{row.status}: {row.failure.message}"
    )
    return f"row {row.number + 1}: {asked}\n    {_short(answer, 2 * CELL)}"


def _short(value: object, most: int = CELL) -> str:
    text = display("" if value is None else str(value)[: 4 * most])
    return text if len(text) <= most else f"{text[: most - 1]}…"

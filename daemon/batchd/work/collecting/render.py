"""Renders the lines of a file sink for a part, into pieces that delivery only has to concatenate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import IO, Any

from msgspec import Struct

from ...answers.joining import ResultLine
from ...contracts import ResultRow
from ...domain.routing import PluginSpec
from ...domain.rows import Run
from ...file_sink import FileSink, Shape
from ...model import Json
from ...plugin_base import overrides_last
from ...workers import worker_plugins
from ...workers.limits import ROW_TIMEOUT, Progress, limited
from ..joined import Matched, kept_for, matched, result_row
from ..kept_answers import KeptAnswers


class RenderTask(Struct, frozen=True):
    """Render the lines of `run`, and of `more` runs, for a sink. Each piece goes to the path `target` + its suffix."""

    run: Run
    shape: Shape
    sink: PluginSpec
    target: str
    row_timeout: float = ROW_TIMEOUT
    more: Sequence[Run] = ()


def render(task: RenderTask, results: Iterable[ResultLine] | None = None) -> Mapping[str, int]:
    """Write the pieces. Returns the suffix and size of each. Raises Hung if the sink hangs.

    `results` are the outcomes of the run, if they are in memory already.
    """
    # No fsync: another process reads the piece soon, and a lost one is rendered again.
    with ExitStack() as stack:
        progress = stack.enter_context(limited(task.row_timeout))
        sink = worker_plugins.file_sink(task.sink)
        pieces: dict[str, IO[bytes]] = {}
        rows = chain(matched(task.run, results), *map(matched, task.more))
        kept = stack.enter_context(kept_for(task.run))
        for suffix, lines in _Rendering(sink, task.shape, rows, progress, kept).lines():
            piece = pieces.get(suffix)
            if piece is None:
                piece = pieces[suffix] = stack.enter_context(open(f"{task.target}{suffix}", "wb", buffering=1 << 18))
            piece.write(lines)
        return {suffix: piece.tell() for suffix, piece in pieces.items()}


class _Rendering:
    """Renders runs of answered rows many at once if the sink can, and all other rows one by one."""

    def __init__(
        self, sink: FileSink[Any], shape: Shape, rows: Iterator[Matched], progress: Progress, kept: KeptAnswers
    ) -> None:
        self._sink, self._shape, self._rows, self._progress, self._kept = sink, shape, rows, progress, kept
        self._width, self._answer, self._names = len(shape.columns), len(shape.answer_columns), shape.names
        self._many = overrides_last(sink, "answered", "lines")
        self._next = next(rows, None)

    def lines(self) -> Iterator[tuple[str, bytes]]:
        while self._next is not None:
            rendered = self._sink.answered(self._shape, self._answered()) if self._many else None
            if rendered is not None:
                yield from rendered
                if self._next is None:
                    return
            # If the sink left a row that it could have taken, this row and all that follow are rendered one by one.
            self._many = rendered is not None and not self._is_answered(self._next)
            yield from self._sink.lines(self._shape, self._others())

    def _is_answered(self, row: Matched) -> bool:
        _, record, outcome = row
        return (
            outcome is not None
            and outcome.ok
            and type(record) is list
            and len(record) == self._width
            and len(outcome.answer) == self._answer
        )

    def _answered(self) -> Iterator[tuple[Sequence[Json], Sequence[Json]]]:
        at, rows, width, number_of_answers = self._progress.at, self._rows, self._width, self._answer
        row = self._next
        while row is not None:
            # The same as `_is_answered`, but without the time of a call.
            number, record, outcome = row
            if outcome is None or not outcome.ok or type(record) is not list or len(record) != width:
                return
            answer = outcome.answer
            if len(answer) != number_of_answers:
                return
            at(number)
            row = self._next = next(rows, None)
            yield record, answer

    def _others(self) -> Iterator[ResultRow]:
        while (row := self._next) is not None and not (self._many and self._is_answered(row)):
            self._progress.at(row[0])
            self._next = next(self._rows, None)
            yield result_row(row, self._width, self._names, self._kept)

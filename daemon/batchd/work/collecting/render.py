"""Renders the lines of a file sink for a part, into pieces that delivery only has to concatenate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import IO

from ...answers.joining import ResultLine
from ...contracts import ResultRow
from ...domain.routing import PluginSpec
from ...domain.rows import Run
from ...file_sink import Shape
from ...workers import worker_plugins
from ...workers.limits import ROW_TIMEOUT, Progress, limited
from ..joined import joined


@dataclass(frozen=True, slots=True)
class RenderTask:
    """Render the lines of `run`, and of `more` runs, for a sink. Each piece goes to the path `target` + its suffix."""

    run: Run
    shape: Shape
    sink: PluginSpec
    target: str
    row_timeout: float = ROW_TIMEOUT
    more: Sequence[Run] = ()


def render(task: RenderTask) -> Mapping[str, int]:
    """Write the pieces. Returns the suffix and size of each."""
    return render_lines(task, None, row_timeout=task.row_timeout)


def render_lines(
    task: RenderTask, results: Iterable[ResultLine] | None, *, row_timeout: float = ROW_TIMEOUT
) -> Mapping[str, int]:
    """The same, with the outcomes in memory. Raises Hung if the sink hangs."""
    # No fsync: another process reads the piece soon, and a lost one is rendered again.
    with ExitStack() as stack:
        progress = stack.enter_context(limited(row_timeout))
        sink = worker_plugins.file_sink(task.sink)
        pieces: dict[str, IO[bytes]] = {}
        names = task.shape.names
        rows = chain(joined(task.run, results, names=names), *(joined(run, names=names) for run in task.more))
        for suffix, line in sink.lines(task.shape, _noted(rows, progress)):
            piece = pieces.get(suffix)
            if piece is None:
                piece = pieces[suffix] = stack.enter_context(open(f"{task.target}{suffix}", "wb", buffering=1 << 18))
            piece.write(line)
        return {suffix: piece.tell() for suffix, piece in pieces.items()}


def _noted(rows: Iterable[ResultRow], progress: Progress) -> Iterator[ResultRow]:
    for row in rows:
        progress.at(row.number)
        yield row

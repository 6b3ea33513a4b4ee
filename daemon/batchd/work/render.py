"""Renders the lines of a file sink for a part, into pieces that delivery only has to concatenate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from ..answers.joining import ResultLine
from ..domain.routing import PluginSpec
from ..domain.rows import Run
from ..file_sink import Shape
from . import worker_plugins
from .joined import joined


@dataclass(frozen=True, slots=True)
class RenderTask:
    """Render the lines of `run` for a sink. Each file's piece goes to the path `target` + its suffix."""

    run: Run
    shape: Shape
    sink: PluginSpec
    target: str


def render(task: RenderTask) -> Mapping[str, int]:
    """Write the pieces. Returns the suffix and size of each."""
    return render_lines(task, None)


def render_lines(task: RenderTask, results: Iterable[ResultLine] | None) -> Mapping[str, int]:
    """The same, with the outcomes in memory."""
    sink = worker_plugins.file_sink(task.sink)
    # No fsync: another process reads the piece soon, and a lost one is rendered again.
    with ExitStack() as stack:
        pieces: dict[str, IO[bytes]] = {}
        for suffix, line in sink.lines(task.shape, joined(task.run, results)):
            piece = pieces.get(suffix)
            if piece is None:
                piece = pieces[suffix] = stack.enter_context(open(f"{task.target}{suffix}", "wb", buffering=1 << 18))
            piece.write(line)
        return {suffix: piece.tell() for suffix, piece in pieces.items()}

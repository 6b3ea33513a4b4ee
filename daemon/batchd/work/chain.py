"""Hands the answered rows of a job to the next step of its chain, and joins the outcomes of later steps to its own."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from msgspec import Struct

from ..answers.joining import ResultLine
from ..domain import rows
from ..domain.routing import PluginSpec
from ..domain.rows import Run
from ..domain.words import matched
from ..files import replacing
from ..model import RowStatus
from ..workers import worker_plugins
from .joined import SKIPPED, joined
from .kept_answers import whole_outcomes
from .part_files import read_results, write_results

_ORIGIN = struct.Struct("<Q")
"""A record of an origins file: the row of the step before that a row of a step comes from."""


class HandOnTask(Struct, frozen=True):
    """Write the answered rows of these runs, which have these `columns`, to `rows`, and their row numbers to `origins`.

    Rows in the origins files `earlier` were handed on before. `builder` is the prompt builder of the next step.
    """

    runs: Sequence[Run]
    earlier: Sequence[str]
    columns: Sequence[str]
    builder: PluginSpec
    rows: str
    origins: str
    part_rows: int
    among: int = 1


class HandedOn(Struct, frozen=True):
    """The next step: its `parts` (first row, rows, offset, length), its answer columns, the `missing` ones it needs."""

    parts: Sequence[tuple[int, int, int, int]]
    answer_columns: Sequence[str]
    missing: Sequence[str]


def hand_on(task: HandOnTask) -> HandedOn:
    """Write both files, complete or not at all. The same rows give the same bytes."""
    builder = worker_plugins.builder(task.builder)
    named = matched(task.columns, builder.needs())
    missing = [name for name in builder.needs() if name not in named]
    before = {row for path in task.earlier for row in read_origins(path)}
    with ExitStack() as stack:
        # The stack closes in reverse, so `rows` appears last: once it is there, `origins` is, too.
        target = stack.enter_context(replacing(Path(task.rows)))
        origins = stack.enter_context(replacing(Path(task.origins)))

        def lines() -> Iterator[int]:
            for run in task.runs:
                for row in joined(run):
                    if row.status is RowStatus.OK and row.number not in before:
                        line = rows.encode([*row.values, *row.answer])
                        target.write(line)
                        origins.write(_ORIGIN.pack(row.number))
                        yield len(line)

        parts = list(rows.cut(lines(), task.part_rows, task.among))
    return HandedOn(parts, list(builder.columns), missing)


def read_origins(path: str) -> list[int]:
    """Return the row of the step before, for each row of a step, in order."""
    return [row for (row,) in _ORIGIN.iter_unpack(Path(path).read_bytes())]


class StepOutcomes(Struct, frozen=True):
    """The outcomes of a step: `parts` are (first row, rows, results file or None if there is none).

    `places` are the places of its answers among all answer columns, `name` is the name of its route.
    """

    name: str
    origins: str
    parts: Sequence[tuple[int, int, str | None]]
    places: Sequence[int]


class JoinTask(Struct, frozen=True):
    """Join the outcomes of later `steps` to those in `settled`, for the part from row `first` on; write to `results`.

    All steps together have this number of answer `columns`.
    """

    first: int
    rows: int
    settled: str | None
    results: str
    columns: int
    steps: Sequence[StepOutcomes]
    cancelled: bool


class JoinDone(Struct, frozen=True):
    """The number of rows by outcome."""

    ok: int
    failed: int
    empty: int


def join_steps(task: JoinTask) -> JoinDone:
    """Write the results file. An answered row without an outcome in a later step is left out, or cancelled."""
    later: dict[int, tuple[StepOutcomes, ResultLine]] = {}
    for step in task.steps:
        later.update((row, (step, line)) for row, line in _outcomes(step, task.first, task.rows))
    lines = []
    for own in read_results(Path(task.settled)) if task.settled else ():
        if own.answer:
            # A sink gets a value for each answer column, or none at all.
            own = msgspec.structs.replace(own, answer=[*own.answer, *[None] * (task.columns - len(own.answer))])
        if not own.ok:
            lines.append(own)
        elif own.row in later:
            lines.append(_both(own, *later[own.row]))
        elif task.cancelled:
            lines.append(
                msgspec.structs.replace(own, ok=False, cancelled=True, code=SKIPPED.code, message=SKIPPED.message)
            )
    write_results(Path(task.results), lines)
    ok, empty = sum(line.ok for line in lines), sum(line.empty for line in lines)
    return JoinDone(ok, sum(not line.ok and not line.skipped for line in lines), empty)


def _outcomes(step: StepOutcomes, first: int, number: int) -> Iterator[tuple[int, ResultLine]]:
    """Yield rows of the step before, `number` at most from row `first` on, with their outcomes in this step."""
    origins = read_origins(step.origins)
    start, end = bisect_left(origins, first), bisect_left(origins, first + number)
    for begin, count, results in step.parts:
        if results is not None and begin < end and start < begin + count:
            lines = (line for line in read_results(Path(results)) if start <= line.row < end)
            for line in whole_outcomes(Path(results), lines):
                yield origins[line.row], line


def _both(own: ResultLine, step: StepOutcomes, later: ResultLine) -> ResultLine:
    answer = list(own.answer)
    for place, value in zip(step.places, later.answer, strict=False):
        answer[place] = value
    used = [each for each in (own.usage, later.usage) if each is not None]
    message = later.message if later.ok or later.skipped else f"{later.message} (in the step {step.name})"
    return ResultLine(
        own.row,
        later.ok,
        answer,
        code=later.code,
        message=message,
        usage=(sum(u[0] for u in used), sum(u[1] for u in used), sum(u[2] for u in used)) if used else None,
        raw=later.raw,
        empty=later.empty,
        cancelled=later.cancelled,
    )

"""Reads a run of a job's rows with their outcomes from the working files, and writes some of them as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from ..answers.joining import ResultLine
from ..contracts import ResultRow
from ..domain.routing import PluginSpec
from ..domain.rows import Run, decode_many, fitted
from ..errors import BatchdError
from ..file_sink import Shape
from ..files import replacing
from ..model import BadRow, Failure, Json, RowStatus, Usage
from ..workers import worker_plugins
from ..workers.limits import limited
from .kept_answers import KeptAnswers
from .part_files import blocks_of, read_results

SKIPPED = Failure("cancelled", "The job was cancelled before this row was answered.")


class RowsDoNotAddUp(BatchdError):
    """The rows to deliver are not those of the dropped file. Nothing is delivered."""


def joined(run: Run, results: Iterable[ResultLine] | None = None, *, names: Sequence[str] = ()) -> Iterator[ResultRow]:
    """Yield the rows in order. Raise RowsDoNotAddUp unless the run has `number` rows, each with an outcome.

    `results` are the outcomes, if they are in memory already. `names` are the names of the columns of the results.
    """
    width = len(run.columns)
    with kept_for(run) as kept:
        for each in matched(run, results):
            yield result_row(each, width, names, kept)


def kept_for(run: Run) -> KeptAnswers:
    """Return the kept answers that the outcomes of a run refer to."""
    return KeptAnswers(Path(run.rows).with_name("parts"))


Matched: TypeAlias = tuple[int, Sequence[Json] | BadRow, ResultLine | None]
"""The number of a row, its record and its outcome; None if its job was cancelled before it had one."""


def matched(run: Run, results: Iterable[ResultLine] | None = None) -> Iterator[Matched]:
    """Yield the rows as `joined` does, but with the record and the outcome as they are stored."""
    if results is None:
        results = read_results(Path(run.results)) if run.results else ()
    outcomes = iter(results)
    outcome = next(outcomes, None)
    number = run.first
    for block in blocks_of(Path(run.rows), run.offset, run.length):
        for record in decode_many(block):
            if outcome is not None and outcome.row == number:
                yield number, record, outcome
                outcome = next(outcomes, None)
            elif run.cancelled:
                yield number, record, None
            else:
                raise RowsDoNotAddUp(f"Row {number} of {run.rows} has no outcome; nothing is delivered.")
            number += 1
    if number != run.first + run.number or outcome is not None:
        raise RowsDoNotAddUp(
            f"From row {run.first} on, {run.rows} should hold {run.number} rows with an outcome each, and does not; "
            "nothing is delivered."
        )


def result_row(row: Matched, width: int, names: Sequence[str], kept: KeptAnswers) -> ResultRow:
    """Return the row as sinks get it."""
    number, record, outcome = row
    # The frequent cases first: this runs once for each row of every job that is delivered.
    original = record if type(record) is list else record.values if isinstance(record, BadRow) else record
    values = original if len(original) == width else fitted(original, width)
    if outcome is None:
        return ResultRow(number, values, original, RowStatus.SKIPPED, (), SKIPPED, None, None, names)
    usage = Usage(*outcome.usage) if outcome.usage else None
    status = RowStatus.OK if outcome.ok else RowStatus.SKIPPED if outcome.skipped else RowStatus.FAILED
    raw = kept.read(outcome.raw)
    return ResultRow(number, values, original, status, outcome.answer, outcome.failure(), usage, raw, names)


TABLE = ".results.csv"
"""The suffix of the file in which the CSV sink writes all rows."""


def write_table(path: str, sink: PluginSpec, shape: Shape, rows: Iterable[ResultRow], row_timeout: float) -> None:
    """Write rows of results as a sink does. The same rows give the same bytes."""
    with limited(row_timeout) as progress, replacing(Path(path)) as file:
        writer = worker_plugins.file_sink(sink)

        def seen() -> Iterator[ResultRow]:
            for row in rows:
                progress.at(row.number)
                yield row

        file.write(writer.heads(shape)[TABLE])
        file.writelines(line for suffix, line in writer.lines(shape, seen()) if suffix == TABLE)

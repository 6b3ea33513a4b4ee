"""Fails single rows that made a service refuse a batch, and clears failures so that rows are asked again."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from ...answers.joining import ResultLine
from ...model import Failure
from ..part_files import decode_results, write_results
from ..planning.reuse import read_keys


class FailRowsTask(Struct, frozen=True):
    """Add these failures to a part's results: `settled` is the file so far, `results` the one to write.

    Rows that ask the same, by the file `keys`, fail as well: if they were asked, each would be refused in its turn.
    """

    settled: str | None
    results: str
    failures: dict[int, Failure]
    keys: str | None = None


def fail_rows(task: FailRowsTask) -> int:
    """Write the new results file. Returns how many rows have failed in total."""
    settled = decode_results(Path(task.settled)) if task.settled else {}
    followers = read_keys(task.keys).followers
    alike = {row: task.failures[leader] for row, leader in followers.items() if leader in task.failures}
    for row, failure in (task.failures | alike).items():
        if row not in settled:
            settled[row] = ResultLine(row, False, code=failure.code, message=failure.message)
    lines = [settled[row] for row in sorted(settled)]
    write_results(Path(task.results), lines)
    return sum(not line.ok and not line.empty for line in lines)


class ClearFailuresTask(Struct, frozen=True):
    """Remove the failures from a part's results, so that their rows are asked again."""

    settled: str
    results: str


def clear_failures(task: ClearFailuresTask) -> tuple[int, int]:
    """Write the new results file. Returns how many rows stay answered, and how many have nothing to ask about."""
    kept = [line for line in decode_results(Path(task.settled)).values() if line.ok or line.empty]
    write_results(Path(task.results), kept)
    return sum(line.ok for line in kept), sum(line.empty for line in kept)

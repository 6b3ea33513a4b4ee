"""Writes a sample of the answers for people to check: rows from all over the file, with two columns to fill in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct

from ..columns import free_names
from ..contracts import ResultRow, Source
from ..domain.names import REVIEW
from ..domain.routing import PluginSpec
from ..domain.rows import Run
from ..errors import FileRefused
from ..file_sink import Shape
from ..model import BadRow, RowStatus
from ..values import replace
from ..workers import worker_plugins
from ..workers.limits import ROW_TIMEOUT
from .joined import joined, write_table

AGREE, COMMENT = "agree", "comment"


class ReviewTask(Struct, frozen=True):
    """Write `number` answered rows of these runs to `target`, as `sink` writes them.

    `ok` is the number of answered rows in each run.
    """

    runs: Sequence[Run]
    ok: Sequence[int]
    number: int
    shape: Shape
    sink: PluginSpec
    target: str
    row_timeout: float = ROW_TIMEOUT


def write_review(task: ReviewTask) -> None:
    """Write the review."""
    columns = [*task.shape.columns, *task.shape.answer_columns]
    own = free_names(columns, [AGREE, COMMENT])
    shape = replace(task.shape, answer_columns=[*task.shape.answer_columns, *own])
    rows = (msgspec.structs.replace(row, answer=[*row.answer, *("" for _ in own)]) for row in sample(task))
    write_table(task.target, task.sink, shape, rows, task.row_timeout)


def sample(task: ReviewTask) -> Iterator[ResultRow]:
    """Yield `number` answered rows at even distances, all of them if there are fewer."""
    answered = sum(task.ok)
    chosen = {place * answered // task.number for place in range(task.number)} if answered else set()
    before = 0
    for run, ok in zip(task.runs, task.ok, strict=True):
        if any(before <= place < before + ok for place in chosen):
            place = before
            for row in joined(run):
                if row.status is RowStatus.OK:
                    if place in chosen:
                        yield row
                    place += 1
        before += ok


YES = frozenset(
    {"yes", "y", "true", "1", "x", "ok", "agree", "✓", "✔", "có", "đúng", "đồng ý", "ja", "oui", "sí", "si", "是"}
)
NO = frozenset({"no", "n", "false", "0", "-", "wrong", "disagree", "✗", "✘", "không", "sai", "nein", "non", "否"})


class Reviewed(Struct, frozen=True):
    """What people wrote into a review. `unread` has rows, from 1, with a word that is in neither YES nor NO."""

    rows: int
    agreed: int
    disagreed: int
    unread: Sequence[tuple[int, str]]
    comments: Sequence[tuple[int, str]]

    @property
    def share(self) -> tuple[float, float, float] | None:
        """The share agreed and the bounds of its 95 % confidence interval (Wilson); None if no row was checked."""
        checked = self.agreed + self.disagreed
        if not checked:
            return None
        z, found = 1.96, self.agreed / checked
        middle = (found + z * z / (2 * checked)) / (1 + z * z / checked)
        about = z * ((found * (1 - found) + z * z / (4 * checked)) / checked) ** 0.5 / (1 + z * z / checked)
        return found, max(0.0, middle - about), min(1.0, middle + about)


def read_review(path: Path) -> Reviewed:
    """Count what people wrote into a review. Raise FileRefused if the file is no review, or cannot be read."""
    rows = agreed = disagreed = 0
    unread: list[tuple[int, str]] = []
    comments: list[tuple[int, str]] = []
    records = worker_plugins.reader(PluginSpec("csv"), ".csv").read(Source(path, path.name))
    columns = [str(name) for name in cast("Sequence[str]", next(records))]
    places = {
        name: max((at for at, each in enumerate(columns) if _base(each) == name), default=-1)
        for name in (AGREE, COMMENT)
    }
    if places[AGREE] < 0:
        raise FileRefused("no_review", f"There is no column {AGREE} in {path.name}: it is no file NAME{REVIEW}.")
    for record in records:
        rows += 1
        values = record.values if isinstance(record, BadRow) else record
        cells = {name: str(values[at]).strip() if 0 <= at < len(values) else "" for name, at in places.items()}
        word = cells[AGREE].casefold()
        agreed += word in YES
        disagreed += word in NO
        if word and word not in YES | NO:
            unread.append((rows, cells[AGREE]))
        if cells[COMMENT]:
            comments.append((rows, cells[COMMENT]))
    return Reviewed(rows, agreed, disagreed, unread, comments)


def _base(name: str) -> str:
    return name.partition(" (")[0].strip().casefold()

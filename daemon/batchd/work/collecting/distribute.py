"""Gives each part of a batch its share of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from msgspec import Struct

from ...files import fsync_folder, name_again, replacing
from ...sending.missing_answers import Arrived
from ..kept_answers import AnswerPlaces, PartIndex, index_of, write_index
from .batch_index import STRAYS_KEPT, Rows, index_answers, orderly


class Share(Rows, frozen=True):
    """A part's share of a batch: its rows, and the file that its lines go to if they are copied."""

    answers: str


class DistributeTask(Struct, frozen=True):
    """Distribute the lines of `answers` to the parts of the batch; lines of no row go to `strays`.

    `requests` is what was sent. With `kept` all parts are of one job, which keeps the answers under this name: each
    part gets an index of its lines. Otherwise the lines are copied, since no job may keep the answers of another.
    """

    answers: str
    shares: Sequence[Share]
    strays: str
    requests: str | None = None
    kept: str | None = None


class DistributeDone(Struct, frozen=True):
    """The number of lines that belong to a part, and of those that belong to none."""

    answers: int
    strays: int


class SurveyTask(Struct, frozen=True):
    """Look through the file `answers` of a batch that asks these rows. `requests` is the file that was sent."""

    answers: str
    asked: Sequence[Rows]
    requests: str | None = None


def survey(task: SurveyTask) -> Arrived:
    """Count the answers; one that comes twice counts once. The index that this stores saves `distribute` the work."""
    return index_answers(Path(task.answers), task.asked, task.requests).arrived


def distribute(task: DistributeTask, *, strays_kept: int = STRAYS_KEPT) -> DistributeDone:
    """Give each part its lines, in order of arrival."""
    answers = Path(task.answers)
    index = index_answers(answers, task.shares, task.requests, strays_kept=strays_kept)
    source = orderly(answers) if index.odd else answers
    if len(index.strays.rows):
        with replacing(Path(task.strays)) as file:
            _copy(source, index.strays, file, numbered=False)
    parts = list(zip(task.shares, index.parts, strict=True))
    if task.kept is None:
        for share, places in parts:
            # An index can be left from an earlier batch whose route was refused: the part is asked anew, same attempt.
            index_of(Path(share.answers)).unlink(missing_ok=True)
            with replacing(Path(share.answers)) as file:
                _copy(source, places, file, numbered=True)
    else:
        kept = Path(task.kept)
        name_again(source, kept)
        for share, places in parts:
            write_index(index_of(Path(share.answers)), PartIndex(kept.name, places))
        fsync_folder(kept.parent)
    return DistributeDone(index.answers, len(index.strays))


def _copy(source: Path, places: AnswerPlaces, target: IO[bytes], *, numbered: bool) -> None:
    """Write the lines at these places, each after its row's number and a space if they are `numbered`."""
    with source.open("rb") as file:
        for row, start, size in places:
            file.seek(start)
            target.write(b"%d " % row if numbered else b"")
            target.write(file.read(size) + b"\n")

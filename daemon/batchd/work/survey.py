"""Looks through downloaded answers before they are used: how many of the batch's requests they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..answers.meaning import owner, stripped
from ..model import RequestId
from ..sending.owed import Arrived
from .part_files import lines_of

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one job that a batch asks."""

    job: str
    first: int
    rows: int


@dataclass(frozen=True, slots=True)
class SurveyTask:
    """Look through the file `answers` of a batch that asks these rows."""

    answers: str
    asked: Sequence[Rows]


def survey(task: SurveyTask) -> Arrived:
    """Count what there is; an answer that comes twice counts once."""
    ours: dict[str, set[int]] = {rows.job: set() for rows in task.asked}
    ranges = {
        job: [range(each.first, each.first + each.rows) for each in task.asked if each.job == job] for job in ours
    }
    unreadable = foreign = 0
    examples: list[str] = []
    for whole in lines_of(Path(task.answers)):
        line = stripped(whole)
        if not line:
            continue
        custom_id = owner(line)
        if custom_id is None:
            unreadable += 1
            continue
        request = RequestId.read(custom_id)
        if request is not None and request.job in ours and any(request.row in each for each in ranges[request.job]):
            ours[request.job].add(request.row)
            continue
        foreign += 1
        if len(examples) < EXAMPLES:
            examples.append(custom_id[:80])
    return Arrived(sum(len(rows) for rows in ours.values()), unreadable, foreign, tuple(examples))

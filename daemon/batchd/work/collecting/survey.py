"""Looks through downloaded answers before they are used: how many of the batch's requests they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...answers.meaning import owner
from ...model import RequestId
from ...sending.owed import Arrived
from .answer_lines import ReadLimits, answer_lines

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one job that a batch asks."""

    job: str
    first: int
    rows: int


@dataclass(frozen=True, slots=True)
class SurveyTask:
    """Look through the file `answers` of a batch that asks these rows, by `requests`, which were sent."""

    answers: str
    asked: Sequence[Rows]
    requests: str | None = None


def survey(task: SurveyTask) -> Arrived:
    """Count what there is; an answer that comes twice counts once."""
    ours: dict[str, set[int]] = {rows.job: set() for rows in task.asked}
    ranges = {
        job: [range(each.first, each.first + each.rows) for each in task.asked if each.job == job] for job in ours
    }
    unreadable = foreign = 0
    examples: list[str] = []
    last, named, new = b"", True, False
    for line in answer_lines(Path(task.answers), ReadLimits.of(task.requests)):
        last, named, new = line, True, False
        custom_id = owner(line)
        if custom_id is None:
            unreadable += 1
            named = False
            continue
        request = RequestId.read(custom_id)
        if request is not None and request.job in ours and any(request.row in each for each in ranges[request.job]):
            new = request.row not in ours[request.job]
            ours[request.job].add(request.row)
            continue
        foreign += 1
        if len(examples) < EXAMPLES:
            examples.append(custom_id[:80])
    cut = (new or not named) and _is_cut(last)
    answered = sum(len(rows) for rows in ours.values()) - (cut and new)
    return Arrived(answered, unreadable - (cut and not named), foreign, tuple(examples), cut)


def _is_cut(line: bytes) -> bool:
    """Whether more of it should have come."""
    try:
        msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        return "truncated" in str(error)
    return False

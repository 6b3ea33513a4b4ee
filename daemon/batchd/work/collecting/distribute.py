"""Gives each part of a batch its share of the answers."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ...answers.meaning import request_of
from ...answers.unknown_calls import is_unknown_call
from ...files import replacing
from ...model import RequestId
from .answer_lines import ReadLimits, answer_lines


@dataclass(frozen=True, slots=True)
class Share:
    """A part's share of a batch: its rows, and the file that its lines go to."""

    job: str
    first: int
    rows: int
    answers: str


@dataclass(frozen=True, slots=True)
class DistributeTask:
    """Distribute the lines of `answers` to the parts of the batch; lines of no row go to `strays`.

    `requests` is what was sent.
    """

    answers: str
    shares: Sequence[Share]
    strays: str
    requests: str | None = None


@dataclass(frozen=True, slots=True)
class DistributeDone:
    """The number of lines that belong to a part, and of those that belong to none."""

    answers: int
    strays: int


# A service may open few files at a time, and a batch may hold thousands of small parts.
MAX_OPEN_FILES = 200


STRAYS_KEPT = 10_000
"""Enough to see what a service did; more could fill the memory."""


def distribute(
    task: DistributeTask, *, max_open_files: int = MAX_OPEN_FILES, strays_kept: int = STRAYS_KEPT
) -> DistributeDone:
    """Write each part's lines in the order of arrival, each after its row's number and a space."""
    answers = 0
    all_strays: list[bytes] = []
    for start in range(0, len(task.shares), max_open_files):
        shares = task.shares[start : start + max_open_files]
        distributed, strays = _write_to(
            task, shares, everyone=task.shares, strays_kept=strays_kept if start == 0 else 0
        )
        answers += distributed
        all_strays += strays
    if all_strays:
        with replacing(Path(task.strays)) as file:
            file.writelines(all_strays)
    return DistributeDone(answers, len(all_strays))


def _write_to(
    task: DistributeTask, shares: Sequence[Share], *, everyone: Sequence[Share], strays_kept: int
) -> tuple[int, list[bytes]]:
    answers = 0
    strays: list[bytes] = []
    owners = _Owners(everyone)
    with ExitStack() as stack:
        files = {share.answers: stack.enter_context(replacing(Path(share.answers))) for share in shares}
        for line in answer_lines(Path(task.answers), ReadLimits.of(task.requests)):
            owner = owners.of(request_of(line))
            if owner is None:
                if len(strays) < strays_kept:
                    strays.append(line + b"\n")
                continue
            share, row = owner
            file = files.get(share.answers)
            if file is not None:
                answers += not is_unknown_call(line)
                file.write(b"%d %b\n" % (row, line))
    return answers, strays


class _Owners:
    """Finds the share and the row that a request belongs to."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._by_job: dict[str, list[Share]] = defaultdict(list)
        for share in sorted(shares, key=lambda share: share.first):
            self._by_job[share.job].append(share)
        self._firsts = {job: [share.first for share in shares] for job, shares in self._by_job.items()}

    def of(self, request: RequestId | None) -> tuple[Share, int] | None:
        if request is None or request.job not in self._by_job:
            return None
        job, row = request
        number = bisect_right(self._firsts[job], row) - 1
        share = self._by_job[job][max(number, 0)]
        return (share, row) if share.first <= row < share.first + share.rows else None

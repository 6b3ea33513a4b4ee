"""From a batch's answers to results: dealing the lines out to parts, then joining each part's with its rows."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ..answers.joining import join
from ..answers.meaning import request_of, stripped
from ..domain.routing import PluginSpec
from ..files import replacing
from ..model import RequestId, Usage
from ..money.lanes import Lane
from ..money.pricing import Terms
from ..money.spending import Bill, Tally
from . import worker_plugins
from .part_files import decode_results, lines_of, write_results
from .render import RenderTask, render_lines
from .reuse import follow, read_keys, remember


@dataclass(frozen=True, slots=True)
class Share:
    """Which lines are a part's, and where they go."""

    job: str
    first: int
    rows: int
    answers: str


@dataclass(frozen=True, slots=True)
class DistributeTask:
    """Distribute the lines of `answers` to the parts of the batch; lines of no row go to `strays`."""

    answers: str
    shares: Sequence[Share]
    strays: str


@dataclass(frozen=True, slots=True)
class DistributeDone:
    """How many lines found their part, and how many did not."""

    answers: int
    strays: int


# Open files are few in a service's limits, and a batch may hold thousands of small parts.
MAX_OPEN_FILES = 200


STRAYS_KEPT = 10_000
"""Enough to see what a service did; endless nonsense must not fill our memory."""


def distribute(
    task: DistributeTask, *, max_open_files: int = MAX_OPEN_FILES, strays_kept: int = STRAYS_KEPT
) -> DistributeDone:
    """Give each part its lines, in the order they came, each behind its row's number and a space."""
    answers = 0
    strays_found: list[bytes] = []
    for start in range(0, len(task.shares), max_open_files):
        shares = task.shares[start : start + max_open_files]
        distributed, strays = _deal(task, shares, everyone=task.shares, strays_kept=strays_kept if start == 0 else 0)
        answers += distributed
        strays_found += strays
    if strays_found:
        with replacing(Path(task.strays)) as file:
            file.writelines(strays_found)
    return DistributeDone(answers, len(strays_found))


def _deal(
    task: DistributeTask, shares: Sequence[Share], *, everyone: Sequence[Share], strays_kept: int
) -> tuple[int, list[bytes]]:
    answers = 0
    strays: list[bytes] = []
    owners = _Owners(everyone)
    with ExitStack() as stack:
        files = {share.answers: stack.enter_context(replacing(Path(share.answers))) for share in shares}
        for whole in lines_of(Path(task.answers)):
            line = stripped(whole)
            if not line:
                continue
            found = owners.of(request_of(line))
            if found is None:
                if len(strays) < strays_kept:
                    strays.append(line + b"\n")
                continue
            share, row = found
            file = files.get(share.answers)
            if file is not None:
                answers += 1
                file.write(b"%d %b\n" % (row, line))
    return answers, strays


class _Owners:
    """Which share and row a request belongs to."""

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


@dataclass(frozen=True, slots=True)
class CollectTask:
    """Join a part's answers with its rows. `settled` is its results file so far, `results` the one to write.

    `lane` is how they were asked, `terms` what answers cost, None if that is not known. With `keys`, rows that asked
    the same share an answer, and answers are remembered in the `book` as of this time.
    """

    first: int
    rows: int
    answers: str
    settled: str | None
    results: str
    builder: PluginSpec
    attempt: int
    attempts: int
    lane: Lane
    renders: Sequence[RenderTask] = ()
    terms: Terms | None = None
    job: str = ""
    keys: str | None = None
    book: str | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class CollectDone:
    """The outcome of the part: rows with an outcome, rows to ask again with the reasons, the bill for this attempt.

    `rendered` are the suffixes and sizes of the pieces that each of `renders` came to, where that was done.
    """

    ok: int
    failed: int
    leftovers: int
    reasons: Mapping[str, int]
    bill: Bill
    rendered: Sequence[Mapping[str, int]] = ()
    reused: int = 0
    saved: Usage = field(default_factory=Usage)


def collect(task: CollectTask) -> CollectDone:
    """Write the part's new results file: what was settled before, and what this attempt has settled."""
    settled = decode_results(Path(task.settled)) if task.settled else {}
    answers: dict[int, list[bytes]] = defaultdict(list)
    for line in lines_of(Path(task.answers)):
        row, _, said = line.partition(b" ")
        answers[int(row)].append(said.rstrip(b"\n"))
    keys = read_keys(task.keys)
    rows = range(task.first, task.first + task.rows)
    asked = (row for row in rows if row not in settled and row not in keys.followers)
    builder = worker_plugins.builder(task.builder)
    tally = Tally(task.terms, task.lane)
    joined = join(asked, answers, builder, attempt=task.attempt, attempts=task.attempts, tally=tally)
    followed = follow(keys, {line.row: line for line in joined.lines}, task.job)
    lines = sorted([*settled.values(), *joined.lines, *followed.lines], key=lambda line: line.row)
    write_results(Path(task.results), lines)
    if task.book is not None:
        remember(task.book, keys, joined.lines, at=task.at)
    reasons = dict(joined.reasons)
    if followed.waiting:
        reasons["same_request"] = len(followed.waiting)
    ok = sum(line.ok for line in lines)
    rendered: list[Mapping[str, int]] = []
    if len(lines) == task.rows:
        # While the outcomes are at hand. A sink that fails here does so again when it is its turn, and is named then.
        with contextlib.suppress(Exception):
            rendered += [render_lines(each, lines) for each in task.renders]
    return CollectDone(
        ok=ok,
        failed=len(lines) - ok,
        leftovers=len(joined.leftovers) + len(followed.waiting),
        reasons=reasons,
        bill=joined.bill,
        rendered=rendered,
        reused=followed.reused,
        saved=followed.saved,
    )

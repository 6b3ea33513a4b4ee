"""From a batch's answers to results: distribute the lines to the parts, then join each part's lines with its rows."""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from ...answers.corrections import AnswerFault
from ...answers.joining import Joined, ResultLine, answer_size, join
from ...answers.meaning import read_line, request_of
from ...answers.unknown_calls import add_unknown_calls, is_unknown_call
from ...contracts import PromptBuilder
from ...domain.routing import PluginSpec
from ...files import replacing
from ...model import Failure, Json, RequestId, Response, Usage
from ...money.lanes import Lane
from ...money.pricing import Terms
from ...money.spending import Bill, Tally
from ...sending.line_refusals import NOTHING, LineRefusals, LineVerdict
from ...sending.whose_fault import ServiceRefusal
from ...workers import worker_plugins
from ...workers.limits import ROW_TIMEOUT, Progress, limited
from ..part_files import decode_results, lines_of, read_corrections, write_corrections, write_results
from ..planning.ahead import remember_ahead
from ..planning.identical_rows import read_follows
from ..planning.planned import planned_usage
from ..planning.reuse import Followed, Keys, follow, read_keys, remember
from .answer_lines import ReadLimits, answer_lines
from .render import RenderTask, render_lines
from .summary import SummaryTask, summarize, write_summary


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


@dataclass(frozen=True, slots=True)
class CollectTask:
    """Join a part's answers with its rows. `settled` is its results file so far, `results` the one to write.

    `lane` is how the requests were sent, `terms` the price of answers, None if it is not known. With `keys`, rows with
    the same request share an answer, and the `book` stores the answers with the time `at`. `limit_key`
    is the key that limits the route's answers; `proven` says that other rows of the job have been answered,
    `batch_answered` that others of the same batch have.

    `summary` says where that of the whole part goes.

    `requests` are those that were sent: an answer that the service did not count costs what was planned for it.
    `factor` leads from counted input tokens to the most that a service may count.
    With `ahead` the rows were asked ahead, and their answers are kept there, by the `provider` that gave them.
    `given_up` rows fail: the builder hung over their answers. Raises Hung if it hangs over another.
    `corrections` is what rows were told in this attempt, `next_corrections` the file for the next attempt. The rows of
    `follows` were not asked: they get the outcomes of rows of other parts, later.
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
    summary: SummaryTask | None = None
    terms: Terms | None = None
    job: str = ""
    keys: str | None = None
    book: str | None = None
    at: float = 0.0
    requests: str | None = None
    endpoint: str = ""
    model: str = ""
    factor: float = 1.0
    given_up: Mapping[int, Failure] = field(default_factory=dict)
    row_timeout: float = ROW_TIMEOUT
    proven: bool = False
    batch_answered: bool = False
    limit_key: str = "max_tokens"
    corrections: str | None = None
    next_corrections: str | None = None
    provider: str = ""
    ahead: str | None = None
    follows: str | None = None


@dataclass(frozen=True, slots=True)
class CollectDone:
    """The outcome of the part: rows with an outcome, rows to ask again with the reasons, the bill for this attempt.

    `refusals` say whose fault lines were that the service refused. If the route is refused, nothing was collected.
    `rendered` has the suffixes and sizes of the pieces of each of `renders`; empty if they were not rendered.
    """

    ok: int
    failed: int
    leftovers: int
    reasons: Mapping[str, int]
    bill: Bill
    rendered: Sequence[Mapping[str, int]] = ()
    reused: int = 0
    saved: Usage = field(default_factory=Usage)
    empty: int = 0
    refusals: LineVerdict = NOTHING


class _WithoutGivenUp:
    """A builder that is not asked about rows over whose answers it hung."""

    def __init__(self, builder: PromptBuilder[Any], given_up: Mapping[int, Failure], progress: Progress) -> None:
        self._builder = builder
        self._given_up = given_up
        self._progress = progress

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        """As PromptBuilder."""
        failure = self._given_up.get(-1 if self._progress.row is None else self._progress.row)
        return self._builder.parse(response) if failure is None else failure


def _noted(rows: Iterable[int], progress: Progress) -> Iterator[int]:
    for row in rows:
        progress.at(row)
        yield row


_ANSWERED = (b'"status_code":200', b'"status_code": 200')


def refusal_of(line: bytes) -> ServiceRefusal | None:
    """What a line refuses; None if it is an answer, or cannot be read."""
    # Most lines are answers, which are read when they are joined.
    if any(each in line for each in _ANSWERED):
        return None
    reading = read_line(line)
    if not reading.refused or reading.failure is None:
        return None
    return ServiceRefusal(reading.failure.code, reading.failure.message, reading.status, reading.param)


def collect(task: CollectTask) -> CollectDone:
    """Write the part's new results file: the outcomes from before, and those of this attempt."""
    settled = decode_results(Path(task.settled)) if task.settled else {}
    answers: dict[int, list[bytes]] = defaultdict(list)
    unknown: set[int] = set()
    for line in lines_of(Path(task.answers)):
        row, _, output_line = line.partition(b" ")
        if is_unknown_call(output_line):
            unknown.add(int(row))
        else:
            answers[int(row)].append(output_line.rstrip(b"\n"))
    tally = Tally(task.terms, task.lane)
    sizes = {row: max(map(answer_size, answers.get(row, ())), default=0) for row in unknown}
    add_unknown_calls(tally, unknown, lambda rows: _planned(task, rows), sizes)
    keys = read_keys(task.keys)
    rows = range(task.first, task.first + task.rows)
    not_asked = settled.keys() | keys.followers.keys() | read_follows(task.follows).keys()
    open_rows = [asked for asked in rows if asked not in not_asked]
    refusals = LineRefusals()
    for asked in open_rows:
        refusals.add(asked, [refusal_of(line) for line in answers.get(asked, ())])
    verdict = refusals.judge(
        body_keys=_body_keys(task) if refusals.by_row else (),
        proven=task.proven or any(line.ok for line in settled.values()),
        batch_answered=task.batch_answered,
    )
    if verdict.route is not None:
        return CollectDone(0, 0, len(open_rows), {}, tally.bill(), refusals=verdict)
    open_rows = [asked for asked in open_rows if asked not in verdict.held]
    with limited(task.row_timeout) as progress:

        def planned(sizes: Mapping[int, int]) -> Mapping[int, Usage]:
            progress.ours = True
            return _planned(task, sizes)

        builder = worker_plugins.builder(task.builder)
        if task.given_up:
            builder = cast("PromptBuilder[Any]", _WithoutGivenUp(builder, task.given_up, progress))
        joined = join(
            _noted(open_rows, progress),
            answers,
            builder,
            attempt=task.attempt,
            attempts=task.attempts,
            tally=tally,
            planned=planned,
            none_yet=not any(line.ok for line in settled.values()),
        )
    joined.lines = [_with_key(line, task.limit_key) for line in joined.lines]
    followed = follow(keys, {line.row: line for line in joined.lines}, task.job)
    lines = sorted([*settled.values(), *joined.lines, *followed.lines], key=lambda line: line.row)
    write_results(Path(task.results), lines)
    if task.next_corrections is not None:
        write_corrections(task.next_corrections, _next_corrections(task, lines, joined, followed, keys))
    if task.book is not None:
        remember(task.book, keys, joined.lines, at=task.at)
    if task.ahead is not None:
        remember_ahead(
            task.ahead,
            keys.leaders,
            joined.lines,
            requests=task.requests,
            provider=task.provider,
            endpoint=task.endpoint,
            at=task.at,
        )
    reasons = dict(joined.reasons)
    if verdict.held:
        reasons["account_refused"] = len(verdict.held)
    if followed.waiting:
        reasons["same_request"] = len(followed.waiting)
    ok, empty = sum(line.ok for line in lines), sum(line.empty for line in lines)
    rendered: list[Mapping[str, int]] = []
    if len(lines) == task.rows:
        # What cannot be written now is made for the report.
        with contextlib.suppress(OSError):
            if task.summary is not None:
                write_summary(Path(task.summary.target), summarize(lines, task.summary.columns))
        # While the outcomes are in memory. A sink that fails here fails again at delivery, which reports it.
        with contextlib.suppress(Exception):
            rendered += [render_lines(each, lines, row_timeout=task.row_timeout) for each in task.renders]
    return CollectDone(
        ok=ok,
        failed=len(lines) - ok - empty,
        leftovers=len(joined.leftovers) + len(followed.waiting) + len(verdict.held),
        reasons=reasons,
        bill=joined.bill,
        rendered=rendered,
        reused=followed.reused,
        saved=followed.saved,
        empty=empty,
        refusals=verdict,
    )


def _next_corrections(
    task: CollectTask, settled: Sequence[ResultLine], joined: Joined, followed: Followed, keys: Keys
) -> dict[int, AnswerFault]:
    """What the rows that are asked again are told: one that was not answered is told the same once more."""
    done = {line.row for line in settled}
    told = {row: each for row, each in read_corrections(task.corrections).items() if row not in done}
    told |= joined.corrections
    # Rows with the same request get the same correction, or they would be asked one by one from now on.
    return told | {row: told[keys.followers[row]] for row in followed.waiting if keys.followers[row] in told}


def _planned(task: CollectTask, sizes: Mapping[int, int]) -> Mapping[int, Usage]:
    if task.requests is None:
        return {}
    return planned_usage(Path(task.requests), sizes, endpoint=task.endpoint, model=task.model, factor=task.factor)


def _body_keys(task: CollectTask) -> Sequence[str]:
    """The keys of the first request's body: those that a refusal may name."""
    try:
        first = next(lines_of(Path(task.requests)), b"") if task.requests is not None else b""
        body = msgspec.json.decode(first)["body"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return list(body) if isinstance(body, dict) else ()


def _with_key(line: ResultLine, limit_key: str) -> ResultLine:
    """The advice about an answer that was cut off, with the key that this route has."""
    if line.code != "length" or line.message is None or limit_key == "max_tokens":
        return line
    return msgspec.structs.replace(line, message=_MAX_TOKENS.sub(limit_key, line.message))


_MAX_TOKENS = re.compile(r"\bmax_tokens\b")

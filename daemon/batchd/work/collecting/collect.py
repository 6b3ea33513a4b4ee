"""Turns a part's answers into its results: joins the lines with the part's rows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct, field

from ...answers.corrections import AnswerFault
from ...answers.joining import Joined, ResultLine, answer_size, join, join_usual
from ...answers.meaning import read_line
from ...answers.unknown_calls import add_unknown_calls
from ...contracts import PromptBuilder
from ...domain.routing import PluginSpec
from ...model import Failure, Json, Response, Usage
from ...money.lanes import Lane
from ...money.pricing import Terms
from ...money.spending import Bill, Tally
from ...plugin_base import overrides_last
from ...sending.line_refusals import NOTHING, LineRefusals, LineVerdict
from ...sending.useless_answers import Useless
from ...sending.whose_fault import Blame, ServiceRefusal, fault_of
from ...workers import worker_plugins
from ...workers.limits import ROW_TIMEOUT, Progress, limited
from ..kept_answers import KeptAnswers
from ..part_files import decode_results, lines_of, read_corrections, write_corrections, write_results
from ..planning.ahead import remember_ahead
from ..planning.identical_rows import read_follows
from ..planning.planned import planned_usage
from ..planning.reuse import Followed, Keys, follow, read_keys, remember
from .render import RenderTask, render
from .sorted_answers import look_through, sort_answers
from .summary import SummaryTask, summarize, write_summary


class CollectTask(Struct, frozen=True):
    """Join a part's answers with its rows. `settled` is its results file so far, `results` the one to write.

    `lane` is how the requests were sent, `terms` the price of answers, None if it is not known. With `keys`, rows with
    the same request share an answer, and the `book` stores the answers with the time `at`. `limit_key`
    is the key that limits the route's answers; `proven` says that other rows of the job have been answered,
    `batch_answered` that other rows of the same batch have.

    `summary` says where the summary of the whole part goes.

    `requests` are those that were sent: an answer whose tokens the service did not count costs what was planned for it.
    `factor` turns counted input tokens into the most that a service may count.
    With `ahead`, the rows were asked ahead, and the answers of the `provider` are kept in that file.
    `given_up` rows fail, since the builder hung on their answers. Raises Hung if it hangs on another.
    `corrections` is the file of corrections for this attempt, `next_corrections` the one for the next. The rows of
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


class CollectDone(Struct, frozen=True):
    """The outcome of the part: rows with an outcome, rows to ask again with the reasons, the bill for this attempt.

    `refusals` says whose fault it is that the service refused lines. If the route is refused, nothing was collected.
    `useless` says that no row of the job has a useful answer; the answers are kept, but not used for other jobs.
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
    useless: Useless | None = None


class _WithoutGivenUp:
    """A builder that is not called for rows on whose answers it hung."""

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


_STATUS_OK = (b'"status_code":200', b'"status_code": 200')
_ANSWERS = (b'"choices"', b'"embedding"', b'"output_text"')


def refusal_of(line: bytes) -> ServiceRefusal | None:
    """Return the refusal in a line; None if the line is an answer, or cannot be read."""
    # Most lines are answers, which are read when they are joined.
    if any(each in line for each in _STATUS_OK) and any(each in line for each in _ANSWERS):
        return None
    reading = read_line(line)
    if not reading.refused or reading.failure is None:
        return None
    code, message, status, param = reading.failure.code, reading.failure.message, reading.status, reading.param
    if status is None and fault_of(ServiceRefusal(code, message)) is Blame.ROUTE and b'"status_code"' in line:
        status = 400  # the refusal came with a status of success
    return ServiceRefusal(code, message, status, param)


def collect(task: CollectTask) -> CollectDone:
    """Write the part's new results file: the outcomes from before, and those of this attempt."""
    with KeptAnswers(Path(task.results).parent) as kept:
        return _collect(task, kept)


def _collect(task: CollectTask, kept: KeptAnswers) -> CollectDone:
    settled = decode_results(Path(task.settled)) if task.settled else {}
    keys = read_keys(task.keys)
    rows = range(task.first, task.first + task.rows)
    not_asked = settled.keys() | keys.followers.keys() | read_follows(task.follows).keys()
    open_rows = [asked for asked in rows if asked not in not_asked]
    tally = Tally(task.terms, task.lane)
    with limited(task.row_timeout) as progress:

        def planned(sizes: Mapping[int, int]) -> Mapping[int, Usage]:
            progress.ours = True
            if task.requests is None:
                return {}
            file = Path(task.requests)
            return planned_usage(file, sizes, endpoint=task.endpoint, model=task.model, factor=task.factor)

        builder = worker_plugins.builder(task.builder)
        many = not task.given_up and tally.takes_many and overrides_last(builder, "parse_many", "parse")
        progress.ours = True
        found = sort_answers(Path(task.answers), frozenset(open_rows) if many else (), kept)
        sizes = {row: max(map(answer_size, found.lines.get(row, ())), default=0) for row in found.unknown}
        add_unknown_calls(tally, found.unknown, planned, sizes)
        refusals = LineRefusals(asked=len(found.usual.rows), answered=len(found.usual.rows))
        usual = frozenset(found.usual.rows)
        for asked in [row for row in open_rows if row not in usual]:
            refusals.add(asked, [refusal_of(line) for line in found.lines.get(asked, ())])
        verdict = refusals.judge(
            body_keys=_body_keys(task) if refusals.by_row else (),
            proven=task.proven or any(line.ok for line in settled.values()),
            batch_answered=task.batch_answered,
        )
        if verdict.route is not None:
            return CollectDone(0, 0, len(open_rows), {}, tally.bill(), refusals=verdict)
        useless = None if task.proven or verdict.held else look_through(found, task.requests)
        progress.ours = False

        answered, left = join_usual(found.usual, builder, tally, progress.at)
        found.give_back(frozenset(left), kept)
        if task.given_up:
            builder = cast("PromptBuilder[Any]", _WithoutGivenUp(builder, task.given_up, progress))
        done = {line.row for line in answered} | verdict.held
        joined = join(
            _noted([asked for asked in open_rows if asked not in done], progress),
            found.lines,
            builder,
            attempt=task.attempt,
            attempts=task.attempts,
            tally=tally,
            planned=planned,
            none_yet=not answered and not any(line.ok for line in settled.values()),
        )
    joined.lines = [*answered, *(_with_key(line, task.limit_key) for line in joined.lines)]
    leaders = frozenset(keys.followers.values())
    followed = follow(keys, {line.row: kept.whole(line) for line in joined.lines if line.row in leaders}, task.job)
    lines = sorted([*settled.values(), *joined.lines, *followed.lines], key=attrgetter("row"))
    write_results(Path(task.results), lines)
    if task.next_corrections is not None:
        write_corrections(task.next_corrections, _next_corrections(task, lines, joined, followed, keys))
    if task.book is not None and useless is None:
        remember(task.book, keys, map(kept.whole, joined.lines), at=task.at)
    if task.ahead is not None and useless is None:
        remember_ahead(
            task.ahead,
            keys.leaders,
            map(kept.whole, joined.lines),
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
        # A summary that cannot be written now is made again for the report.
        with contextlib.suppress(OSError):
            if task.summary is not None:
                write_summary(Path(task.summary.target), summarize(lines, task.summary.columns))
        # Render while the outcomes are in memory. A sink that fails here fails again at delivery, which reports it.
        with contextlib.suppress(Exception):
            rendered += [render(each, lines) for each in task.renders]
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
        useless=useless,
    )


def _next_corrections(
    task: CollectTask, settled: Sequence[ResultLine], joined: Joined, followed: Followed, keys: Keys
) -> dict[int, AnswerFault]:
    """Return the corrections of the rows that are asked again. A row that was not answered keeps its correction."""
    done = {line.row for line in settled}
    told = {row: each for row, each in read_corrections(task.corrections).items() if row not in done}
    told |= joined.corrections
    # Rows with the same request get the same correction, or they would be asked one by one from now on.
    return told | {row: told[keys.followers[row]] for row in followed.waiting if keys.followers[row] in told}


def _body_keys(task: CollectTask) -> Sequence[str]:
    """The keys of the first request's body: those that a refusal may name."""
    try:
        first = next(lines_of(Path(task.requests)), b"") if task.requests is not None else b""
        body = msgspec.json.decode(first)["body"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return list(body) if isinstance(body, dict) else ()


def _with_key(line: ResultLine, limit_key: str) -> ResultLine:
    """Return the outcome with the route's own key in the advice about an answer that was cut off."""
    if line.code != "length" or line.message is None or limit_key == "max_tokens":
        return line
    return msgspec.structs.replace(line, message=_MAX_TOKENS.sub(limit_key, line.message))


_MAX_TOKENS = re.compile(r"\bmax_tokens\b")

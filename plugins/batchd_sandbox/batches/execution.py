"""Executes a batch in the worker process: reads the input file once, validates it, writes the answers."""

from __future__ import annotations

from array import array
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from ..answers.answering import ENDPOINTS, HALF_PAIR, Answer, Request, prompt_tokens
from ..answers.shapes import named_in, played
from ..faults.of_lines import LineFaults, in_lines, refusal_for
from ..faults.orders import marker_forms
from ..faults.table import Order
from ..refusals import Refusal, refused_for
from . import output_lines
from .line_files import LineFile, shuffled_ranks
from .lines import REPORTED_ERRORS, BadBody, LineReader, LineRefused
from .worker_messages import BatchError, Executed, ExecuteJob, Outcome

_BLOCK = 1 << 20
_ORDERED = "This request was refused by the sandbox, as ordered."  # by a fault


def execute(job: ExecuteJob) -> Executed:
    """Execute the job. The same job always writes the same files."""
    source = Path(job.source)
    size = source.stat().st_size
    if size > job.max_bytes:
        message = (
            f"The batch input file is larger than the {job.max_bytes} maximum for the {_first_model(source)} model."
            " Please try again with a smaller batch."
        )
        return refused(job.share, BatchError("file_too_large", message))
    return _Execution(job).run()


class _Execution:
    """One pass over one input file."""

    def __init__(self, job: ExecuteJob) -> None:
        self._job = job
        self._reader = LineReader(job.endpoint, job.models)
        self._answer = ENDPOINTS[job.endpoint].answer
        self._prefix = job.batch_id.removeprefix("batch_")[:16].encode()
        whole_file = {one.order.kind for one in job.line_orders}
        self._faults = LineFaults(job.line_orders)
        self._all_fail = next((one for one in job.batch_orders if one.kind == "no-output"), None)
        refusing = next((one for one in job.batch_orders if one.kind in _REFUSING), None)
        self._ordered = None if refusing is None else _OrderedRefusal(refusing)
        self._with_unknown = "unknown" in whole_file
        self._ranks: array[int] | None = None
        shuffled = job.shuffled or "shuffled" in whole_file
        total = _count_lines(Path(job.source)) if shuffled or job.share < 1 else None
        if shuffled and total is not None:
            self._ranks = shuffled_ranks(total)
        self._answerable = None if total is None else int(total * job.share)
        ranked = total if shuffled else None
        newline = b"\r\n" if "crlf" in whole_file else b"\n"
        self._output = LineFile(job.output, job.drafts, ranked=ranked, newline=newline)
        self._errors = LineFile(job.errors, job.drafts, ranked=ranked, newline=newline)
        self._executed = LineFile(job.executed, job.drafts, ranked=ranked)
        self._problems: list[BatchError] = []
        self._total = self._failed = self._enqueued = 0
        self._input_tokens = self._cached_tokens = self._output_tokens = 0

    def run(self) -> Executed:
        try:
            self._read_all()
            if self._ordered is not None:
                self._problems += self._ordered.at_the_end(self._reader.model)
            if self._problems:
                return refused(self._job.share, *self._problems[:REPORTED_ERRORS], model=self._reader.model)
            return Executed(self._publish(), dict(self._faults.met))
        finally:
            for file in (self._output, self._errors, self._executed):
                file.discard()

    def _read_all(self) -> None:
        read, ranks, problems = self._reader.read, self._ranks, self._problems
        answerable = self._answerable
        faulty = bool(self._faults) or self._all_fail is not None
        with Path(self._job.source).open("rb", buffering=_BLOCK) as source:
            for number, raw in enumerate(source, 1):
                try:
                    custom_id, request = read(raw)
                except LineRefused as reason:
                    if raw.strip() and len(problems) < REPORTED_ERRORS:
                        problems.append(reason.at(number))
                    continue
                position = self._total
                self._total = position + 1
                if self._total > self._job.max_requests:
                    message = f"The batch contains more than the maximum of {self._job.max_requests} requests."
                    problems.append(BatchError("too_many_tasks", message))
                    return
                if self._ordered is not None:
                    problems += self._ordered.at(number, raw)
                if problems:
                    continue
                rank = position if ranks is None else ranks[position]
                identity = b"%b%08x" % (self._prefix, number)
                quoted = msgspec.json.encode(custom_id)
                if answerable is not None and rank >= answerable:
                    self._skip(rank, identity, quoted, request)
                elif faulty:
                    self._answer_with_faults(rank, identity, quoted, request, number, custom_id, raw)
                elif (answer := self._answered(rank, identity, quoted, request)) is not None:
                    self._output.write(rank, output_lines.answered(identity, quoted, answer.body))
                    self._count(rank, quoted, answer)
        if not self._total and not problems:
            message = "The input file is empty. Please ensure that the batch contains at least one request."
            problems.append(BatchError("empty_file", message))

    def _answer_with_faults(
        self,
        rank: int,
        identity: bytes,
        quoted: bytes,
        request: Request | BadBody,
        number: int,
        custom_id: str,
        raw: bytes,
    ) -> None:
        orders = self._faults.take(number, custom_id, raw)
        if self._all_fail is not None:
            orders.insert(0, Order("line", "status", status=self._all_fail.status))
        kinds = {order.kind: order for order in reversed(orders)}
        if "missing" in kinds:
            return
        if order := kinds.get("http-error-without-error-field"):
            line = output_lines.refused_without_error_field(identity, quoted, refusal_for(order))
            self._output.write(rank, line)
            self._failed += 1
            return
        if order := kinds.get("account") or kinds.get("param") or kinds.get("status") or kinds.get("error"):
            if order.kind != "error":
                line = output_lines.refused(identity, quoted, refusal_for(order))
            else:
                line = output_lines.failed(identity, quoted, order.code or "server_error", _ORDERED)
            self._fail(rank, line)
            return
        answer = self._answered(rank, identity, quoted, request, kinds)
        if answer is None:
            return
        line = output_lines.answered(identity, quoted, answer.body)
        if "half-pair" in kinds:
            line = line.replace(HALF_PAIR.encode(), rb"\ud83d")
        if "nan" in kinds:
            line = line.replace(b'"body":{', b'"body":{"logprob":NaN,"floor":-Infinity,', 1)
        if "not-json" in kinds:
            line = line[: len(line) * 2 // 3]
        if "shapes" in kinds and (shape := named_in(raw)) is not None:
            line, answer = played(shape, line, answer)
        if "both" in kinds:
            self._errors.write(rank, output_lines.failed(identity, quoted, "server_error", _ORDERED))
        if "double" in kinds:
            line += self._output.newline + line
        self._output.write(rank, line)
        self._count(rank, quoted, answer)

    def _answered(
        self, rank: int, identity: bytes, quoted: bytes, request: Request | BadBody, faults: Collection[str] = ()
    ) -> Answer | None:
        """Return the answer; None if the request is refused. The refusal goes into the error file."""
        try:
            if isinstance(request, BadBody):
                raise request.refusal
            return self._answer(request, identity, self._job.created_at, faults)
        except Refusal as refusal:
            self._fail(rank, output_lines.refused(identity, quoted, refusal))
            return None

    def _fail(self, rank: int, line: bytes) -> None:
        self._errors.write(rank, line)
        self._failed += 1

    def _count(self, rank: int, quoted: bytes, answer: Answer) -> None:
        self._executed.write(rank, quoted)
        self._input_tokens += answer.input_tokens
        self._cached_tokens += answer.cached_tokens
        self._output_tokens += answer.output_tokens
        self._enqueued += answer.input_tokens

    def _skip(self, rank: int, identity: bytes, quoted: bytes, request: Request | BadBody) -> None:
        """Handle a request that the batch does not reach."""
        if not isinstance(request, BadBody):
            # A request that would be refused with 4xx has no tokens.
            with suppress(Refusal):
                self._enqueued += prompt_tokens(request)
        if code := self._job.rest:
            self._errors.write(rank, output_lines.failed(identity, quoted, code, output_lines.REST[code]))

    def _publish(self) -> Outcome:
        if self._with_unknown:
            identity = b"%b%08x" % (self._prefix, 0)
            custom_id = b'"nobody-sent-%b"' % self._prefix
            self._output.write_last(output_lines.answered(identity, custom_id, b"{}"))
        self._executed.finish()
        return Outcome(
            share=self._job.share,
            model=self._reader.model,
            total=self._total,
            completed=self._executed.lines,
            failed=self._failed,
            input_tokens=self._input_tokens,
            cached_tokens=self._cached_tokens,
            output_tokens=self._output_tokens,
            enqueued_tokens=self._enqueued,
            output_lines=self._output.lines,
            output_bytes=self._output.finish(),
            error_lines=self._errors.lines,
            error_bytes=self._errors.finish(),
        )


_REFUSING = ("failed-lines", "failed", "model-not-found", "token-limit", "account")


class _OrderedRefusal:
    """A fault that makes validation refuse a batch."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._forms = marker_forms(order.marker)
        self._marker_seen = False

    def at(self, number: int, raw: bytes) -> list[BatchError]:
        """The errors of this line."""
        order = self._order
        marked = any(form in raw for form in self._forms)
        self._marker_seen |= marked
        if order.kind == "failed-lines" and (marked or in_lines(order, number)):
            return [BatchError(order.code or "invalid_request", _ORDERED, None, number)]
        return []

    def at_the_end(self, model: str | None) -> list[BatchError]:
        """The errors of the file as a whole."""
        order = self._order
        match order.kind:
            case "failed" if not self._forms or self._marker_seen:
                message = "The batch was refused by the sandbox, as ordered; it does not say which line is the cause."
                return [BatchError(order.code or "invalid_request", message)]
            case "model-not-found":
                message = f"The provided model '{model}' is not supported by the Batch API."
                return [BatchError("model_not_found", message, "body.model", 1)]
            case "account":
                refusal = refused_for(order.reason)
                return [BatchError(refusal.code or refusal.type, refusal.message, refusal.param)]
            case "token-limit":
                return [enqueued_token_limit(model, order.limit)]
            case _:
                return []


def enqueued_token_limit(model: str | None, limit: int) -> BatchError:
    """The error of a batch that exceeds the limit of enqueued tokens."""
    return BatchError(
        "token_limit_exceeded",
        f"Enqueued token limit reached for {model} in organization org-sandbox. Limit: {limit:,} enqueued tokens."
        " Please try again once some in_progress batches have been completed.",
    )


def refused(share: float, *errors: BatchError, model: str | None = None) -> Executed:
    """The result of a batch that is refused."""
    return Executed(Outcome(share=share, errors=errors, model=model), {})


def _first_model(source: Path) -> str:
    with source.open("rb") as file:
        try:
            return str(msgspec.json.decode(file.readline(_BLOCK))["body"]["model"])
        except (msgspec.DecodeError, KeyError, TypeError):
            return "requested"


def _count_lines(source: Path) -> int:
    """An upper bound for the number of lines that are not blank."""
    lines = 0
    last = b"\n"
    with source.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            lines += block.count(b"\n")
            last = block[-1:]
    return lines + (last != b"\n")

"""Planning a part: its rows into request lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from ...answers.corrections import AnswerFault, storable
from ...answers.joining import ResultLine
from ...contracts import PromptBuilder
from ...domain import rows
from ...domain.routing import PluginSpec
from ...domain.words import matched
from ...errors import PluginError
from ...files import replacing
from ...model import BadRow, Body, Failure, RequestId, Row, Usage
from ...money import tokens
from ...requests.json_lines import on_one_line
from ...requests.rules import BodyRules, too_long, writes
from ...workers import worker_plugins
from ...workers.limits import ROW_TIMEOUT, Progress, TimeIsUp, limited
from ..part_files import decode_results, lines_of, read_corrections, write_results
from ..pictures import NAMES_A_FILE, PictureFolder, with_pictures
from .identical_rows import read_follows
from .reuse import Keyed, Recalled, Reuse, key_record, recalled


@dataclass(frozen=True, slots=True)
class PlanTask:
    """Plan the part of `job` from row `first`. `settled` is its results file so far, `failures` the one to write.

    Rows whose question would be about nothing are skipped if `skip_empty`.

    `correction` is the factor from counted tokens to real ones, known from earlier batches of the model. `given_up`
    rows are not asked: the builder hung over them. Raises Hung if it hangs over another. `corrections` is a file with
    what rows are told that were answered in the wrong form before, `follows` one with rows that ask the same as a row
    of another part.
    """

    job: str
    first: int
    offset: int
    length: int
    columns: Sequence[str]
    rows: str
    requests: str
    settled: str | None
    failures: str
    builder: PluginSpec
    common: Body
    endpoint: str
    max_line_bytes: int | None
    model: str = ""
    correction: float = 1.0
    reuse: Reuse | None = None
    given_up: Mapping[int, Failure] = field(default_factory=dict)
    row_timeout: float = ROW_TIMEOUT
    corrections: str | None = None
    pictures: PictureFolder | None = None
    skip_empty: bool = False
    follows: str | None = None


EMPTY = Failure("empty", "The cells that the question is about are empty in this row, so it was not asked.")
"""What a row is told whose question would be about nothing. It is skipped, and did not fail."""


@dataclass(frozen=True, slots=True)
class PlanDone:
    """The result of planning. `failed` rows have no request; they are in the new results file, if `new_results`.

    `input_tokens` are corrected, `counted_tokens` are not: only these may be compared with the real usage, to correct
    the next count. `longest` are the input tokens of the longest request. `unlimited` requests set no limit to their
    answers, so `output_tokens` is not an upper bound for them. `reused` rows have the answer to an earlier identical
    request; `saved` are the tokens billed for those answers. `empty` rows are skipped.
    """

    requests: int
    size: int
    input_tokens: int
    output_tokens: int
    failed: int
    new_results: bool
    counted_tokens: int = 0
    longest: int = 0
    unlimited: int = 0
    reused: int = 0
    saved: Usage = field(default_factory=Usage)
    empty: int = 0


def plan(task: PlanTask) -> PlanDone:
    """Write the request file. A row without a request, or with a request that was answered before, is settled here."""
    settled = decode_results(Path(task.settled)) if task.settled else {}
    with ExitStack() as stack:
        file = stack.enter_context(replacing(Path(task.requests)))
        planned = _Planned(task, file, stack)
        progress = stack.enter_context(limited(task.row_timeout))
        builder = worker_plugins.builder(task.builder)
        bodies = _bodies(task, builder, settled.keys() | read_follows(task.follows).keys(), progress)
        bodies = _with_pictures(bodies, task.pictures, progress)
        if corrections := read_corrections(task.corrections):
            bodies = _corrected(bodies, corrections, task.max_line_bytes)
        if task.reuse is not None:
            for number, what in recalled(bodies, task.reuse, builder, job=task.job, endpoint=task.endpoint):
                planned.add(number, what)
        else:
            for number, body in bodies:
                planned.add(number, body)
    if planned.outcomes:
        lines = sorted([*settled.values(), *planned.outcomes], key=lambda line: line.row)
        write_results(Path(task.failures), lines)
    if task.reuse is not None and not planned.has_keys:
        Path(task.reuse.keys).unlink(missing_ok=True)  # it was planned before, with rows that are not asked now
    return planned.done()


class _Planned:
    """The plan of a part so far: its open files, its counts, its outcomes."""

    def __init__(self, task: PlanTask, file: IO[bytes], stack: ExitStack) -> None:
        self.outcomes: list[ResultLine] = []
        self._task = task
        self._file = file
        self._stack = stack
        self._keys: IO[bytes] | None = None
        self._asked: set[bytes] = set()
        self._ahead, self._behind = _frame(task.job, task.endpoint)
        self._rules = BodyRules(task.endpoint, task.common.get("model"))
        self._writes = writes(task.endpoint)
        self._count = tokens.counter(task.model)
        self._requests = self._size = self._output_tokens = self._unlimited = 0
        self._reused, self._saved, self._empty = 0, Usage(), 0

    @property
    def has_keys(self) -> bool:
        """Whether any row has a key."""
        return self._keys is not None

    def add(self, number: int, what: bytes | Failure | Keyed | Recalled) -> None:
        """Add the next row: its request, or its outcome without one."""
        if type(what) is bytes:
            self._ask(number, what)
        elif type(what) is Keyed:
            body, key = what
            if key in self._asked or self._ask(number, body):
                if self._keys is None:
                    assert self._task.reuse is not None, "only a job that reuses answers has keys"
                    # A file of its own for each part costs time, so only where there is a key.
                    self._keys = self._stack.enter_context(replacing(Path(self._task.reuse.keys)))
                self._keys.write(key_record(number, key))
                self._asked.add(key)
        elif isinstance(what, Recalled):
            self.outcomes.append(what.outcome)
            self._reused += 1
            self._saved += what.usage
        elif what is EMPTY:
            self.outcomes.append(ResultLine(number, False, code=EMPTY.code, message=EMPTY.message, empty=True))
            self._empty += 1
        elif isinstance(what, Failure):
            self._fail(number, storable(what.code), storable(what.message))

    def _ask(self, number: int, body: bytes) -> bool:
        """Write the request; False if it breaks a rule, and the row fails."""
        line = b"%b%d%b%b}\n" % (self._ahead, number, self._behind, on_one_line(body))
        fault, most = self._rules.read(body)
        if self._task.max_line_bytes is not None and len(line) > self._task.max_line_bytes:
            fault = too_long(len(line), self._task.max_line_bytes, picture=b"data:image/" in body)
        if fault is not None:
            self._fail(number, fault.code, fault.message)
            return False
        self._file.write(line)
        self._requests += 1
        self._size += len(line)
        self._count(body)
        self._output_tokens += most
        self._unlimited += self._writes and not most
        return True

    def _fail(self, number: int, code: str, message: str) -> None:
        self.outcomes.append(ResultLine(number, False, code=code, message=message))

    def done(self) -> PlanDone:
        """The result, once all rows are added."""
        correction = self._task.correction
        return PlanDone(
            requests=self._requests,
            size=self._size,
            input_tokens=round(self._count.total * correction),
            output_tokens=self._output_tokens,
            failed=len(self.outcomes) - self._reused - self._empty,
            new_results=bool(self.outcomes),
            counted_tokens=self._count.total,
            longest=round(self._count.longest * correction),
            unlimited=self._unlimited,
            reused=self._reused,
            saved=self._saved,
            empty=self._empty,
        )


_FRAME_BYTES = 200
"""What stands around a body in its line, at most."""


def _frame(job: str, endpoint: str) -> tuple[bytes, bytes]:
    ahead = b'{"custom_id":"' + RequestId.beginning(job).encode()
    behind = b'","method":"POST","url":' + msgspec.json.encode(endpoint) + b',"body":'
    return ahead, behind


def _bodies(
    task: PlanTask, builder: PromptBuilder[Any], settled: Container[int], progress: Progress
) -> Iterator[tuple[int, bytes | Failure]]:
    """The body or the Failure of each row that is to be asked, in row order."""
    pulled: deque[tuple[int, Row | Failure]] = deque()
    trouble: list[BaseException] = []
    columns = matched(task.columns, builder.needs())
    asked_about = _places(builder, columns) if task.skip_empty else None

    def askable() -> Iterator[Row]:
        try:
            lines = lines_of(Path(task.rows), task.offset, task.length)
            for number, line in enumerate(lines, start=task.first):
                if number in settled:
                    continue
                record = rows.decode(line)
                if isinstance(record, BadRow):
                    pulled.append((number, record.failure))
                elif number in task.given_up:
                    pulled.append((number, task.given_up[number]))
                elif asked_about is not None and all(rows.shows_nothing(record[place]) for place in asked_about):
                    pulled.append((number, EMPTY))
                else:
                    progress.at(number)
                    row = Row(number, columns, record)
                    pulled.append((number, row))
                    yield row
        except Exception as error:
            trouble.append(error)
            raise

    waiting = askable()
    bodies = _encoded(builder, waiting, task.common)
    while True:
        try:
            body = next(bodies, None)
        except (Exception, SystemExit, TimeIsUp) as error:
            asked = sum(isinstance(what, Row) for _, what in pulled)
            if trouble or not asked or (asked == 1 and isinstance(error, TimeIsUp)):
                # No row caused it: the file cannot be read, or the builder fails before its first row. Or it is known.
                raise
            # Build the rows that it had pulled one by one, so that the one at fault fails alone.
            for number, what in pulled:
                progress.at(number)
                yield number, what if isinstance(what, Failure) else _alone(builder, what, task.common)
            pulled.clear()
            bodies = _encoded(builder, waiting, task.common)
            continue
        # The builder pulls one row for each body that it yields; bad rows before that row were skipped.
        while pulled and isinstance(bad := pulled[0][1], Failure):
            yield pulled.popleft()[0], bad
        if body is None:
            break
        if not pulled or b"\n" in (body if isinstance(body, bytes) else b""):
            raise _broken(builder, "yields more bodies than it got rows" if not pulled else "yields several lines")
        yield pulled.popleft()[0], body
    if pulled:
        raise _broken(builder, "yields fewer bodies than it got rows")


def _places(builder: PromptBuilder[Any], columns: Sequence[str]) -> Sequence[int]:
    """Where the cells stand that the question is about: all of them, if the builder does not say."""
    places = [columns.index(name) for name in builder.uses() or () if name in columns]
    return places or range(len(columns))


def _with_pictures(
    bodies: Iterator[tuple[int, bytes | Failure]], folder: PictureFolder | None, progress: Progress
) -> Iterator[tuple[int, bytes | Failure]]:
    """The same, with pictures that are files in them."""
    for row, body in bodies:
        if isinstance(body, bytes) and NAMES_A_FILE in body:
            progress.ours = True  # a slow share is no fault of the prompt
            try:
                yield row, with_pictures(body, folder)
            finally:
                progress.ours = False
        else:
            yield row, body


def _corrected(
    bodies: Iterator[tuple[int, bytes | Failure]], corrections: Mapping[int, AnswerFault], most: int | None
) -> Iterator[tuple[int, bytes | Failure]]:
    """The same, with what was wrong with the answer of before. What would be too long then is asked without."""
    for row, body in bodies:
        if row in corrections and isinstance(body, bytes):
            longer = corrections[row].added_to(body)
            yield row, longer if most is None or len(longer) + _FRAME_BYTES <= most else body
        else:
            yield row, body


def _encoded(builder: PromptBuilder[Any], rows: Iterator[Row], common: Body) -> Iterator[bytes | Failure]:
    """What the builder makes of the rows. Begun only when asked: an `encode` that is no generator works when called."""
    yield from builder.encode(rows, common)


def _alone(builder: PromptBuilder[Any], row: Row, common: Body) -> bytes | Failure:
    try:
        body = builder.build(row)
        return body if isinstance(body, Failure) else msgspec.json.encode({**common, **body})
    except (Exception, SystemExit) as error:  # noqa: BLE001  # any exception of a plugin fails this row alone
        kind = type(builder).__name__
        return Failure("build", f"The request could not be made by {kind}: {type(error).__name__}: {error}")


def _broken(builder: PromptBuilder[Any], how: str) -> PluginError:
    return PluginError(f"The prompt builder {type(builder).__name__} breaks its contract: its `encode` {how}.")

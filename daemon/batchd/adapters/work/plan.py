"""Planning a part: its rows into request lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ...contracts import PromptBuilder
from ...core import rows
from ...core.joining import ResultLine, storable
from ...core.rows import custom_id
from ...errors import PluginError
from ...files import replacing
from ...model import BadRow, Body, Failure, Row
from .. import tokens
from . import tools
from .part_files import decode_results, lines_of, write_results


@dataclass(frozen=True, slots=True)
class PlanTask:
    """Plan the part of `job` from row `first`. `settled` are its results so far, `failures` where new ones go.

    `correction` is what past batches of the model say its tokens as counted are to be multiplied with.
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
    builder: tools.Recipe
    common: Body
    endpoint: str
    max_line_bytes: int | None
    model: str = ""
    correction: float = 1.0


@dataclass(frozen=True, slots=True)
class PlanDone:
    """What was planned. `failed` are the rows that cannot be asked, all in the new results file if `new_results`.

    `input_tokens` are corrected, `counted_tokens` are not: only those may be compared with what was really used, to
    correct the next count. `longest` are the input tokens of the longest request, `unlimited` the requests that
    set no limit to their answers, so that `output_tokens` is not the most they can have.
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


def plan(task: PlanTask) -> PlanDone:
    """Write the request file; rows that cannot be asked about become failed results."""
    builder = tools.builder(task.builder)
    settled = decode_results(Path(task.settled)) if task.settled else {}
    failed: list[ResultLine] = []
    count = tokens.counter(task.model)
    requests = size = counted = longest = output_tokens = unlimited = 0
    ahead, behind = _frame(task.job, task.endpoint)
    with replacing(Path(task.requests)) as file:
        for number, body in _bodies(task, builder, settled):
            if isinstance(body, Failure):
                failed.append(ResultLine(number, False, code=storable(body.code), message=storable(body.message)))
                continue
            line = b"%b%d%b%b}\n" % (ahead, number, behind, _one_line(body))
            if task.max_line_bytes is not None and len(line) > task.max_line_bytes:
                failed.append(_too_long(number, len(line), task.max_line_bytes))
                continue
            file.write(line)
            requests += 1
            size += len(line)
            read = count(body)
            counted += read
            longest = max(longest, read)
            most = most_output_tokens(body)
            output_tokens += most
            unlimited += not most
    if failed:
        write_results(Path(task.failures), sorted([*settled.values(), *failed], key=lambda line: line.row))
    return PlanDone(
        requests=requests,
        size=size,
        input_tokens=round(counted * task.correction),
        output_tokens=output_tokens,
        failed=len(failed),
        new_results=bool(failed),
        counted_tokens=counted,
        longest=round(longest * task.correction),
        unlimited=unlimited,
    )


class _Lengths(msgspec.Struct):
    """As much of a body as says how long its answers may get."""

    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    max_tokens: Any = None
    n: Any = None


_lengths = msgspec.json.Decoder(_Lengths)


def most_output_tokens(body: bytes) -> int:
    """The most tokens a request lets the model write, in all its answers; 0 if it sets no limit.

    Of the body and not of the route: a builder's own limit wins, and nothing may cost more than was said.
    """
    lengths = _lengths.decode(body)
    limits = (lengths.max_completion_tokens, lengths.max_output_tokens, lengths.max_tokens)
    most = next((limit for limit in limits if isinstance(limit, int) and not isinstance(limit, bool)), 0)
    return most * (lengths.n if isinstance(lengths.n, int) and lengths.n > 1 else 1)


def _frame(job: str, endpoint: str) -> tuple[bytes, bytes]:
    ahead = b'{"custom_id":"' + custom_id(job, 0).removesuffix("0").encode()
    behind = b'","method":"POST","url":' + msgspec.json.encode(endpoint) + b',"body":'
    return ahead, behind


def _bodies(
    task: PlanTask, builder: PromptBuilder[Any], settled: Mapping[int, ResultLine]
) -> Iterator[tuple[int, bytes | Failure]]:
    """The body or the Failure of each row that has no outcome yet, in row order."""
    pulled: deque[tuple[int, Row | Failure]] = deque()
    trouble: list[BaseException] = []

    def askable() -> Iterator[Row]:
        try:
            lines = lines_of(Path(task.rows), task.offset, task.length)
            for number, line in enumerate(lines, start=task.first):
                if number in settled:
                    continue
                record = rows.decode(line)
                if isinstance(record, BadRow):
                    pulled.append((number, record.failure))
                else:
                    row = Row(number, task.columns, record)
                    pulled.append((number, row))
                    yield row
        except Exception as error:
            trouble.append(error)
            raise

    waiting = askable()
    bodies = iter(builder.encode(waiting, task.common))
    while True:
        try:
            body = next(bodies, None)
        except Exception:
            if trouble or not any(isinstance(what, Row) for _, what in pulled):
                raise  # no row's fault: the file cannot be read, or the builder fails at nothing
            # The rows that it had in hand are asked about one by one, so that the one at fault fails alone.
            for number, what in pulled:
                yield number, what if isinstance(what, Failure) else _alone(builder, what, task.common)
            pulled.clear()
            bodies = iter(builder.encode(waiting, task.common))
            continue
        # The builder pulls one row for each body it gives; bad rows were passed over on the way to it.
        while pulled and isinstance(bad := pulled[0][1], Failure):
            yield pulled.popleft()[0], bad
        if body is None:
            break
        if not pulled or b"\n" in (body if isinstance(body, bytes) else b""):
            raise _broken(builder, "gave more bodies than it was given rows" if not pulled else "gave several lines")
        yield pulled.popleft()[0], body
    if pulled:
        raise _broken(builder, "gave fewer bodies than it was given rows")


def _alone(builder: PromptBuilder[Any], row: Row, common: Body) -> bytes | Failure:
    try:
        body = builder.build(row)
        return body if isinstance(body, Failure) else msgspec.json.encode({**common, **body})
    except Exception as error:  # noqa: BLE001  # one bad row is one bad row, whatever the plugin makes of it
        kind = type(builder).__name__
        return Failure("build", f"The request could not be made by {kind}: {type(error).__name__}: {error}")


def _broken(builder: PromptBuilder[Any], how: str) -> PluginError:
    return PluginError(f"The prompt builder {type(builder).__name__} breaks its contract: its `encode` {how}.")


def _one_line(body: bytes) -> bytes:
    """The body with the separators escaped that some readers of lines split at, though JSON allows them."""
    for separator, escaped in ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085")):
        if separator in body:
            body = body.replace(separator, escaped)
    return body


def _too_long(number: int, size: int, most: int) -> ResultLine:
    message = f"The request for this row is {size:,} bytes long; the provider takes at most {most:,}. Shorten the row."
    return ResultLine(number, False, code="too_long", message=message)

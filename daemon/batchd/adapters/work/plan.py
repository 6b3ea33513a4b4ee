"""Planning a part: its rows into request lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ...contracts import PromptBuilder
from ...core import rows
from ...core.joining import ResultLine
from ...core.rows import custom_id
from ...files import replacing
from ...model import BadRow, Body, Failure, Json, Row
from . import tools
from .part_files import decode_results, lines_of, write_results

BYTES_PER_TOKEN = 3.5
"""A guess that serves pacing and estimates until real usage is known; within a third for most languages."""


@dataclass(frozen=True, slots=True)
class PlanTask:
    """Plan the part of `job` from row `first`. `settled` are its results so far, `failures` where new ones go."""

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


@dataclass(frozen=True, slots=True)
class PlanDone:
    """What was planned. `failed` are the rows that cannot be asked, all in the new results file if `new_results`."""

    requests: int
    size: int
    input_tokens: int
    output_tokens: int
    failed: int
    new_results: bool


def plan(task: PlanTask) -> PlanDone:
    """Write the request file; rows that cannot be asked about become failed results."""
    builder = tools.builder(task.builder)
    settled = decode_results(Path(task.settled)) if task.settled else {}
    failed: list[ResultLine] = []
    requests = size = input_bytes = output_tokens = 0
    default_output = most_output_tokens(task.common)
    ahead, behind = _frame(task.job, task.endpoint)
    with replacing(Path(task.requests)) as file:
        for number, body in _bodies(task, builder, settled):
            if isinstance(body, Failure):
                failed.append(ResultLine(number, False, code=body.code, message=body.message))
                continue
            line = b"%b%d%b%b}\n" % (ahead, number, behind, _one_line(body))
            if task.max_line_bytes is not None and len(line) > task.max_line_bytes:
                failed.append(_too_long(number, len(line), task.max_line_bytes))
                continue
            file.write(line)
            requests += 1
            size += len(line)
            input_bytes += len(body)
            output_tokens += default_output
    if failed:
        write_results(Path(task.failures), sorted([*settled.values(), *failed], key=lambda line: line.row))
    return PlanDone(
        requests=requests,
        size=size,
        input_tokens=round(input_bytes / BYTES_PER_TOKEN),
        output_tokens=output_tokens,
        failed=len(failed),
        new_results=bool(failed),
    )


def most_output_tokens(body: Mapping[str, Json]) -> int:
    """The most tokens a request lets the model write; 0 if it sets no limit."""
    for key in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        value = body.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return 0


def _frame(job: str, endpoint: str) -> tuple[bytes, bytes]:
    ahead = b'{"custom_id":"' + custom_id(job, 0).removesuffix("0").encode()
    behind = b'","method":"POST","url":' + msgspec.json.encode(endpoint) + b',"body":'
    return ahead, behind


def _bodies(
    task: PlanTask, builder: PromptBuilder[Any], settled: Mapping[int, ResultLine]
) -> Iterator[tuple[int, bytes | Failure]]:
    """The body or the Failure of each row that has no outcome yet, in row order."""
    bad: dict[int, Failure] = {}
    numbers: list[int] = []

    def askable() -> Iterator[Row]:
        lines = lines_of(Path(task.rows), task.offset, task.length)
        for number, line in enumerate(lines, start=task.first):
            if number in settled:
                continue
            record = rows.decode(line)
            numbers.append(number)
            if isinstance(record, BadRow):
                bad[number] = record.failure
            else:
                yield Row(number, task.columns, record)

    bodies = builder.encode(askable(), task.common)
    for body in bodies:
        # The builder pulls one row for each body it gives; bad rows were passed over on the way to it.
        while numbers and numbers[0] in bad:
            yield numbers[0], bad[numbers.pop(0)]
        yield numbers.pop(0), body
    for number in numbers:
        yield number, bad[number]


def _one_line(body: bytes) -> bytes:
    """The body with the separators escaped that some readers of lines split at, though JSON allows them."""
    for separator, escaped in ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085")):
        if separator in body:
            body = body.replace(separator, escaped)
    return body


def _too_long(number: int, size: int, most: int) -> ResultLine:
    message = f"The request for this row is {size:,} bytes long; the provider takes at most {most:,}. Shorten the row."
    return ResultLine(number, False, code="too_long", message=message)

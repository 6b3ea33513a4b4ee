"""The sink `jsonl`: the provider's own output lines, with the `custom_id`s of the dropped file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from batchd import FileSink, RequestId, ResultRow, RowStatus, Settings, Shape

from .bad_lines import original_line

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BEGINNING = re.compile(rb'\s*\{\s*"custom_id"\s*:\s*("(?:[^"\\]|\\.)*")')


class JsonlSink(FileSink[Settings]):
    """Publishes `.results.jsonl`, one line per row in input order, and, if rows failed, `.failed.jsonl`.

    All lines are in OpenAI's batch output format; rows without an answer have an `error` with code and message.
    The `custom_id` is that of the dropped file if it has such a column, else batchd's own: the job's name and the
    row's number. Failed rows are written as they were dropped, one object per line.
    """

    def heads(self, shape: Shape) -> Mapping[str, bytes]:  # noqa: ARG002  # lines alone, no head
        return {".results.jsonl": b"", ".failed.jsonl": b""}

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        columns = list(shape.columns)
        position = columns.index("custom_id") if "custom_id" in columns else None
        for row in rows:
            yield ".results.jsonl", _result_line(shape, row, _custom_id(row, position))
            if row.status is RowStatus.FAILED:
                yield ".failed.jsonl", input_line(columns, row)


def _custom_id(row: ResultRow, position: int | None) -> str | None:
    """The row's custom_id in the dropped file; None if it cannot be read."""
    line = original_line(row.original, row.failure)
    if line is None:
        custom_id = row.values[position] if position is not None else None
        return custom_id if isinstance(custom_id, str) and custom_id else None
    # A line with an error further on still has a certain custom_id if that comes first.
    match = _BEGINNING.match(line)
    try:
        return msgspec.json.decode(match[1], type=str) or None if match else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _result_line(shape: Shape, row: ResultRow, custom_id: str | None) -> bytes:
    line = _raw_line(row.raw, custom_id) if row.raw is not None else None
    if line is not None:
        return line
    failure = row.failure
    error = {"code": failure.code, "message": failure.message} if failure is not None else None
    ours = str(RequestId(shape.job, row.number))
    return _encode({"id": ours, "custom_id": custom_id or ours, "response": None, "error": error}) + b"\n"


def _raw_line(raw: bytes, custom_id: str | None) -> bytes | None:
    """The provider's line with this custom_id; None if it is not a JSON object, which must not stop the delivery."""
    if custom_id is None:
        return raw.rstrip(b"\r\n") + b"\n"
    try:
        line = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    line["custom_id"] = msgspec.Raw(_encode(custom_id))
    return _encode(line) + b"\n"


def input_line(columns: list[str], row: ResultRow) -> bytes:
    """The row as it was dropped, as one line."""
    line = original_line(row.original, row.failure)
    if line is not None:
        return line + b"\n"
    record: dict[str, Any] = dict(zip(columns, row.original, strict=False))
    # The extra cells of a row with more cells than columns have no name, but must not be lost.
    for position in range(len(columns), len(row.original)):
        record[f"column {position + 1}"] = row.original[position]
    return _encode(record) + b"\n"

"""The sink `jsonl`: the provider's own output lines, under the ids of whoever dropped the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from batchd import FileSink, ResultRow, RowStatus, Settings, Shape

from .bad_lines import line_again

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class JsonlSink(FileSink[Settings]):
    """Publishes `.results.jsonl`, a line a row in input order, and, only if rows failed, `.failed.jsonl`.

    The lines are in OpenAI's batch output format. Where the dropped file has a column `custom_id`, that is what
    they are called; else they keep the id that batchd asked under, which is the job's name and the row's number.
    The failed rows are written as they were dropped, an object a line.
    """

    def heads(self, shape: Shape) -> Mapping[str, bytes]:  # noqa: ARG002  # lines alone, no head
        """See FileSink."""
        return {".results.jsonl": b"", ".failed.jsonl": b""}

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        """See FileSink."""
        columns = list(shape.columns)
        place = columns.index("custom_id") if "custom_id" in columns else None
        for row in rows:
            theirs = row.values[place] if place is not None else None
            yield ".results.jsonl", _result_line(shape, row, theirs if isinstance(theirs, str) else None)
            if row.status is RowStatus.FAILED:
                yield ".failed.jsonl", _input_line(columns, row)


def _result_line(shape: Shape, row: ResultRow, theirs: str | None) -> bytes:
    line = _raw_line(row.raw, theirs) if row.raw is not None else None
    if line is not None:
        return line
    failure = row.failure
    error = {"code": failure.code, "message": failure.message} if failure is not None else None
    custom_id = f"{shape.job}-{row.number}" if theirs is None else theirs
    return _encode({"custom_id": custom_id, "response": None, "error": error}) + b"\n"


def _raw_line(raw: bytes, theirs: str | None) -> bytes | None:
    """The provider's line, under their id. None if it is not a JSON object, which is no reason to deliver nothing."""
    if theirs is None:
        return raw.rstrip(b"\r\n") + b"\n"
    try:
        line = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    line["custom_id"] = msgspec.Raw(_encode(theirs))
    return _encode(line) + b"\n"


def _input_line(columns: list[str], row: ResultRow) -> bytes:
    again = line_again(row.original, row.failure)
    if again is not None:
        return again + b"\n"
    record: dict[str, Any] = dict(zip(columns, row.original, strict=False))
    # A record with more cells than columns: what is over has no name of its own, and must not be lost.
    for position in range(len(columns), len(row.original)):
        record[f"column_{position + 1}"] = row.original[position]
    return _encode(record) + b"\n"

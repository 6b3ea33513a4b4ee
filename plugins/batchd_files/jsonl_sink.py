"""The sink `jsonl`: the provider's own output lines, under the ids of whoever dropped the file."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import msgspec

from batchd import DeliveryJob, ResultRow, ResultRows, RowStatus, Settings, Sink

from .bad_lines import line_again
from .writing import Draft, Wanted, in_thread

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class JsonlSink(Sink[Settings]):
    """Publishes `.results.jsonl`, a line a row in input order, and, only if rows failed, `.failed.jsonl`.

    The lines are in OpenAI's batch output format. Where the dropped file has a column `custom_id`, that is what
    they are called; else they keep the id that batchd asked under, which is the job's name and the row's number.
    The failed rows are written as they were dropped, an object a line.
    """

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        """See Sink."""

        def write(wanted: Wanted) -> None:
            with ExitStack() as stack:
                results = Draft(stack, job.outbox, ".results.jsonl", wanted)
                failed = Draft(stack, job.outbox, ".failed.jsonl", wanted)
                _write(job, rows, results, failed)

        await in_thread(write)


def _write(job: DeliveryJob, rows: ResultRows, results: Draft, failed: Draft) -> None:
    columns = list(rows.columns)
    place = columns.index("custom_id") if "custom_id" in columns else None
    for row in rows:
        theirs = row.values[place] if place is not None else None
        results.add(_result_line(job, row, theirs if isinstance(theirs, str) else None))
        if row.status is RowStatus.FAILED:
            failed.add(_input_line(columns, row))
    failed.flush()
    results.flush()


def _result_line(job: DeliveryJob, row: ResultRow, theirs: str | None) -> bytes:
    line = _raw_line(row.raw, theirs) if row.raw is not None else None
    if line is not None:
        return line
    failure = row.failure
    error = {"code": failure.code, "message": failure.message} if failure is not None else None
    custom_id = f"{job.id}-{row.number}" if theirs is None else theirs
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

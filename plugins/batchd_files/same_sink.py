"""The sink `same`: results in the form of the dropped file, with the answers added."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import Any, ClassVar

import msgspec

from batchd import Dialect, FileSink, Json, ResultRow, RowStatus, Settings, Shape

from .delimited.cells import Table
from .delimited.csv_sink import OK, TOGETHER, again, answered_lines, table_lines
from .objects.bad_lines import original_line
from .objects.jsonl_sink import JsonlSink, input_line
from .texts.encoding import encode_all

OTHERS = {"xlsx": "xlsx", "xlsm": "xlsx", "ods": "xlsx", "parquet": "parquet"}
"""The sink that writes each form that is not text."""
FOR_PEOPLE = Dialect(mark=True)
"""The dialect of results if the dropped file was no table as text. Excel needs the mark."""
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


class SameSink(FileSink[Settings]):
    """Publishes the results in the form of the dropped file, and the failed rows so that they can be dropped again.

    A table as text keeps its delimiter, quoting, line ends, byte order mark and encoding; if that encoding cannot hold
    an answer, the file is UTF-8 with a mark. JSON becomes JSON Lines; requests are written as by the sink `jsonl`.
    """

    needed: ClassVar[Mapping[str, str]] = {"xlsx": "xlsxwriter", "parquet": "pyarrow"}
    """The package that each of those sinks needs. Without it the results are a table as text, so that no job waits."""

    def heads(self, shape: Shape) -> Mapping[str, bytes]:
        other = self._other(shape)
        if other is not None:
            return other.heads(shape)
        if _form(shape) == "jsonl":
            return {".results.jsonl": b"", ".failed.jsonl": b""}
        came = _came(shape)
        results, failed = _tables(came)
        mark = "\ufeff" if came.mark else ""
        return {
            f".results.{came.form}": f"{mark}{results.header(shape.names)}".encode(),
            f".failed.{came.form}": failed.head(shape.columns),
        }

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        other = self._other(shape)
        if other is not None:
            return other.lines(shape, rows)
        if _form(shape) == "jsonl":
            return _json_lines(shape, rows)
        came = _came(shape)
        return table_lines(shape, rows, came.form, _tables(came))

    def answered(
        self, shape: Shape, rows: Iterable[tuple[Sequence[Json], Sequence[Json]]]
    ) -> Iterator[tuple[str, bytes]] | None:
        if self._other(shape) is not None:
            return None
        if _form(shape) == "jsonl":
            return _answered_json_lines(shape, rows)
        came = _came(shape)
        results, _ = _tables(came)
        return ((f".results.{came.form}", results.lines(some).encode()) for some in answered_lines(rows))

    def encoders(self, shape: Shape) -> Mapping[str, Callable[[str], bytes]]:
        other = self._other(shape)
        if other is not None:
            return other.encoders(shape)
        came = _came(shape)
        if _form(shape) == "jsonl" or came.encoding == "utf-8":
            return {}
        return {f".results.{came.form}": partial(encode_all, encoding=came.encoding)}

    def in_one_piece(self, shape: Shape) -> bool:
        other = self._other(shape)
        return other is not None and other.in_one_piece(shape)

    def _other(self, shape: Shape) -> FileSink[Any] | None:
        if _form(shape) == "requests":
            return JsonlSink(Settings())
        kind = OTHERS.get(_form(shape))
        if kind is None or self.find_other is None or find_spec(self.needed[kind]) is None:
            return None
        return self.find_other(kind)


def _form(shape: Shape) -> str:
    form = shape.dialect.form if shape.dialect is not None else ""
    if form in {"jsonl", "json"}:
        return "requests" if {"custom_id", "body"} <= set(shape.columns) else "jsonl"
    return form


def _came(shape: Shape) -> Dialect:
    return shape.dialect if shape.dialect is not None and shape.dialect.is_text else FOR_PEOPLE


def _tables(came: Dialect) -> tuple[Table, Table]:
    # If results are dropped again, the reader expects the usual quotes, whatever its route says of other files.
    results = Table(replace(came, quote='"', escape=None, skip_spaces=False, above=0))
    return results, Table(again(came), sure=True)


def _answered_json_lines(
    shape: Shape, rows: Iterable[tuple[Sequence[Json], Sequence[Json]]]
) -> Iterator[tuple[str, bytes]]:
    names, rest = shape.names, iter(rows)
    while some := list(islice(rest, TOGETHER)):
        yield (
            ".results.jsonl",
            _encode_lines([dict(zip(names, [*values, *answer, OK, None], strict=True)) for values, answer in some]),
        )


def _json_lines(shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
    columns = list(shape.columns)
    *_, status, error = shape.names
    nothing = [None] * len(shape.answer_columns)
    for row in rows:
        line = original_line(row.original, row.failure)
        record: dict[str, Json] = (
            dict(zip(columns, row.values, strict=True)) if line is None else {"line": str(row.original[0])}
        )
        record.update(zip(shape.answer_columns, row.answer or nothing, strict=True))
        record[status] = row.status.value
        record[error] = row.failure.message if row.failure is not None else None
        yield ".results.jsonl", _encode(record) + b"\n"
        if row.status is RowStatus.FAILED:
            yield ".failed.jsonl", input_line(columns, row)

"""The sink `parquet`: the rows with their answers, in typed columns. Needs the package pyarrow (`batchd[parquet]`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import msgspec

from batchd import FileSink, Json, OptionalPackage, ResultRow, RowStatus, Settings, Shape

PACKAGE = OptionalPackage("pyarrow", "parquet", "sink parquet")
_ROWS = 2_000
"""Rows of a row group, which are in memory at a time."""
_CHUNK = 1 << 20
_INT64 = 2**63
_FLOAT64 = 2**53
"""Up to this, floats have all integers."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class ParquetSink(FileSink[Settings]):
    """Publishes `.results.parquet` and, if rows failed, `.failed.parquet` with those rows as they were dropped.

    A column has integers, floats or booleans if all its values are such, else text. It also has text if it has floats
    and an integer that no float has.
    """

    def heads(self, shape: Shape) -> Mapping[str, bytes]:  # noqa: ARG002  # such a file has no head
        return {".results.parquet": b"", ".failed.parquet": b""}

    def in_one_piece(self, shape: Shape) -> bool:  # noqa: ARG002  # always
        return True

    async def check(self) -> Sequence[str]:
        return () if PACKAGE.is_installed else (PACKAGE.advice,)

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        PACKAGE.require()
        nothing = [None] * len(shape.answer_columns)
        width = len(shape.columns)
        with TemporaryDirectory(prefix="batchd-parquet-") as folder, ExitStack() as stack:
            results = _Typed(stack.enter_context(Path(folder, "results").open("w+b")), shape.names)
            failed = _Typed(stack.enter_context(Path(folder, "failed").open("w+b")), shape.columns)
            for row in rows:
                error = row.failure.message if row.failure is not None else None
                values, answer = row.values[:width], (row.answer or nothing)[: len(nothing)]
                results.add([*values, *answer, row.status.value, error])
                if row.status is RowStatus.FAILED:
                    failed.add(values)
            for suffix, table in ((".results.parquet", results), (".failed.parquet", failed)):
                if table.rows:
                    for chunk in table.content(Path(folder, "whole")):
                        yield suffix, chunk


class _Typed:
    """Rows on disk, and the types of values in each column: what type the column has is known only at the end."""

    def __init__(self, file: IO[bytes], names: Sequence[str]) -> None:
        self.rows = 0
        self._file = file
        self._names = names
        self._kinds: list[set[type]] = [set() for _ in names]

    def add(self, values: Sequence[Json]) -> None:
        """Add a row."""
        for kinds, value in zip(self._kinds, values, strict=True):
            kind = type(value)
            kinds.add(kind if kind is not int or -_FLOAT64 <= value <= _FLOAT64 else _kind_of(value))
        self._file.write(_encode(values) + b"\n")
        self.rows += 1

    def content(self, path: Path) -> Iterator[bytes]:
        """Write the Parquet file, and yield its bytes."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        types = [_type_of(kinds - {type(None)}) for kinds in self._kinds]
        arrow = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}
        schema = pa.schema(list(zip(self._names, (arrow[each] for each in types), strict=True)))
        self._file.seek(0)
        with parquet.ParquetWriter(path, schema) as writer:
            while lines := list(islice(self._file, _ROWS)):
                values = zip(*map(_decode, lines), strict=True)
                arrays = [
                    pa.array([_as(type_, value) for value in column], arrow[type_])
                    for type_, column in zip(types, values, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


class _NoFloat(int):
    """Stands for an integer that no float has."""


def _kind_of(large: int) -> type:
    if not -_INT64 <= large < _INT64:
        return str
    return int if float(large) == large else _NoFloat


def _type_of(kinds: set[type]) -> str:
    if kinds == {bool}:
        return "bool"
    if kinds and kinds <= {int, _NoFloat}:
        return "int"
    return "float" if kinds == {float} or kinds == {int, float} else "text"


def _as(type_: str, value: Json) -> Json:
    if value is None or type_ in {"bool", "int"}:
        return value
    if type_ == "float":
        return float(value)
    return value if type(value) is str else _encode(value).decode()

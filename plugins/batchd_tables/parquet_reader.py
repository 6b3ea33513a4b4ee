"""The reader `parquet`: tables of data programs. Needs the package pyarrow (`batchd[parquet]`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from pydantic import Field

from batchd import BadRow, Dialect, FileRefused, Json, Reader, Settings, Source, UnpackLimits

from .sheets import MAX_COLUMNS, header_names

_ROWS = 2_000
"""Rows that are read at a time."""
MISSING = (
    "This is a Parquet file, and the package that reads it is not installed where batchd runs. Save the table as CSV "
    "UTF-8 and drop that.\nFor the operator: pip install 'batchd[parquet]'."
)
DAMAGED = (
    "This Parquet file is damaged or cut off, or has something that cannot be read. Write it again, and drop that."
)


class ParquetSettings(Settings):
    """The reader table of a route, for Parquet files."""

    max_unpacked: int = Field(default=UnpackLimits().max_unpacked, ge=1)


class ParquetReader(Reader[ParquetSettings]):
    """Reads `.parquet` and `.pq`. Dates in ISO 8601, decimals as text with all their digits, nested values as JSON."""

    Settings = ParquetSettings
    suffixes = (".parquet", ".pq")

    def describe(self) -> Mapping[str, Json]:
        """The format alone."""
        return {"format": "parquet"}

    def dialect(self) -> Dialect:
        return Dialect(form="parquet")

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """Memory holds some pages of a row group."""
        with source.open() as file:
            head = file.read(4)
            if head == b"PARE":
                raise FileRefused("encrypted", "This Parquet file is encrypted. Drop it again without encryption.")
            if head != b"PAR1":
                raise FileRefused("binary", "This is no Parquet file, whatever its name. Drop the table itself.")
            try:
                import pyarrow as pa
                import pyarrow.parquet as parquet
            except ModuleNotFoundError:
                raise FileRefused("not_installed", MISSING) from None
            try:
                yield from self._records(parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20))
            except (pa.ArrowException, ValueError, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # an error of the disk, not of the file
                raise FileRefused("damaged", DAMAGED) from error

    def _records(self, table: Any) -> Iterator[Sequence[str] | Sequence[Json]]:
        schema = table.schema_arrow
        if len(schema.names) > MAX_COLUMNS:
            raise FileRefused("columns", f"The file has {len(schema.names):,} columns. Drop one with fewer of them.")
        if not schema.names:
            raise FileRefused("no_columns", "The file has no columns. Write the table again, and drop that.")
        # A column at the end without a name has cells in every row, too, so it gets one.
        names = [name if name.strip() else f"column {place}" for place, name in enumerate(schema.names, start=1)]
        yield header_names(names, 1)
        limits = UnpackLimits(max_unpacked=self.settings.max_unpacked)
        converters = [_converter(field.type) for field in schema]
        rows = size = 0
        for batch in table.iter_batches(batch_size=_ROWS, use_threads=False):
            size += batch.nbytes
            limits.check(size, size)
            rows += batch.num_rows
            columns = [_cells(column, convert) for column, convert in zip(batch.columns, converters, strict=True)]
            yield from map(list, zip(*columns, strict=True))
        if rows == 0:
            raise FileRefused("no_rows", "The file has columns but no rows. Add rows and drop it again.")


def _cells(column: Any, convert: Callable[[Any], Json] | None) -> Sequence[Json]:
    """The values of a column as JSON values."""
    values = column if convert is exact_json else column.to_pylist()
    return values if convert is None else [None if value is None else convert(value) for value in values]


def _converter(type_: Any) -> Callable[[Any], Json] | None:
    """The function that turns a value of this type into a JSON value; None if it is one."""
    name = str(type_)
    if "[ns" in name:
        return exact_json
    if name.startswith("dictionary<values="):
        name = name.removeprefix("dictionary<values=").partition(",")[0]
    plain = ("string", "large_string", "string_view", "bool", "null", "int", "uint")
    return None if name in plain[:5] or (name.startswith(plain[5:]) and "<" not in name) else as_json


def exact_json(scalar: Any) -> Json:
    """A value of pyarrow as a JSON value, with its nanoseconds.

    Python's own times end at microseconds, so pyarrow makes none of a time with nanoseconds, unless pandas is there.
    """
    import pyarrow as pa

    type_ = scalar.type
    if not scalar.is_valid:
        return None
    if isinstance(scalar, pa.DictionaryScalar):
        return exact_json(scalar.value)
    if pa.types.is_map(type_):
        return {str(exact_json(pair[0])): exact_json(pair[1]) for pair in scalar.values}
    if isinstance(scalar, pa.ListScalar):
        return [exact_json(inner) for inner in scalar.values]
    if pa.types.is_struct(type_):
        if len(set(scalar)) < len(scalar):
            raise ValueError("two fields have the same name")  # as pyarrow refuses them without nanoseconds
        return {name: exact_json(inner) for name, inner in scalar.items()}
    if getattr(type_, "unit", None) != "ns":
        return as_json(scalar.as_py())
    if pa.types.is_duration(type_):
        return as_json(scalar.value / 10**9)
    microseconds, rest = divmod(scalar.value, 1_000)
    coarse = pa.timestamp("us", type_.tz) if pa.types.is_timestamp(type_) else pa.time64("us")
    moment = pa.scalar(microseconds, coarse).as_py()
    if not rest:
        return as_json(moment)
    whole, _, fraction = moment.isoformat(timespec="microseconds").partition(".")
    return f"{whole}.{fraction[:6]}{rest:03}{fraction[6:]}"


def as_json(value: Any) -> Json:
    """A Python value as a JSON value."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 10**15 else value
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        pairs = bool(value) and all(isinstance(each, tuple) and len(each) == 2 for each in value)
        return {str(as_json(k)): as_json(v) for k, v in value} if pairs else [as_json(inner) for inner in value]
    return str(value)

"""Turns the rows of a program, in any form, into a file to send; and answered rows into a table."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from .errors import NothingToSend, PackageMissing

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from .values import AnsweredRow

RowsLike: TypeAlias = "Iterable[Mapping[str, Any]] | pd.DataFrame | pl.DataFrame | str | os.PathLike[str]"
"""Rows as dictionaries, a table of pandas or polars, or the path of a file on this machine."""

NAME = "rows.jsonl"


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file on this machine, and the name that it is sent under."""

    path: Path
    name: str


@contextmanager
def file_of(rows: RowsLike, name: str | None) -> Iterator[SentFile]:
    """Yield the rows as a file. A file that is made here is deleted when the block ends."""
    if isinstance(rows, str | os.PathLike):
        path = Path(rows)
        if path.exists() and not path.is_file():
            raise NothingToSend(f"{path} is no file. Name a file with a table.")
        yield SentFile(path, name or path.name)
        return
    named = name or NAME
    named = named if named.endswith((".jsonl", ".ndjson")) else f"{named}.jsonl"
    with tempfile.NamedTemporaryFile(prefix="batchd-rows-", suffix=".jsonl") as file:
        number = 0
        for number, record in enumerate(_records(rows), start=1):
            file.write(_line(record, number))
        if not number:
            raise NothingToSend("There is no row to ask about.")
        file.flush()
        yield SentFile(Path(file.name), named)


def pandas_frame(rows: Iterable[AnsweredRow]) -> pd.DataFrame:
    """A pandas DataFrame: your columns, the answer's, `status` and `error`."""
    frame: pd.DataFrame = _package("pandas").DataFrame(_columns(rows))
    return frame


def polars_frame(rows: Iterable[AnsweredRow]) -> pl.DataFrame:
    frame: pl.DataFrame = _package("polars").DataFrame(_columns(rows), strict=False)
    return frame


def _columns(rows: Iterable[AnsweredRow]) -> dict[str, list[Any]]:
    """The values of each column, named as in `as_dict`. Every row of a job has the same columns."""
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return {}
    table: dict[str, list[Any]] = {name: [] for name in first.as_dict()}
    for row in chain([first], remaining):
        error = None if row.failure is None else row.failure.message
        cells = (*row.columns.values(), *row.answer.values(), row.status, error)
        for column, cell in zip(table.values(), cells, strict=True):
            column.append(cell)
    return table


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise PackageMissing(
            f"A table of {name} needs the package {name}, which is not installed here: pip install {name}. "
            "Without it, go through the rows, or take to_list()."
        ) from None


def _records(rows: Any) -> Iterator[Mapping[str, Any]]:
    # If pandas or polars is not imported, the rows cannot be one of its tables.
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(rows, pandas.DataFrame):
        names = _names(rows.columns)
        columns = [rows.iloc[:, place].astype(object).tolist() for place in range(len(names))]
        return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))
    if polars is not None and isinstance(rows, polars.DataFrame):
        return iter(rows.iter_rows(named=True))
    if isinstance(rows, Mapping | bytes) or not isinstance(rows, Iterable):
        raise NothingToSend(
            f"Give rows as a list of dictionaries, a DataFrame, or the path of a file, not {_kind(rows)}."
        )
    return iter(rows)


def _names(columns: Iterable[object]) -> Sequence[str]:
    names = [str(each) for each in columns]
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise NothingToSend(f"Two columns of the DataFrame are called {twice!r}. Give one of them another name.")
    return names


def _line(record: object, number: int) -> bytes:
    if not isinstance(record, Mapping):
        raise NothingToSend(f"Row {number} is {_kind(record)}, not a dictionary of column and value.")
    plain = {str(name): _plain(value) for name, value in record.items()}
    try:
        try:
            return msgspec.json.encode(plain) + b"\n"
        except (OverflowError, UnicodeEncodeError):
            # An integer of more than 64 bits; or half of a surrogate pair, which is written as its escape.
            return json.dumps(plain, default=msgspec.to_builtins).encode() + b"\n"
    except TypeError as error:
        raise NothingToSend(f"Row {number} has a value that cannot be sent: {error}.") from None


def _plain(value: Any) -> Any:
    """The value as JSON knows it. A missing value of a table becomes null, a date becomes ISO 8601."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in value]
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if callable(isoformat := getattr(value, "isoformat", None)):
        return isoformat()
    if type(value).__name__ == "datetime64":  # numpy, which has nanoseconds where Python has not
        text = str(value)
        return None if text == "NaT" else text
    for method in ("tolist", "item"):  # of numpy
        if callable(plain := getattr(value, method, None)):
            return _plain(plain())
    return value


def _kind(value: object) -> str:
    return f"a value of the type {type(value).__name__}"

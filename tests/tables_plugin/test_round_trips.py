"""Any table that a sink writes is read again cell by cell, in every format that is not CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd import BadRow, Dialect, FileSink, Reader, ResultRow, RowStatus, Settings, Shape, Source
from batchd_files.objects.json_reader import JsonReader
from batchd_files.objects.jsonl_reader import JsonlReader
from batchd_files.same_sink import SameSink
from batchd_tables.parquet_reader import ParquetReader
from batchd_tables.parquet_sink import ParquetSink
from batchd_tables.xlsx_reader import XlsxReader
from batchd_tables.xlsx_sink import XlsxSink

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [
        "=1+1",
        "007",
        "1e5",
        "_x0041_",
        " a ",
        "a\r\nb",
        "\u2028",
        '"',
        "\x00",
        "\x1b",
        "<b>&amp;",
        "TRUE",
        "2026-05-01",
        "😀",
    ]
)
COLUMNS = {
    "text": TEXT,
    "int": st.integers(-(10**15) + 1, 10**15 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300),
    "bool": st.booleans(),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5))
    names = draw(st.lists(st.text("abcdef é_ß中", min_size=1).filter(lambda name: name == name.strip()),
                          min_size=len(kinds), max_size=len(kinds), unique=True))  # fmt: skip
    row = st.tuples(*(st.none() | COLUMNS[kind] for kind in kinds)).map(list)
    return names, draw(st.lists(row, min_size=1, max_size=6))


SINKS: dict[str, tuple[FileSink[Any], Reader[Any]]] = {
    "xlsx": (XlsxSink(Settings()), XlsxReader(XlsxReader.Settings())),
    "parquet": (ParquetSink(Settings()), ParquetReader(ParquetReader.Settings())),
    "jsonl": (SameSink(Settings()), JsonlReader(JsonlReader.Settings())),
    "json": (SameSink(Settings()), JsonReader(JsonReader.Settings())),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", SINKS)
@PATIENT
@given(table=tables(), answer=TEXT)
def test_what_a_sink_writes_is_read_cell_by_cell(
    tmp_path: Path, form: str, table: tuple[list[str], list[list[Any]]], answer: str
) -> None:
    names, rows = table
    sink, reader = SINKS[form]
    ending = "jsonl" if form == "json" else form
    shape = Shape("job", names, ["the answer"], Dialect(form=form))
    done = [ResultRow(n, row, row, RowStatus.OK, (answer,), None, None, None) for n, row in enumerate(rows)]
    path = tmp_path / f"may.{form}"
    pieces = [line for suffix, line in sink.lines(shape, done) if suffix == f".results.{ending}"]
    path.write_bytes(b"[%b]" % b",".join(pieces) if form == "json" else b"".join(pieces))
    columns, *found = reader.read(Source(path, path.name))
    assert not [each for each in found if isinstance(each, BadRow)]
    assert [*columns][: len(names) + 1] == [*names, "the answer"]
    expected = [[*row, answer, "ok", None] for row in rows]
    assert [*map(comparable, found)] == [*map(comparable, expected)]


def comparable(row: list[Any]) -> list[Any]:
    """A sheet has no empty texts, no difference between 3 and 3.0, and sixteen digits of a number."""
    return [float(f"{each:.16G}") if type(each) is float else None if each == "" else each for each in row]

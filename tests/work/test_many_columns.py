"""A file with a million columns is refused in words, and takes no more memory than an honest one."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from batchd.domain.routing import PluginSpec
from batchd.errors import FileRefused
from batchd.work.reading.read import MAX_COLUMNS, ReadTask, read

pytestmark = pytest.mark.field("hostile services")

BUILDER = PluginSpec("template", {"user": "{{ row }}"})


def reading(folder: Path, name: str, content: bytes) -> int:
    """The most memory that reading took."""
    source = folder / name
    source.write_bytes(content)
    task = ReadTask(str(source), name, str(folder / "rows.jsonl"), 1_000, PluginSpec(""), BUILDER)
    tracemalloc.start()
    try:
        read(task)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def csv(columns: int, quote: str = "") -> bytes:
    names = ",".join(f"{quote}c{n}{quote}" for n in range(columns))
    return f"{names}\n{','.join(['1'] * columns)}\n".encode()


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_million_columns_are_refused_in_words(tmp_path: Path, quote: str) -> None:
    with pytest.raises(FileRefused, match="at most 16,384") as refused:
        reading(tmp_path, "wide.csv", csv(300_000, quote))
    assert refused.value.code == "columns"


def test_a_row_of_many_cells_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="Line 3 has 300,000 cells"):
        reading(tmp_path, "wide.csv", b"a,b\n1,2\n" + b",".join([b"1"] * 300_000) + b"\n")


def test_a_cell_with_many_commas_is_no_column(tmp_path: Path) -> None:
    assert reading(tmp_path, "long.csv", b'a,b\n1,"' + b"x," * 50_000 + b'"\n') < 64 * 1024 * 1024


def test_the_most_columns_are_read(tmp_path: Path) -> None:
    assert reading(tmp_path, "wide.csv", csv(MAX_COLUMNS)) < 64 * 1024 * 1024


def test_a_json_line_of_many_values_is_a_bad_row(tmp_path: Path) -> None:
    line = b'{"a":[' + b"[]," * 500_000 + b"[]]}\n"
    assert reading(tmp_path, "deep.jsonl", b'{"a":1}\n' + line) < 64 * 1024 * 1024
    assert "more than 200,000 keys" in (tmp_path / "rows.jsonl").read_text()

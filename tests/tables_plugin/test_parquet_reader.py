"""The reader `parquet`: the types of data programs as JSON, and files that are none."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workbooks import read, refused

from batchd import FileRefused, Source
from batchd_tables.parquet_reader import ParquetReader

pytestmark = pytest.mark.field("files")
UTC = dt.UTC
VALUES: list[tuple[str, Any, Any, Any]] = [
    ("text", pa.string(), "Đẹp", "Đẹp"),
    ("category", pa.dictionary(pa.int8(), pa.string()), "a", "a"),
    ("large integer", pa.int64(), 1234567890123456789, 1234567890123456789),
    ("unsigned", pa.uint8(), 255, 255),
    ("float", pa.float64(), 1.1, 1.1),
    ("whole float", pa.float64(), 3.0, 3),
    ("not a number", pa.float64(), float("nan"), None),
    ("truth", pa.bool_(), True, True),
    ("date", pa.date32(), dt.date(2026, 5, 1), "2026-05-01"),
    ("moment", pa.timestamp("ms"), dt.datetime(2026, 5, 1, 10, 30), "2026-05-01T10:30:00"),  # noqa: DTZ001  # as most have it
    ("moment in a zone", pa.timestamp("us", "UTC"), dt.datetime(2026, 5, 1, 10, tzinfo=UTC), "2026-05-01T10:00:00+00:00"),
    ("time", pa.time32("s"), dt.time(16, 5), "16:05:00"),
    ("duration", pa.duration("s"), dt.timedelta(hours=26), 93_600),
    ("decimal", pa.decimal128(10, 2), Decimal("1.10"), "1.10"),
    ("bytes", pa.binary(), b"abc\xff", "abc\\xff"),
    ("list", pa.list_(pa.date32()), [dt.date(2026, 5, 1)], ["2026-05-01"]),
    ("struct", pa.struct({"a": pa.int8(), "b": pa.decimal128(3, 1)}), {"a": 1, "b": Decimal("0.5")}, {"a": 1, "b": "0.5"}),
    ("map", pa.map_(pa.string(), pa.int8()), [("a", 1)], {"a": 1}),
]  # fmt: skip


def reader(**settings: Any) -> ParquetReader:
    return ParquetReader(ParquetReader.Settings(**settings))


def test_types_become_json(tmp_path: Path) -> None:
    arrays = [pa.array([value, None], type_) for _, type_, value, _ in VALUES]
    pq.write_table(pa.table(arrays, [name for name, *_ in VALUES]), path := tmp_path / "may.parquet")
    header, first, second = read(path, reader())
    assert header == [name for name, *_ in VALUES]
    faults = [f"{name}: {found!r}" for (name, _, _, value), found in zip(VALUES, first, strict=True) if found != value]
    assert not faults, "\n".join(faults)
    assert second == [None] * len(VALUES)


MOMENT = 1_777_631_400_000_000_000
"""2026-05-01 10:30 in UTC, in nanoseconds."""
NANOSECONDS: list[tuple[str, Any, Any, Any]] = [
    ("whole", pa.timestamp("ns"), MOMENT, "2026-05-01T10:30:00"),
    ("microseconds", pa.timestamp("ns"), MOMENT + 1_000, "2026-05-01T10:30:00.000001"),
    ("nanoseconds", pa.timestamp("ns"), MOMENT + 1, "2026-05-01T10:30:00.000000001"),
    ("before 1970", pa.timestamp("ns"), -1, "1969-12-31T23:59:59.999999999"),
    ("zone", pa.timestamp("ns", "Europe/Berlin"), MOMENT + 12, "2026-05-01T12:30:00.000000012+02:00"),
    ("offset", pa.timestamp("ns", "-05:30"), MOMENT, "2026-05-01T05:00:00-05:30"),
    ("duration", pa.duration("ns"), 1_500_000_001, 1.500000001),
    ("whole duration", pa.duration("ns"), -2_000_000_000, -2),
    ("time", pa.time64("ns"), 58_200_000_000_123, "16:10:00.000000123"),
    ("list", pa.list_(pa.timestamp("ns")), [MOMENT + 1, None], ["2026-05-01T10:30:00.000000001", None]),
    ("struct", pa.struct({"at": pa.timestamp("ns"), "b": pa.decimal128(3, 1)}), {"at": MOMENT + 1, "b": Decimal("0.5")},
     {"at": "2026-05-01T10:30:00.000000001", "b": "0.5"}),
    ("map", pa.map_(pa.string(), pa.duration("ns")), [("a", 1)], {"a": 1e-9}),
]  # fmt: skip
WITHOUT_PANDAS = """
import json, sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
from pathlib import Path
from workbooks import read
from batchd_tables.parquet_reader import ParquetReader
rows = read(Path(sys.argv[1]), ParquetReader(ParquetReader.Settings()))
assert "pandas" not in sys.modules
print(json.dumps(rows))
"""


@pytest.mark.slow
def test_times_keep_their_nanoseconds_with_and_without_pandas(tmp_path: Path) -> None:
    category = pa.array([MOMENT + 1, None], pa.timestamp("ns")).dictionary_encode()
    arrays = [*(pa.array([value, None], type_) for _, type_, value, _ in NANOSECONDS), category]
    names = [*(name for name, *_ in NANOSECONDS), "category"]
    pq.write_table(pa.table(arrays, names), path := tmp_path / "may.parquet")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS, str(path)], env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    expected = [*(value for *_, value in NANOSECONDS), "2026-05-01T10:30:00.000000001"]
    for found in (read(path, reader()), json.loads(child.stdout)):
        assert [*map(list, found)] == [names, expected, [None] * len(names)]


@pytest.mark.parametrize("type_", [pa.timestamp("us"), pa.timestamp("ns")], ids=str)
def test_fields_of_the_same_name_are_refused(tmp_path: Path, type_: Any) -> None:
    fields = [pa.array([place], type_) for place in range(2)]
    pq.write_table(pa.table({"s": pa.StructArray.from_arrays(fields, ["a", "a"])}), path := tmp_path / "may.parquet")
    assert refused(path, reader())[0] == "damaged"


def test_what_is_no_table_is_refused_in_words(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": list(range(100))}), path := tmp_path / "may.parquet")
    whole = path.read_bytes()
    pq.write_table(pa.table({"a": pa.array([], pa.int8())}), empty := tmp_path / "empty.parquet")
    cases = {
        "cut off": (whole[:-20], "damaged"),
        "damaged": (whole[:20] + bytes(60) + whole[80:], "damaged"),
        "text": (b"id\n1\n", "binary"),
        "nothing": (b"", "binary"),
        "encrypted": (b"PARE" + whole[4:], "encrypted"),
        "no rows": (empty.read_bytes(), "no_rows"),
    }
    faults = []
    for kind, (content, code) in cases.items():
        path.write_bytes(content)
        found = refused(path, reader())
        if found[0] != code or "rop" not in found[1]:
            faults.append(f"{kind}: {found}")
    assert not faults, "\n".join(faults)
    path.write_bytes(whole)
    assert refused(path, reader(max_unpacked=100))[0] == "too_large"


def test_without_the_package_the_note_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"a": [1]}), path := tmp_path / "may.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    code, words = refused(path, reader())
    assert (code, "pip install 'batchd[parquet]'" in words) == ("not_installed", True)


def test_columns_without_names_at_the_end_have_cells_in_each_row(tmp_path: Path) -> None:
    names = ["id", "", "review", " ", ""]
    path = tmp_path / "may.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([place]) for place in range(5)], names=names), path)
    header, row = ParquetReader(ParquetReader.Settings()).read(Source(path, path.name))
    assert header == ["id", "column 2", "review", "column 4", "column 5"]
    assert row == [0, 1, 2, 3, 4]
    pq.write_table(pa.table({}), path)
    with pytest.raises(FileRefused, match="no columns"):
        list(ParquetReader(ParquetReader.Settings()).read(Source(path, path.name)))

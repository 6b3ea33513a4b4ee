"""What a program may give as rows, and what it becomes on its way."""

from __future__ import annotations

import os
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchd.client import AnsweredRow, NothingToSend, PackageMissing
from batchd.client.tables import file_of, pandas_frame, polars_frame

CELLS: list[tuple[object, str]] = [
    (None, "null"),
    (True, "true"),
    (1.5, "1.5"),
    (float("nan"), "null"),
    (float("inf"), "null"),
    (2**63, "9223372036854775808"),
    (10**30, "1000000000000000000000000000000"),
    ("Tốt lắm", '"Tốt lắm"'),
    ("half \ud83d", '"half \\ud83d"'),
    (Decimal("1.10"), '"1.10"'),
    (date(2026, 5, 1), '"2026-05-01"'),
    (datetime(2026, 5, 1, 10, 30, tzinfo=UTC), '"2026-05-01T10:30:00+00:00"'),
    ([1, {"a": float("nan")}], '[1,{"a":null}]'),
    (["half \ud83d", Decimal("1.10")], '["half \\ud83d","1.10"]'),
]


def cells_of_packages() -> list[tuple[object, str]]:
    """Those that frames have."""
    import numpy as np  # all large, and each process that runs tests imports all of them
    import pandas as pd

    return [
        (np.int64(3), "3"),
        (np.float32(0.5), "0.5"),
        (np.array([1, 2]), "[1,2]"),
        (pd.NA, "null"),
        (pd.NaT, "null"),
        (np.datetime64("2026-05-01T10:30:00.000000001"), '"2026-05-01T10:30:00.000000001"'),
        (np.datetime64("NaT", "ns"), "null"),
        (pd.Timestamp("2026-05-01"), '"2026-05-01T00:00:00"'),
    ]


def sent(rows: Any, name: str | None = None) -> tuple[str, str]:
    """The name and the text of the file that is sent."""
    with file_of(rows, name) as file:
        return file.name, file.path.read_text("utf-8")


def test_values_become_json() -> None:
    faults = []
    for value, expected in CELLS + cells_of_packages():
        _, text = sent([{"cell": value}])
        if text.replace(" ", "") != f'{{"cell":{expected}}}\n'.replace(" ", ""):
            faults.append(f"{value!r} became {text}, not {expected}")
    assert not faults, "\n".join(faults)


def test_frames_are_rows() -> None:
    import numpy as np
    import pandas as pd
    import polars as pl

    rows = '{"id":1,"b":"x"}\n{"id":2,"b":null}\n'
    assert sent(pd.DataFrame({"id": [1, 2], "b": ["x", None]}))[1] == rows
    assert sent(pl.DataFrame({"id": [1, 2], "b": ["x", None]}))[1] == rows
    assert sent(pd.DataFrame({"id": [1, 2], 3: [1.0, np.nan]}))[1] == '{"id":1,"3":1.0}\n{"id":2,"3":null}\n'


def test_names_of_files(tmp_path: Path) -> None:
    rows = [{"a": 1}]
    assert [sent(rows, name)[0] for name in (None, "may", "may.jsonl")] == ["rows.jsonl", "may.jsonl", "may.jsonl"]
    (tmp_path / "may.csv").write_text("a\n1\n")
    assert sent(tmp_path / "may.csv") == ("may.csv", "a\n1\n")
    assert sent(str(tmp_path / "may.csv"), "june.csv")[0] == "june.csv"
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "pipe.csv"):
        with pytest.raises(NothingToSend, match="is no file"):
            sent(path)


def test_what_is_no_table_is_refused_in_words() -> None:
    import pandas as pd

    for wrong, said in (
        ([], "no row to ask"),
        (pd.DataFrame({"a": []}), "no row to ask"),
        ({"a": 1}, "a value of the type dict"),
        (7, "a value of the type int"),
        (["a"], "Row 1 is a value of the type str"),
        ([{"a": 1}, {"a": object()}], "Row 2 has a value that cannot be sent"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "are called 'a'"),
    ):
        with pytest.raises(NothingToSend, match=said):
            sent(wrong)


def test_own_columns_keep_their_names() -> None:
    row = AnsweredRow(row=0, status="ok", columns={"status": "old"}, answer={"answer": "x"}, failure=None)
    assert row.as_dict() == {"status": "old", "answer": "x", "status (2)": "ok", "error": None}


def test_without_a_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, frame in (("pandas", pandas_frame), ("polars", polars_frame)):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(PackageMissing, match=f"pip install {package}"):
            frame([])

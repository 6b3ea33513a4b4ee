"""Each format is dropped, asked and answered, and the failed rows come back as a file that can be dropped again."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from test_ods_reader import cell, ods, row

from batchd import Failure
from batchd.testing.fakes import FakeService
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

pytestmark = pytest.mark.field("files")
ROWS = [("007", "good"), ("1234567890123456789", "bad")]
CSV = "".join(f"{one},{two}\r\n" for one, two in [("id", "review"), *ROWS]).encode()
JSON = json.dumps([{"id": one, "review": two} for one, two in ROWS]).encode()


def files(folder: Path) -> dict[str, bytes]:
    """The same table in every format."""
    book = openpyxl.Workbook()
    for each in (("id", "review"), *ROWS):
        book.active.append(each)
    book.save(file := io.BytesIO())
    pq.write_table(
        pa.table({"id": [one for one, _ in ROWS], "review": [two for _, two in ROWS]}), parquet := io.BytesIO()
    )
    with zipfile.ZipFile(archive := io.BytesIO(), "w") as pack:
        pack.writestr("inside.csv", CSV)
    sheet = ods(
        folder / "x.ods", *(row(*(cell("string", shown=each) for each in line)) for line in (("id", "review"), *ROWS))
    )
    return {
        "a.csv": CSV,
        "b.xlsx": file.getvalue(),
        "c.ods": sheet.read_bytes(),
        "d.parquet": parquet.getvalue(),
        "e.json": JSON,
        "f.jsonl": b"\n".join(json.dumps({"id": one, "review": two}).encode() for one, two in ROWS),
        "g.csv.gz": gzip.compress(CSV),
        "h.json.zst": zstandard.compress(JSON),
        "i.zip": archive.getvalue(),
    }


@pytest.mark.slow
async def test_each_format_is_dropped_and_answered(tmp_path: Path) -> None:
    def answer(body: Any) -> Any:
        return Failure("refused", "No.") if "bad" in body["messages"][-1]["content"] else "Yes."

    formats = ["csv", "xlsx", "ods", "parquet", "json", "jsonl", "zip"]
    route = replace(REVIEWS, formats=formats)
    household = Household(tmp_path / "house", service=FakeService(answer), routes=[route], duplicates="process")
    dropped = files(tmp_path)
    for name, content in dropped.items():
        household.drop(f"reviews/{name}", content)
    household.drop("reviews/README.md", b"bad and good\n")
    household.drop("reviews/a.csv.why.txt", b"a note of batchd's own\n")
    async with household.living() as living:
        await living.take_in()
        await living.drain()
    outbox = household.outbox()
    faults = []
    for name in dropped:
        [found] = [
            content for path, content in outbox.items() if path.startswith(f"reviews/{name[0]}") and ".results." in path
        ]
        rows = [line[:-1] for line in csv.reader(io.StringIO(found.decode("utf-8-sig")))]
        if [(*line[:2], line[-1]) for line in rows[1:]] != [
            ("007", "good", "ok"),
            ("1234567890123456789", "bad", "failed"),
        ]:
            faults.append(f"{name}: {rows}")
        [failed] = [
            content for path, content in outbox.items() if path.startswith(f"reviews/{name[0]}") and ".failed." in path
        ]
        if [line[:2] for line in csv.reader(io.StringIO(failed.decode("utf-8-sig")))] != [
            ["id", "review"],
            list(ROWS[1]),
        ]:
            faults.append(f"{name}: {failed!r}")
    assert not faults, "\n".join(faults)
    rejected = {path.name for path in household.folders.rejected.rglob("*") if path.is_file()}
    assert rejected == {"README.md", "README.md.why.txt"}
    assert (household.folders.inbox / "reviews" / "a.csv.why.txt").exists()

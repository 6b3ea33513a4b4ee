"""A field of 10 MB, in each format of text; what is longer fails its row, or goes back, with its number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchd import BadRow, FileRefused, Source
from batchd_files.delimited.csv_reader import CsvReader
from batchd_files.objects.json_reader import JsonReader
from batchd_files.objects.jsonl_reader import JsonlReader

pytestmark = [pytest.mark.field("files"), pytest.mark.slow]

LONG = 10_000_000


def rows(path: Path, text: str) -> list[object]:
    path.write_text(text)
    readers = {".csv": CsvReader, ".jsonl": JsonlReader, ".json": JsonReader}
    reader = readers[path.suffix]
    return list(reader(reader.Settings()).read(Source(path, path.name)))


def objects(size: int) -> list[dict[str, str]]:
    return [{"id": "1", "review": "good"}, {"id": "2", "review": "x" * size}, {"id": "3", "review": "fine"}]


def test_ten_megabytes_are_read(tmp_path: Path) -> None:
    texts = {
        "may.csv": "id,review\n" + "".join(f"{each['id']},{each['review']}\n" for each in objects(LONG)),
        "quoted.csv": "id,review\n" + "".join(f'{each["id"]},"{each["review"]}"\n' for each in objects(LONG)),
        "may.jsonl": "".join(json.dumps(each) + "\n" for each in objects(LONG)),
        "may.json": json.dumps(objects(LONG)),
    }
    for name, text in texts.items():
        header, *found = rows(tmp_path / name, text)
        assert header == ["id", "review"], name
        assert [len(str(row[1])) for row in found] == [4, LONG, 4], name  # type: ignore[index]  # a list of cells


def test_more_is_told_with_its_number(tmp_path: Path) -> None:
    [_, _, too_long, _] = rows(tmp_path / "a.csv", f"id,review\n1,good\n2,{'x' * 10_500_001}\n3,fine\n")
    assert isinstance(too_long, BadRow)
    assert "on line 3 has more than 10 million characters" in too_long.failure.message
    lines = "".join(json.dumps(each) + "\n" for each in objects(21_000_000))
    [_, _, too_long, _] = rows(tmp_path / "a.jsonl", lines)
    assert isinstance(too_long, BadRow)
    assert "Line 2 is longer than 21,000,000 bytes." in too_long.failure.message
    with pytest.raises(FileRefused, match="Line 3 is longer than 21,000,000 characters"):
        rows(tmp_path / "b.csv", f"id,review\n1,good\n2,{'x' * 21_000_001}\n3,fine\n")

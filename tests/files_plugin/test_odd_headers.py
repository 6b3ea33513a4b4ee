"""Headers with characters that nobody sees, and objects with thousands of keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchd import FileRefused, Settings, Source
from batchd_files.delimited.csv_reader import CsvReader
from batchd_files.objects.json_reader import JsonReader
from batchd_files.objects.jsonl_reader import JsonlReader

pytestmark = pytest.mark.field("files")


def test_a_nul_in_the_header_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    for content, names in (
        ("i\0d,review\n1,good\n", ["id", "review"]),
        ("id,revié\0w\n" + "1,good and long\n" * 20, ["id", "reviéw"]),
    ):
        path.write_text(content)
        assert next(iter(CsvReader(CsvReader.Settings()).read(Source(path, path.name)))) == names


def test_objects_with_thousands_of_keys_are_read_where_most_have_them(tmp_path: Path) -> None:
    wide = {f"key {number}": number for number in range(5_000)}
    for reader, name in ((JsonlReader(Settings()), "may.jsonl"), (JsonReader(Settings()), "may.json")):
        path = tmp_path / name

        def write(objects: list[dict[str, int]], path: Path = path) -> Source:
            lines = path.suffix == ".jsonl"
            path.write_text("".join(json.dumps(each) + "\n" for each in objects) if lines else json.dumps(objects))
            return Source(path, path.name)

        header, *rows = reader.read(write([wide, {**wide, "more": 1}]))
        assert (len(header), len(rows), len(rows[0])) == (5_001, 2, 5_001)  # type: ignore[arg-type]  # lists
        for objects, most in (
            ([wide, {"a": 1}, {"b": 2}], "1,000"),
            ([dict.fromkeys(map(str, range(17_000)), 1)], "16,384"),
        ):
            with pytest.raises(FileRefused, match=f"more than {most} different keys"):
                list(reader.read(write(objects)))


def test_json_under_the_name_of_a_table_goes_back_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    reader = CsvReader(CsvReader.Settings())
    for content in (
        '[{"id": 1, "review": "good"}]',
        '\ufeff [\n  {\n    "id": 1}]',
        '{"id": 1}\n{"id": 2}\n',
        '{"data": [{"id": 1}]}',
    ):
        path.write_text(content)
        with pytest.raises(FileRefused, match="ends in .json"):
            list(reader.read(Source(path, path.name)))
    for content in ("[id],review\n1,good\n", "{id},review\n1,good\n", '"{""id"": 1}",review\n1,good\n'):
        path.write_text(content)
        assert len(list(reader.read(Source(path, path.name)))) == 2

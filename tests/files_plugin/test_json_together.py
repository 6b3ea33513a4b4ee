"""JSON files are read twice: what was read together the first time is not examined again, and changes are noticed."""

from __future__ import annotations

import json
from pathlib import Path

from batchd import Settings, Source
from batchd_files.objects.json_reader import Document, JsonReader


class InSmallPieces(JsonReader):
    piece_size = 200


def test_both_readings_are_the_same_and_a_change_between_them_is_read(tmp_path: Path) -> None:
    path = tmp_path / "may.json"
    objects = [{"id": number, "text": f"{{number {number}}}, {'x' * (number % 90)}"} for number in range(300)]
    for indent in (None, 2):
        path.write_text(json.dumps({"data": objects}, indent=indent))
        source = Source(path, path.name)
        document = Document(10_000, 200)
        first = [record for records in document.records(source) for record in records]
        by_letters = document.one_by_one
        assert first == objects
        assert [record for records in document.records(source) for record in records] == objects
        assert document.one_by_one - by_letters <= by_letters
        path.write_text(json.dumps({"data": objects[::-1]}, indent=indent))
        assert [record for records in document.records(source) for record in records] == objects[::-1]
        reader = InSmallPieces(Settings())
        blocks = list(reader.read_many(source))
        assert blocks[0] == [["id", "text"]]
        assert [row for block in blocks for row in block] == list(reader.read(source))
        assert len(blocks) < len(objects)

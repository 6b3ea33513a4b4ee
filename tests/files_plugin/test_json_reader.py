"""The reader `json`: lists of objects, however they are written; a bad object fails alone."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from files_support import PATIENT, bad, read, refused
from hypothesis import given
from hypothesis import strategies as st

from batchd import BadRow, Settings, Source
from batchd_files.objects import json_reader
from batchd_files.objects.json_reader import JsonReader

pytestmark = pytest.mark.field("files")
ROWS = [{"id": 1, "text": "a, b"}, {"id": 2, "text": 'quote " } , {', "more": {"x": [1, {"y": "}"}]}}]
TABLE = (["id", "text", "more"], [[1, "a, b", None], [2, 'quote " } , {', {"x": [1, {"y": "}"}]}]])


def reader() -> JsonReader:
    return JsonReader(Settings())


GOOD = {
    "a list": json.dumps(ROWS),
    "pretty": json.dumps(ROWS, indent=4),
    "tight": json.dumps(ROWS, separators=(",", ":")),
    "with a mark": "\ufeff" + json.dumps(ROWS),
    "under a key": json.dumps({"data": ROWS}),
    "between others": json.dumps({"n": 2, "next": None, "tags": ["a"], "of": {"x": [{}]}, "items": ROWS, "end": [1]}),
    "Windows": json.dumps(ROWS, indent=1).replace("\n", "\r\n"),
    "JSON Lines": "\n".join(map(json.dumps, ROWS)) + "\n",
    "one behind the other, as jq writes them": "\n".join(json.dumps(each, indent=2) for each in ROWS),
    "without anything between": "".join(map(json.dumps, ROWS)),
}


def test_lists_are_read_however_they_are_written(tmp_path: Path) -> None:
    faults = []
    for kind, text in GOOD.items():
        (path := tmp_path / "may.json").write_text(text, encoding="utf-8", newline="")
        if (found := read(reader(), path)) != TABLE:
            faults.append(f"{kind}: {found}")
    for indent in (None, 2):  # a single row
        (path := tmp_path / "may.json").write_text(json.dumps(ROWS[1], indent=indent))
        if (found := read(reader(), path)) != (["id", "text", "more"], [TABLE[1][1]]):
            faults.append(f"alone: {found}")
    assert not faults, "\n".join(faults)


BAD = {
    "": "empty",
    "[]": "empty",
    '{"data": []}': "no_rows",
    "7": "no_rows",
    '{"a": {"0": 1}, "b": {"0": 2}}': "no_rows",  # pandas, by columns
    '{"a": [1, 2], "b": [3, 4]}': "no_rows",
    '{"a": 1} x': "json",
    '{"a": 1} {"b": {"c": 2}}': "no_rows",
    '{"a": [{"x": 1}], "b": [{"x": 1}]}': "several_lists",
    '[{"a": 1}': "json",
    '[{"a": 1} {"a": 2}]': "json",
    '[{"a": 1},]': "json",
    '[{"a": 1}] x': "json",
    '[{"a": "never closed}]': "json",
    '{"a" [{"x": 1}]}': "json",
    '{"a": [{"x": 1}] "b": 1}': "json",
    "[1, 2]": "no_rows",
    '["a"]': "no_rows",
    "[[1], [2]]": "no_rows",
    "[{}]": "no_columns",
    '[{"a": ' + "[" * 5_000 + "]" * 5_000 + "}]": "no_rows",
    "[" * 20_000: "json",
    '[{"a":' * 20_000: "json",
    "\0\0": "no_rows",
    '[{"a": ' + "1" * 20_000 + "}]": "no_rows",
}


def test_what_is_no_list_of_objects_is_refused_in_words(tmp_path: Path) -> None:
    faults = []
    for text, code in BAD.items():
        (path := tmp_path / "may.json").write_text(text)
        if (found := refused(reader(), path)).code != code:
            faults.append(f"{text[:40]}: {found.code} {found}")
    (path := tmp_path / "may.json").write_bytes(json.dumps(ROWS).encode("utf-16"))
    assert refused(reader(), path).code == "encoding"
    assert not faults, "\n".join(faults)


def test_a_bad_object_fails_alone_and_is_returned_on_one_line(tmp_path: Path) -> None:
    objects = [
        '{"a": 1}',
        '{"a": NaN}',
        "7",
        '{"a": 1,\n "a": 2}',
        '{"": 1}',
        '{"a":' * 3_000 + "1" + "}" * 3_000,
        '{"a": 2}',
    ]
    (path := tmp_path / "may.json").write_text("[" + ",\n".join(objects) + "]")
    columns, records = read(reader(), path)
    assert columns == ["a"]
    assert [record for record in records if not isinstance(record, BadRow)] == [[1], [2]]
    assert [record.failure.code for record in bad(records)] == [
        "invalid_json_line", "invalid_json_line", "duplicate_key", "invalid_json_line", "invalid_json_line",
    ]  # fmt: skip
    assert bad(records)[2].values == ['{"a": 1, "a": 2}']
    assert bad(records)[0].failure.message.startswith("Object 2: ")


@pytest.mark.slow
def test_an_object_without_end_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    (path := tmp_path / "may.json").write_bytes(b'[{"a": "' + b"x" * 25_000_000)
    tracemalloc.start()
    try:
        assert refused(reader(), path).code == "too_long"
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@PATIENT
@given(
    rows=st.lists(
        st.dictionaries(st.text(min_size=1, max_size=3), VALUES, min_size=1, max_size=3), min_size=2, max_size=6
    ),
    indent=st.sampled_from([None, 1]),
    piece=st.integers(1, 60),
)
def test_pieces_end_anywhere(tmp_path_factory: Any, rows: list[Any], indent: int | None, piece: int) -> None:
    class Small(JsonReader):
        piece_size = piece

    path = tmp_path_factory.getbasetemp() / "pieces.json"
    path.write_text(json.dumps(rows, indent=indent))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    assert read(Small(Settings()), path) == (columns, [[row.get(column) for column in columns] for row in rows])


def test_most_is_decoded_many_at_once(tmp_path: Path) -> None:
    (path := tmp_path / "may.json").write_text(json.dumps([{"id": n, "text": "some words"} for n in range(20_000)]))
    document = json_reader.Document(1_000_000)
    assert sum(map(len, document.records(Source(path, path.name)))) == 20_000
    assert document.one_by_one < 100

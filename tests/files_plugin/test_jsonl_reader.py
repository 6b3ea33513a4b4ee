"""The reader `jsonl`: one object per line; a bad line fails alone."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import msgspec
import pytest
from files_support import PATIENT, assert_tells_what_to_do, bad, read, refused
from hypothesis import given
from hypothesis import strategies as st

from batchd import BadRow, Settings, Source
from batchd.requests.json_lines import UNREADABLE
from batchd_files.objects import bad_lines
from batchd_files.objects.bad_lines import original_line
from batchd_files.objects.jsonl_reader import JsonlReader

READER = JsonlReader(Settings())


@pytest.fixture
def drop(tmp_path: Path):
    def write(content: bytes | str) -> Path:
        path = tmp_path / "requests.jsonl"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        pytest.param('{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n', ["a", "b"], [[1, "x"], [2, "y"]], id="plain"),
        pytest.param('{"b":1}\r\n{"a":2}\r\n', ["b", "a"], [[1, None], [None, 2]], id="union of keys, crlf"),
        pytest.param('\ufeff{"a":1}', ["a"], [[1]], id="byte order mark, no newline at the end"),
        pytest.param('\n  \n{"a":1}\n\n', ["a"], [[1]], id="blank lines"),
        pytest.param('{"a":"x\u2028y\u0085z"}\n', ["a"], [["x\u2028y\u0085z"]], id="other line separators are text"),
        pytest.param('{}\n{"a":null}\n', ["a"], [[None], [None]], id="an object without keys"),
        pytest.param('{"a":{"b":[1,{"c":"é"}]}}\n', ["a"], [[{"b": [1, {"c": "é"}]}]], id="nested"),
        pytest.param('{"a":12345678901234567890123}\n', ["a"], [[12345678901234567890123]], id="large integers"),
        pytest.param('{"a":"\\"b\\": 1","b":":"}\n', ["a", "b"], [['"b": 1', ":"]], id="what looks like a key is text"),
        pytest.param('{"a" : 1 ,\t"b"\t:\t"c :"}\n', ["a", "b"], [[1, "c :"]], id="space everywhere"),
        pytest.param('{"a":{"x":1},"b":{"x":2}}\n', ["a", "b"], [[{"x": 1}, {"x": 2}]], id="the same key elsewhere"),
    ],
)
def test_reads(drop, content, columns, rows):
    assert read(READER, drop(content)) == (columns, rows)


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (b'{"a":1', "invalid_json_line", "not valid JSON"),
        (b"oops", "invalid_json_line", "not valid JSON"),
        (b'{"a":NaN}', "invalid_json_line", "NaN"),
        (b'{"a":"\\ud800"}', "invalid_json_line", "half a character"),
        (b'{"a":1e999}', "invalid_json_line", "too large"),
        (b'{"a":' + b"1" * 5_000 + b"}", "invalid_json_line", "not valid JSON"),
        (b"[1,2]", "invalid_json_line", "not a JSON object"),
        (b'"text"', "invalid_json_line", "not a JSON object"),
        (b'{"a":1,"a":2}', "duplicate_key", "“a” twice"),
        (b'{"a":1,"a" :2}', "duplicate_key", "“a” twice"),
        (b'{"a":1,"a"\r:2}', "duplicate_key", "“a” twice"),
        (b'{"a":1,"a"\t:2}', "duplicate_key", "“a” twice"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key", "“a” twice"),
        (b'{"a":{"b":[{"c":1,"c":2}]}}', "duplicate_key", "“c” twice"),
        (b'{"":1}', "invalid_json_line", "key without a name"),
        (b'{"a":"\xe9"}', "not_utf8", "not valid UTF-8"),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "invalid_json_line", "nested too deeply"),
    ],
)
def test_a_bad_line_fails_alone_and_is_returned_unchanged(drop, line, code, says):
    _, records = read(READER, drop(b'{"a":1}\n' + line + b'\r\n{"a":2}\n'))
    assert [record for record in records if not isinstance(record, BadRow)] == [[1], [2]]
    assert isinstance(records[1], BadRow)
    failure = records[1].failure
    assert (failure.code, failure.transient) == (code, False)
    assert failure.message.startswith("Line 2: ")
    assert says in failure.message
    assert_tells_what_to_do(failure.message)
    assert original_line(records[1].values, failure) == line
    assert msgspec.json.decode(msgspec.json.encode(records[1].values)) == records[1].values


def test_every_code_of_an_unreadable_line_returns_the_line():
    assert bad_lines.BAD | {bad_lines.NOT_UTF8} >= UNREADABLE


def test_a_line_too_long_fails_alone(drop):
    class Small(JsonlReader):
        max_line = 5_000

    fits = b'{"a":"' + b"x" * 4_992 + b'"}'
    long = b'{"a":"' + b"y" * 20_000 + b'"}'
    assert len(fits) == 5_000
    _, records = read(Small(Small.Settings()), drop(fits + b"\n" + long + b"\n" + fits + b"\n" + long))
    assert [isinstance(record, BadRow) for record in records] == [False, True, False, True]
    assert bad(records)[1].failure.message.startswith("Line 4 is longer than 5,000 bytes.")
    assert len(bad(records)[0].values[0]) < 2_000
    assert refused(Small(Small.Settings()), drop(fits + b"\n" + b"y" * 110_000 + b"\n")).code == "too_long"


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "empty", "empty"),
        (b"\n\r\n", "empty", "empty"),
        (b"\xef\xbb\xbf", "empty", "empty"),
        (b"{}\n{}\n", "no_columns", "has a key"),
        (b"id,text\n1,good\n", "no_rows", "Not one of the 2 lines is a row. Line 1: "),
        (b"hello", "no_rows", "The only line is not a row."),
        (b'[\n{"a":1},\n{"a":2}\n]\n', "no_rows", "one JSON list"),
        (b'[{"a":1},{"a":2}]', "no_rows", "one JSON list"),
        ('{"a":1}\n'.encode("utf-16"), "encoding", "UTF-16"),
        (b"PK\x03\x04xl/workbook.xml", "binary", "Excel"),
        (b"\x1f\x8b\x08\0", "binary", "gzip"),
        (b"".join(b'{"key %d":1}\n' % number for number in range(1_001)), "columns", "1,000 different keys"),
    ],
)
def test_refuses(drop, content, code, says):
    refusal = refused(READER, drop(content))
    assert refusal.code == code
    assert says in str(refusal)


def test_describes_the_encoding():
    assert READER.describe() == {"encoding": "utf-8"}


KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@PATIENT
@given(
    objects=st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1).filter(any),
    ascii_only=st.booleans(),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", "\t:\r")]),
)
def test_reads_what_the_json_module_writes(tmp_path_factory, objects, ascii_only, separators):
    path = tmp_path_factory.getbasetemp() / "x.jsonl"
    lines = [json.dumps(one, ensure_ascii=ascii_only, separators=separators) for one in objects]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass", newline="")
    columns = list(dict.fromkeys(key for one in objects for key in one))
    assert read(READER, path) == (columns, [[one.get(column) for column in columns] for one in objects])


@PATIENT
@given(st.lists(st.tuples(KEYS, st.integers(0, 9)), min_size=1, max_size=4), st.sampled_from([":", " :", "\t:", ": "]))
def test_duplicate_keys_are_found_however_they_are_written(tmp_path_factory, pairs, colon):
    path = tmp_path_factory.getbasetemp() / "x.jsonl"
    line = "{" + ",".join(f"{json.dumps(key)}{colon}{value}" for key, value in pairs) + "}"
    path.write_text('{"good":1}\n' + line)
    duplicate = len({key for key, _ in pairs}) < len(pairs)
    assert isinstance(read(READER, path)[1][1], BadRow) == duplicate


def test_a_bad_line_among_many_is_found_by_its_number(drop):
    lines = [b'{"id":%d,"text":"some: words"}' % number for number in range(9_000)]
    faults = {700: b'{"id":1,"id":2}', 3_000: b'{"id":1}{"id":2}', 6_001: b'{"":1}', 8_999: b"oops"}
    for place, line in faults.items():
        lines[place] = line
    lines[5_000] = b""
    lines[6_000] = b'{"text":"%s","id":1}' % (b"x" * 100_000)
    _, records = read(READER, drop(b"\r\n".join(lines)))
    assert len(records) == 8_999
    assert {number: record for number, record in enumerate(records) if isinstance(record, BadRow)}.keys() == {
        place - (place > 5_000) for place in faults
    }
    assert [record.failure.message.split(":")[0] for record in bad(records)] == [f"Line {n + 1:,}" for n in faults]
    assert records[5_999] == [1, "x" * 100_000]
    assert records[8_000] == [8_001, "some: words"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(drop):
    def peak(rows: int) -> int:
        path = drop("".join(f'{{"id":{number},"text":"some words to read"}}\n' for number in range(rows)))
        tracemalloc.start()
        try:
            for _ in READER.read(Source(path, path.name)):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1_000)
    assert peak(40_000) < peak(8_000) + 200_000

"""A line is an object that every reader understands alike, or there is a sentence that says why not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.model import Failure
from batchd.requests.json_lines import UNREADABLE, on_one_line, read_json_line, read_json_together

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

BAD = [
    (b"", "invalid_json_line", "blank"),
    (b'{"a":1', "invalid_json_line", "truncated"),
    (b"{oops", "invalid_json_line", "must be strings"),
    (b"{'a': 1}", "invalid_json_line", "must be strings"),
    (b'{"a":1},', "invalid_json_line", "trailing characters"),
    (b'{"a":1}{"b":2}', "invalid_json_line", "trailing characters"),
    (b'{"a":"b\x01"}', "invalid_json_line", "invalid character"),
    (b'{"a":NaN}', "invalid_json_line", "NaN"),
    (b'{"a":-Infinity}', "invalid_json_line", "Infinity"),
    (b'{"a":1e999}', "invalid_json_line", "too large"),
    (b'{"a":' + b"1" * 5_000 + b"}", "invalid_json_line", "out of range"),
    (b'{"a":"\\ud800"}', "invalid_json_line", "half a character"),
    (b'{"a":"\\udc00\\ud800"}', "invalid_json_line", "half a character"),
    (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "invalid_json_line", "nested too deeply"),
    (b"[1,2]", "invalid_json_line", "a list, not a JSON object"),
    (b'"text"', "invalid_json_line", "a text, not a JSON object"),
    (b"7", "invalid_json_line", "a number, not a JSON object"),
    (b"true", "invalid_json_line", "true or false, not a JSON object"),
    (b"null", "invalid_json_line", "null, not a JSON object"),
    (b'{"a":1,"a":2}', "duplicate_key", "“a” twice"),
    (b'{"a":1,"a" :2}', "duplicate_key", "“a” twice"),
    (b'{"a":1,"a"\r:2}', "duplicate_key", "“a” twice"),
    (b'{"a":1,"a"\t:2}', "duplicate_key", "“a” twice"),
    (b'{"a":1,"\\u0061":2}', "duplicate_key", "“a” twice"),
    (b'{"a":{"b":[{"c":1,"c":2}]}}', "duplicate_key", "“c” twice"),
    (b'{"a":"\xe9"}', "not_utf8", "not valid UTF-8"),
    (b'{"a":"\xed\xa0\x80"}', "not_utf8", "not valid UTF-8"),
    (b"\xff\xfe{", "not_utf8", "not valid UTF-8"),
    (b'\xef\xbb\xbf{"a":1}', "byte_order_mark", "byte order mark"),
]


@pytest.mark.parametrize(("line", "code", "says"), BAD)
def test_what_is_no_object_is_said_in_words(line: bytes, code: str, says: str) -> None:
    failure = read_json_line(line)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.transient) == (code, False)
    assert says in failure.message
    assert failure.message[0].isupper()
    assert failure.message.endswith(".")
    # What is wrong, then how to fix it.
    assert len(failure.message.split(". ")) == 2
    assert failure.code in UNREADABLE


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"a" : 1 ,\t"b"\t:\t"c :"}',
        b'{"a":"\\"b\\": 1","b":":"}',
        b'{"a":{"x":1},"b":{"x":2}}',
        b'{"a":12345678901234567890123}',
        b'{"a":"\\ud83d\\ude00","b":1.5e300}',
        '{"a":"\u2028\x85"}'.encode(),
    ],
)
def test_what_is_one_is_read(line: bytes) -> None:
    assert read_json_line(line) == json.loads(line)


KEYS = st.text(st.characters(codec="utf-8"), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@PATIENT
@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", "\t:\r")]),
)
def test_whatever_the_json_module_writes_is_read(value: Any, ascii_only: bool, separators: tuple[str, str]) -> None:
    line = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "surrogatepass")
    assert read_json_line(line) == value


@PATIENT
@given(st.lists(st.tuples(KEYS, st.integers(0, 9)), max_size=4), st.sampled_from([":", " :", "\t:", ": ", "\r:"]))
def test_double_keys_are_found_however_they_are_written(pairs: list[tuple[str, int]], colon: str) -> None:
    line = "{" + ",".join(f"{json.dumps(key)}{colon}{value}" for key, value in pairs) + "}"
    read = read_json_line(line.encode())
    assert isinstance(read, Failure) == (len({key for key, _ in pairs}) < len(pairs))


def test_together_every_line_is_examined_as_by_itself() -> None:
    good = b'{"a":1,"b":{"c":"d: e"}}'
    assert read_json_together(b"%b\r\n" % good * 3, lines=True) == [json.loads(good)] * 3
    # Lines that two objects, or two halves of one, share; and one that is blank.
    odd = [b'{"a":1}\n\n{"b":1}\n', b'{"a":1}{"b":1}\n{"c":\n1}\n', b'{"a":1}\n{"b":\n{"c":1}}\n', b'{"a":1}\n{"b":1}']
    odd += [b"%b\n%b\n%b\n" % (good, line, good) for line, _, _ in BAD]
    assert not [text for text in odd if read_json_together(text, lines=True) is not None]
    lists = [b"[%b,%b]" % (good, line) for line, _, _ in BAD if line != b'{"a":1}{"b":2}']
    assert not [text for text in [*lists, b'[{"a":1,"a"\n:1}]'] if read_json_together(text, lines=False) is not None]
    assert read_json_together(b"[%b,\n %b]" % (good, good), lines=False) == [json.loads(good)] * 2


@PATIENT
@given(
    st.lists(st.lists(st.tuples(KEYS, VALUES), max_size=3), min_size=1, max_size=4), st.sampled_from([":", " :", "\t:"])
)
def test_together_they_are_the_same(objects: list[list[tuple[str, Any]]], colon: str) -> None:
    members = [[f"{json.dumps(key)}{colon}{json.dumps(value)}" for key, value in pairs] for pairs in objects]
    lines = [f"{{{','.join(each)}}}" for each in members]
    single = [read_json_line(line.encode()) for line in lines]
    for text, in_lines in ((f"{chr(10).join(lines)}\n", True), (f"[{','.join(lines)}]", False)):
        together = read_json_together(text.encode(), lines=in_lines)
        assert together in (None, single)


@PATIENT
@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_are_too_odd(line: bytes) -> None:
    read = read_json_line(line)
    assert isinstance(read, dict) or read.code in UNREADABLE


@PATIENT
@given(st.dictionaries(KEYS, VALUES | st.sampled_from(["\u2028", "\u2029", "\x85", "a\u2028b"]), max_size=4))
def test_on_one_line_no_reader_of_lines_cuts_it_and_it_says_the_same(value: Any) -> None:
    encoded = msgspec.json.encode(value)
    straight = on_one_line(encoded)
    assert len(straight.decode().splitlines()) == 1
    assert msgspec.json.decode(straight) == value

"""Reads a line of JSON Lines: its object, or why it has none that every reader would read in the same way.

Stricter than most decoders. Readers differ on a key that appears twice, on NaN and on half a character; if a service
reads one differently than its author, it is paid for a wrong answer.
"""

from __future__ import annotations

import codecs
import json
import re

import msgspec

from ..model import Failure, Json

INVALID = "invalid_json_line"
"""The line is not a JSON object; the code is OpenAI's."""
DOUBLE_KEY = "duplicate_key"
"""An object of the line has a key twice."""
NOT_UTF8 = "not_utf8"
"""The line is not UTF-8, so it cannot be shown as text."""
BYTE_ORDER_MARK = "byte_order_mark"
"""The line begins with a byte order mark, which JSON does not allow."""

UNREADABLE = frozenset({INVALID, DOUBLE_KEY, NOT_UTF8, BYTE_ORDER_MARK})
"""The codes that only `read_json_line` uses: a row that failed with one of them was not a record."""

BLANKS = b" \t\r\n"
"""The bytes that may surround a JSON value."""

MARKED = Failure(
    BYTE_ORDER_MARK,
    "There is a byte order mark before this line, which some services take for a part of it. Save the file as UTF-8 "
    "without a mark.",
)
_NO_TEXT = Failure(NOT_UTF8, "This line is not valid UTF-8. Save the file as UTF-8.")
FLAT = 500
"""With fewer brackets than this, no value is nested too deeply."""
_decoder = msgspec.json.Decoder()
_objects = msgspec.json.Decoder(dict[str, Json])
_list = msgspec.json.Decoder(list[dict[str, Json]])
_SPACED_KEY = re.compile(rb'"[ \t\r\n]+:')
_SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))
_KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}


def read_json_line(line: bytes) -> dict[str, Json] | Failure:
    """The object of a line, without the blanks around it; or why there is none."""
    if line.startswith(codecs.BOM_UTF8):
        return MARKED
    try:
        record = _decoder.decode(line)
        if type(record) is not dict:
            kind = _KINDS.get(type(record), "null")
            return _invalid(f"This line is {kind}, not a JSON object. Write an object in braces.")
        double = _double_key(line, record)
    except UnicodeDecodeError:
        return _NO_TEXT
    except ValueError as error:  # msgspec's errors, and Python's for a number with thousands of digits
        return _unparsable(line, error)
    except RecursionError:
        return _invalid("This line is nested too deeply. Write it with fewer brackets within brackets.")
    if double is not None:
        return Failure(DOUBLE_KEY, f"This line has the key “{double}” twice in one object. Remove one of the two.")
    return record


def read_json_together(text: bytes, *, lines: bool) -> list[dict[str, Json]] | None:
    """Return the objects of whole `lines`, or of a list; None if not all are certain, and each must be read by itself.

    The objects are those that `read_json_line` gives for each line, in a fourth of the time.
    """
    if lines and b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    try:
        if not lines:
            records = _list.decode(text)
        else:
            records = _objects.decode_lines(text)
            # One object on each line: in JSON, a newline between two braces is between two values.
            ends = text.count(b"\n")
            if ends != len(records) or ends != text.count(b"}\n{") + 1 or text[-2:] != b"}\n" or text[:1] != b"{":
                return None
    except (ValueError, RecursionError):
        return None
    # If there are as many keys as colons, or as colons after quotes, no key is there twice. (Texts may have more.)
    keys = sum(map(len, records))
    if text.count(b":") == keys and text.count(b"[") < FLAT:
        return records
    found = text.count(b'":')
    try:
        return records if found in (keys, sum(map(_keys, records))) and not _spaced(text) else None
    except RecursionError:  # newer Pythons decode values that are nested too deeply for `_keys`
        return None


def on_one_line(encoded: bytes) -> bytes:
    """Return the JSON with separators escaped that JSON allows, but at which some readers would split the line."""
    if encoded.isascii() or (b"\xe2\x80" not in encoded and b"\xc2\x85" not in encoded):
        return encoded  # the usual case; this runs for every request
    for separator, escaped in _SEPARATORS:
        if separator in encoded:
            encoded = encoded.replace(separator, escaped)
    return encoded


def _invalid(message: str) -> Failure:
    return Failure(INVALID, message)


def _unparsable(line: bytes, error: ValueError) -> Failure:
    if not line:
        return _invalid("This line is blank, which some services take for a broken request. Remove it.")
    try:
        # Python's own decoder also accepts NaN and the like, which tells the two kinds of fault apart.
        json.loads(line.decode())
    except UnicodeDecodeError:
        return _NO_TEXT
    except (ValueError, RecursionError):
        reason = str(error).removeprefix("JSON is malformed: ").partition(" - at ")[0]
        return _invalid(
            f"This line is not valid JSON: {reason[:1].lower()}{reason[1:]}. Write it as one JSON object on one line."
        )
    return _invalid(
        "This line is not valid JSON: it has NaN or Infinity, a number too large, or half a character such as "
        "\\ud800. Write null, a smaller number, or the whole character."
    )


class _DoubleKey(Exception):
    """Carries the key out of the decoder."""


def _double_key(line: bytes, record: dict[str, Json]) -> str | None:
    """A key that one object of the line has twice. A decoder would keep the last one without an error."""
    # If there are as many keys as colons after quotes, no key is there twice. (Texts may have more.)
    if line.count(b'":') == _keys(record) and not _spaced(line):
        return None

    def once(pairs: list[tuple[str, Json]]) -> None:
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise _DoubleKey(key)
            seen.add(key)

    try:
        json.loads(line, object_pairs_hook=once)
    except _DoubleKey as double:
        return str(double)
    return None


def _spaced(text: bytes) -> bool:
    """Whether there may be a key with white space between its quote and its colon."""
    blank = b" :" in text or b"\t" in text or b"\r" in text or b"\n:" in text
    return blank and _SPACED_KEY.search(text) is not None


def _keys(value: Json) -> int:
    """Return how many keys a value has, at any depth."""
    count = 0
    if type(value) is dict:
        count = len(value)
        value = value.values()
    for one in value:
        if type(one) is dict or type(one) is list:
            count += _keys(one)
    return count

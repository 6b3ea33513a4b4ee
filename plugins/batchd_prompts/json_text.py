"""JSON as it must be on a line of a batch input file."""

from __future__ import annotations

import msgspec

from batchd import Failure, Json

_encode = msgspec.json.Encoder().encode

BROKEN_TEXT = Failure(
    "text",
    "The row contains half of a character (a lone surrogate), which cannot be sent. Write that cell anew and drop "
    "the row again.",
)
"""What becomes of a row whose text is no text."""

_LINE_SEPARATORS = (
    (b"\xc2\x85", b"\\u0085"),
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)


def on_one_line(encoded: bytes) -> bytes:
    """The JSON with U+0085, U+2028 and U+2029 escaped: services that split the file as text would cut it there."""
    if encoded.isascii():
        return encoded
    for separator, escaped in _LINE_SEPARATORS:
        if separator in encoded:
            encoded = encoded.replace(separator, escaped)
    return encoded


def encoded_body(body: Json) -> bytes | Failure:
    """The body as JSON on one line."""
    try:
        return on_one_line(_encode(body))
    except UnicodeEncodeError:
        return BROKEN_TEXT


def shown(value: Json) -> Json:
    """A cell's value as it stands in a prompt: nothing for None, JSON for what is not text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool | int | float | list | dict):
        return _encode(value).decode()
    return value  # only inside of templates: an undefined name, which complains when it is made text

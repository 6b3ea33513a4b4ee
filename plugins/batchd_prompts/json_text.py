"""Encodes JSON for a line of a batch input file."""

from __future__ import annotations

import msgspec

from batchd import Failure, Json

_encode = msgspec.json.Encoder().encode

BROKEN_TEXT = Failure(
    "text",
    "The row contains half of a character (a lone surrogate), which cannot be sent. Retype that cell and drop "
    "the row again.",
)
"""The failure of a row with text that cannot be encoded."""


def is_broken(text: str) -> bool:
    """Whether a text has half of a character in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def encoded_body(body: Json) -> bytes | Failure:
    """The body as JSON on one line."""
    try:
        return _encode(body)
    except UnicodeEncodeError:
        return BROKEN_TEXT


def shown(value: Json) -> Json:
    """A cell's value as text in a prompt: empty for None, JSON for a value that is not text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool | int | float | list | dict):
        return _encode(value).decode()
    return value  # only within templates: an undefined name, which raises when it is converted to text

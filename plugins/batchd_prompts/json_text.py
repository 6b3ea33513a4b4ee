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


def encoded_body(body: Json) -> bytes | Failure:
    """The body as JSON on one line."""
    try:
        return _encode(body)
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

"""Output lines from the items that services write in OpenAI's form, and from what cannot be read."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec

from .splitter import Item

_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"((?:[^"\\]|\\.)*)"')
LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


class _Head(msgspec.Struct):
    custom_id: str


_head = msgspec.json.Decoder(_Head)


def as_line(item: Item, prefix: str = "") -> bytes | None:
    """An item that is an output line already, with the prefix of its custom_id removed; None if it has no custom_id."""
    raw = item.raw
    found = custom_id_in(raw)
    if found is None:
        return None
    custom_id = found[1].removeprefix(prefix.encode())
    if not item.whole:
        return too_large(custom_id)
    line = raw[: found.start(1)] + custom_id + raw[found.end(1) :]
    # Outside a JSON string a line end means nothing, and inside one it is not allowed.
    return line.translate(LINE_ENDS)


def custom_id_in(raw: bytes) -> re.Match[bytes] | None:
    """Find the item's own custom_id, not one in the answer; None if the item has none."""
    places = list(_CUSTOM_ID.finditer(raw))
    if len(places) > 1:
        with suppress(msgspec.DecodeError):
            own = _head.decode(raw).custom_id.encode()
            return next((place for place in places if place[1] == own), places[0])
    return places[0] if places else None


def too_large(custom_id: bytes) -> bytes:
    """The line of a row whose answer is too large. The answer was paid for, so the row is not asked again."""
    return failed(custom_id, "too_large", "The answer has more than 32 MB.", transient=False)


def failed(custom_id: bytes, code: str, message: str, *, transient: bool) -> bytes:
    """The line of a row without an answer. `custom_id` is as JSON writes it, without the quotes."""
    error = msgspec.json.encode({"code": code, "message": message, "transient": transient})
    return b'{"custom_id":"%s","response":null,"error":%s}' % (custom_id, error)

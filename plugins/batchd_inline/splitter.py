"""Takes a JSON object apart while it arrives: the items of its long lists one at a time, and all else at the end.

A batch with 5,000 answers comes as one object of some hundred megabytes. It is never in memory as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

import msgspec

from batchd import Json

MAX_REST = 8_000_000
"""Bytes of an answer without the items of its lists."""
MAX_ITEM = 32_000_000
"""Bytes of one item: of the answer to one row."""
KEPT_OF_LONG = 100_000
"""Bytes of a longer item that are kept, to tell which row it belongs to."""

_IN_TEXT = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["{}\[\]:,]')
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BETWEEN_ITEMS = re.compile(rb'(?>[^"{}\[\],]++|' + _TEXT + rb")*+", re.DOTALL)
_WITHIN_ITEM = re.compile(rb'(?>[^"{}\[\]]++|' + _TEXT + rb")*+", re.DOTALL)
"""Everything up to the next character that counts, including whole strings. Never backtracks, whatever the input."""
_QUOTE, _COMMA = b'",'


class Item(NamedTuple):
    """An item of a long list, as it came. If it is not `whole`, only its beginning was kept."""

    raw: bytes
    whole: bool


Take = Callable[[Item], None]


class TooLarge(Exception):
    """The answer holds more than any answer of its kind can."""


class Cut(Exception):
    """The answer ends before the object does."""


class Splitter:
    """Takes one answer apart. Feed it what arrives, then call `rest`.

    >>> items = []
    >>> splitter = Splitter({"results"}, lambda item: items.append(item.raw))
    >>> splitter.feed(b'{"id": "b", "results": [{"a": [1, 2]}, ')
    >>> splitter.feed(b'{"a": "]"}], "status": "completed"}')
    >>> splitter.rest(), items
    ({'id': 'b', 'results': [], 'status': 'completed'}, [b'{"a": [1, 2]}', b'{"a": "]"}'])
    """

    def __init__(self, lists: Collection[str], take: Take, *, max_item: int = MAX_ITEM, max_rest: int = MAX_REST):
        self._lists = frozenset(name.encode() for name in lists)
        self._items = Lines(take, max_line=max_item)
        self._max_rest = max_rest
        self._rest = bytearray()
        self._depth = 0
        self._in_list = False
        self._in_text = self._escaped = False
        self._text, self._name = bytearray(), b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises TooLarge, and what `take` raises."""
        at = 0
        while at < len(chunk):
            if self._in_list and not self._in_text:
                at = self._through_items(chunk, at)
            elif self._in_text:
                at = self._through_text(chunk, at)
            else:
                found = _OUTSIDE.search(chunk, at)
                self._keep(chunk[at : found.start() if found else None])
                if found:
                    self._sign(found[0])
                at = found.end() if found else len(chunk)

    def _through_text(self, chunk: bytes, at: int) -> int:
        """Read to the end of the string that has begun, or of the chunk. Return the position."""
        begin = at
        while at < len(chunk):
            if self._escaped:
                self._escaped, at = False, at + 1
                continue
            found = _IN_TEXT.search(chunk, at)
            if found is None:
                break
            at = found.end()
            self._escaped = found[0] != b'"'
            if not self._escaped:
                self._keep(chunk[begin:at])
                self._in_text = False
                return at
        self._keep(chunk[begin:])
        return len(chunk)

    def _through_items(self, chunk: bytes, at: int) -> int:
        """Read to the end of the list or the chunk, or to a string that goes on after it. Most bytes pass here."""
        begin = at
        while True:
            found = (_WITHIN_ITEM if self._depth > 2 else _BETWEEN_ITEMS).match(chunk, at)
            assert found  # both patterns match an empty text
            at = found.end()
            if at == len(chunk):
                self._keep(chunk[begin:])
                return at
            sign = chunk[at]
            at += 1
            if sign in b"{[":
                self._depth += 1
            elif sign == _QUOTE:
                self._keep(chunk[begin:at])
                self._in_text = True
                return at
            elif self._depth > 2:
                self._depth -= 1
            else:
                self._keep(chunk[begin : at - 1])
                self._items.end()
                begin = at
                if sign != _COMMA:
                    self._in_list = False
                    self._depth -= 1
                    self._keep(chunk[at - 1 : at])
                    return at

    def rest(self) -> Json:
        """The object, with empty lists in place of those that were taken apart. Raises Cut, or ValueError."""
        if self._in_text or self._depth:
            raise Cut
        return _decoded(bytes(self._rest))

    def before(self) -> Json:
        """What stands before the list that is being taken apart. Raises ValueError if that is not JSON."""
        return _decoded(bytes(self._rest) + b"]}")

    def _sign(self, sign: bytes) -> None:
        """Handle a character that structures JSON, outside a string."""
        if sign == b'"':
            self._in_text = True
            self._keep(sign)
            self._text.clear()
        elif sign in b"{[":
            self._depth += 1
            self._keep(sign)
            if self._depth == 2 and sign == b"[" and self._name in self._lists:
                self._in_list = True
        elif sign in b"}]":
            self._depth -= 1
            self._keep(sign)
        else:
            if sign == b":" and self._depth == 1:
                self._name = bytes(self._text[:-1])
            elif self._depth == 1:
                self._name = b""
            self._keep(sign)

    def _keep(self, piece: bytes) -> None:
        if self._in_list:
            self._items.keep(piece)
            return
        self._rest += piece
        if self._in_text and self._depth == 1:
            self._text += piece
        if len(self._rest) > self._max_rest:
            raise TooLarge(f"more than {self._max_rest / 1e6:.0f} MB")


def _decoded(text: bytes) -> Json:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Python's own decoder accepts NaN and the like, which some services write.
        return json.loads(text.decode("utf-8", "replace"))


class Lines:
    """Takes a file of lines apart: each line is an item."""

    def __init__(self, take: Take, *, max_line: int = MAX_ITEM) -> None:
        self._take, self._max_line = take, max_line
        self._line = bytearray()
        self._long = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            self.keep(piece)
            self.end()
        self.keep(rest)

    def end(self) -> None:
        """End the line, or the item: a new one has begun, or the file has ended."""
        line, whole = bytes(self._line).strip(), not self._long
        self._line.clear()
        self._long = False
        if line:
            self._take(Item(line, whole))

    def keep(self, piece: bytes) -> None:
        """Add a piece to the line."""
        self._line += piece
        if len(self._line) > self._max_line:
            self._long = True
        if self._long:
            del self._line[KEPT_OF_LONG:]

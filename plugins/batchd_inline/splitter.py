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
"""Bytes of a longer item that are kept, to tell whose it is."""

_IN_TEXT = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["{}\[\]:,]')


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
    """One answer. Feed it what arrives, then ask for the rest.

    >>> items = []
    >>> splitter = Splitter({"results"}, lambda item: items.append(item.raw))
    >>> splitter.feed(b'{"id": "b", "results": [{"a": [1, 2]}, ')
    >>> splitter.feed(b'{"a": "]"}], "status": "completed"}')
    >>> splitter.rest(), items
    ({'id': 'b', 'results': [], 'status': 'completed'}, [b'{"a": [1, 2]}', b'{"a": "]"}'])
    """

    def __init__(self, lists: Collection[str], take: Take, *, max_item: int = MAX_ITEM, max_rest: int = MAX_REST):
        self._lists = frozenset(name.encode() for name in lists)
        self._take = take
        self._max_item, self._max_rest = max_item, max_rest
        self._rest = bytearray()
        self._item = bytearray()
        self._long = False
        self._depth = 0
        self._in_list = False
        self._in_text = self._escaped = False
        self._text, self._name = bytearray(), b""

    def feed(self, chunk: bytes) -> None:
        """The next bytes. Raises TooLarge, and what `take` raises."""
        at = 0
        while at < len(chunk):
            if self._escaped:
                self._keep(chunk[at : at + 1])
                self._escaped, at = False, at + 1
                continue
            found = (_IN_TEXT if self._in_text else _OUTSIDE).search(chunk, at)
            if found is None:
                self._keep(chunk[at:])
                return
            if self._in_text:
                self._keep(chunk[at : found.end()])
                if found[0] == b'"':
                    self._in_text = False
                else:
                    self._escaped = True
            else:
                self._keep(chunk[at : found.start()])
                self._sign(found[0])
            at = found.end()

    def rest(self) -> Json:
        """The object, with empty lists in place of those that were taken apart. Raises Cut, or ValueError."""
        if self._in_text or self._depth:
            raise Cut
        try:
            return msgspec.json.decode(bytes(self._rest))
        except msgspec.DecodeError:
            # NaN and the like, which some services write.
            return json.loads(self._rest.decode("utf-8", "replace"))

    def _sign(self, sign: bytes) -> None:
        """One of the signs that structure JSON, outside a text."""
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
            if self._in_list and self._depth == 2:
                self._end_item()
                self._in_list = False
            self._depth -= 1
            self._keep(sign)
        elif sign == b"," and self._in_list and self._depth == 2:
            self._end_item()
        else:
            if sign == b":" and self._depth == 1:
                self._name = bytes(self._text[:-1])
            elif self._depth == 1:
                self._name = b""
            self._keep(sign)

    def _keep(self, piece: bytes) -> None:
        if self._in_list:
            self._item += piece
            if len(self._item) > self._max_item:
                self._long = True
            if self._long:
                del self._item[KEPT_OF_LONG:]
            return
        self._rest += piece
        if self._in_text and self._depth == 1:
            self._text += piece
        if len(self._rest) > self._max_rest:
            raise TooLarge(f"more than {self._max_rest / 1e6:.0f} MB")

    def _end_item(self) -> None:
        item, whole = bytes(self._item).strip(), not self._long
        self._item.clear()
        self._long = False
        if item:
            self._take(Item(item, whole))


class Lines:
    """The same for a file of lines: each is an item."""

    def __init__(self, take: Take, *, max_line: int = MAX_ITEM) -> None:
        self._take, self._max_line = take, max_line
        self._line = bytearray()
        self._long = False

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            self._keep(piece)
            self.end()
        self._keep(rest)

    def end(self) -> None:
        """The line is whole: a new one has begun, or the file has ended."""
        line, whole = bytes(self._line).strip(), not self._long
        self._line.clear()
        self._long = False
        if line:
            self._take(Item(line, whole))

    def _keep(self, piece: bytes) -> None:
        self._line += piece
        if len(self._line) > self._max_line:
            self._long = True
        if self._long:
            del self._line[KEPT_OF_LONG:]

"""The body of a create call that carries the requests, made from the request file while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import msgspec

from batchd import Json, Submission

_PIECE = 256_000
"""Bytes that are sent at a time."""


class _Request(msgspec.Struct):
    custom_id: str
    body: msgspec.Raw


_decoder = msgspec.json.Decoder(_Request)


class CreateBody:
    """`{..., "requests": [{"custom_id": ..., "body": {...}}, ...]}`. It is never in memory as a whole."""

    def __init__(self, submission: Submission, members: Mapping[str, Json], custom_id: Callable[[str], str]) -> None:
        self._submission = submission
        head = msgspec.json.encode(members).rstrip(b"}")
        self._head = head + (b"," if members else b"") + b'"requests":['
        self._custom_id = custom_id

    def size(self) -> int:
        """Bytes of it: the file is read once for this, since some servers take no body without its length."""
        return sum(len(piece) for piece in self._pieces())

    async def sent(self) -> AsyncIterator[bytes]:
        """The body in pieces. The file is read in a thread."""
        pieces = self._pieces()
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece

    def _pieces(self) -> Iterator[bytes]:
        piece, first = bytearray(self._head), True
        with self._submission.file.open("rb") as lines:
            for line in lines:
                request = _decoder.decode(line)
                custom_id = msgspec.json.encode(self._custom_id(request.custom_id))
                piece += b'%s{"custom_id":%s,"body":%s}' % (b"" if first else b",", custom_id, bytes(request.body))
                first = False
                if len(piece) > _PIECE:
                    yield bytes(piece)
                    piece.clear()
        yield bytes(piece) + b"]}"

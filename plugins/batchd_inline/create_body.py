"""The body of a create call, which may carry the requests, made from the request file while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import msgspec

from batchd import Json

_PIECE = 256_000
"""Bytes that are sent at a time."""


class _Request(msgspec.Struct):
    custom_id: str
    body: msgspec.Raw


_decoder = msgspec.json.Decoder(_Request)


class CreateBody:
    """`{..., "requests": [{"custom_id": ..., "body": {...}}, ...]}`, never in memory as a whole. Needs `members`."""

    def __init__(self, members: Mapping[str, Json], requests: Path | None, prefix: str) -> None:
        self._requests = requests
        self._members = msgspec.json.encode(members)
        self._prefix = prefix

    def size(self) -> int:
        """Count the bytes of the body. This reads the file once, since some servers take no body without its length."""
        return sum(len(piece) for piece in self._pieces())

    async def sent(self) -> AsyncIterator[bytes]:
        """The body in pieces. The file is read in a thread."""
        pieces = self._pieces()
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece

    def _pieces(self) -> Iterator[bytes]:
        if self._requests is None:
            yield self._members
            return
        # In this order: OpenRouter refuses a body in which the requests come first.
        piece, first = bytearray(self._members[:-1] + b',"requests":['), True
        with self._requests.open("rb") as lines:
            for line in lines:
                request = _decoder.decode(line)
                custom_id = msgspec.json.encode(self._prefix + request.custom_id)
                piece += b'%s{"custom_id":%s,"body":%s}' % (b"" if first else b",", custom_id, bytes(request.body))
                first = False
                if len(piece) > _PIECE:
                    yield bytes(piece)
                    piece.clear()
        yield bytes(piece) + b"]}"

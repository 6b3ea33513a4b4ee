"""One connection that carries one call at a time: HTTP/1.1, read as it comes, within bounds.

A call over aiohttp's client took four times as much of a core as this: see docs/decisions/http.md.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from .wire import MAX_ERROR

MAX_HEAD = 64_000
"""Bytes of status and headers, with all answers that came before (status 1xx), and of what follows the last chunk."""
MAX_CHUNK_LINE = 4_000
_NO_BODY = frozenset({204, 205, 304})


class ConnectionBroken(OSError):
    """The connection ended, or carried something that is not HTTP, before the answer was whole."""


class AnswerTooLong(Exception):
    """A success with more bytes than any answer can have."""


class Reply(NamedTuple):
    """An answer. The names of the headers are in lower case; the body of an error may be cut short."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """A connection: `ask` sends a request and reads its answer.

    Args:
        most: The most bytes of the body of a success, unpacked.
    """

    def __init__(self, most: int) -> None:
        self._max_body = most
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self._waiter: asyncio.Future[Reply] | None = None
        self._usable = False
        self._clear()

    def _clear(self) -> None:
        self._buffer = bytearray()
        self._seen = 0
        """Bytes of the buffer in which no end of the head was found; of heads that are done with."""
        self._heads = 0
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._length: int | None = None
        """Of the body; None for one in chunks, or to the end of the connection."""
        self._chunked = False
        self._missing = 0
        """Bytes of the chunk."""
        self._chunk_ends = self._trailers = False
        self._most = self._max_body
        self._tunnel = False

    @property
    def usable(self) -> bool:
        """Whether another call may be sent."""
        return self._usable and self._waiter is None

    async def ask(self, request: bytes, *, tunnel: bool = False) -> Reply:
        """Send a request and wait for its answer. The connection is closed if that ends in any other way."""
        assert self.transport is not None
        if not self._usable:
            raise ConnectionBroken("The server closed the connection")
        waiter: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiter = waiter
        self._tunnel = tunnel
        self.transport.write(request)
        try:
            return await waiter
        except BaseException:
            self._waiter = None
            self.close()
            raise

    def close(self) -> None:
        """Close it, also in the middle of a call."""
        self._usable = False
        if self.transport is not None:
            self.transport.abort()

    # --- of asyncio ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._usable = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._usable = False
        if self._status and self._length is None and not self._chunked and exc is None:
            self._finish(keep=False)
        elif exc is not None:
            self._fail(exc if isinstance(exc, OSError) else ConnectionBroken(str(exc)))
        else:
            self._fail(ConnectionBroken("The server closed the connection before its answer was whole"))

    def eof_received(self) -> None:
        self._usable = False  # asyncio closes it, and says so a turn of the loop later

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.close()  # nobody has asked
            return
        self._buffer += data
        try:
            self._read()
        except ConnectionBroken as error:
            self._fail(error)
        except AnswerTooLong as error:
            # Of an error the beginning is enough: its status counts.
            if self._status < 400:
                self._fail(error)
            else:
                self._finish(keep=False)

    # --- reading -------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        while not self._status:
            end = self._buffer.find(b"\r\n\r\n", max(0, self._seen - 3))
            self._seen = len(self._buffer)
            if self._heads + (end if end >= 0 else self._seen) > MAX_HEAD:
                raise ConnectionBroken(f"its headers are longer than {MAX_HEAD:,} bytes")
            if end < 0:
                return
            self._read_head(self._buffer[:end].decode("latin-1"))
            self._heads, self._seen = self._heads + end, 0
            del self._buffer[: end + 4]
        if self._chunked:
            self._read_chunks()
        elif self._length is not None:
            self._take(self._length - len(self._body))
            if len(self._body) == self._length:
                self._finish(keep=not self._buffer)
        else:
            self._take(len(self._buffer))

    def _read_head(self, text: str) -> None:
        first, *lines = text.split("\r\n")
        version, _, rest = first.partition(" ")
        code = rest[:3]
        if version not in {"HTTP/1.1", "HTTP/1.0"} or not (code.isascii() and code.isdigit() and int(code) >= 100):
            raise ConnectionBroken(f"it answered with something that is not HTTP/1.1: {first[:80]!r}")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        status = int(code)
        if status < 200 and status != 101:
            return  # another answer follows
        self._status, self._headers = status, headers
        self._most = self._max_body if status < 400 else MAX_ERROR
        self._usable = _is_kept(version, headers)
        if status in _NO_BODY or (self._tunnel and status < 300):
            self._length = 0
        elif coding := headers.get("transfer-encoding"):
            if coding.lower() != "chunked":
                raise ConnectionBroken(f"its answer is sent in a way that batchd does not read: {coding[:80]}")
            self._chunked = True
        elif (length := headers.get("content-length")) is not None:
            if not (length.isascii() and length.isdigit() and len(length) < 19):
                raise ConnectionBroken(f"the length of its answer is no number: {length[:80]}")
            self._length = int(length)

    def _read_chunks(self) -> None:
        while True:
            if self._missing:
                self._missing -= self._take(self._missing)
                if self._missing:
                    return
                self._chunk_ends = True
            line = self._line()
            if line is None:
                return
            if self._chunk_ends:
                if line:
                    raise ConnectionBroken("the chunks of its answer have other lengths than they say")
                self._chunk_ends = False
            elif self._trailers:
                if not line:
                    self._finish(keep=not self._buffer)
                    return
            else:
                self._missing = _size_of(line)
                self._trailers = not self._missing

    def _line(self) -> bytes | None:
        """The next line of those between chunks and after the last one; None if it is not whole yet."""
        end = self._buffer.find(b"\r\n", max(0, self._seen - 1))
        self._seen = len(self._buffer)
        length = end if end >= 0 else self._seen
        if length > MAX_CHUNK_LINE or self._heads + length > MAX_HEAD:
            raise ConnectionBroken("the lines between the chunks of its answer have no end")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self._seen = 0
        self._heads += end if self._trailers else 0
        return line

    def _take(self, most: int) -> int:
        """Move so many bytes from the buffer to the body."""
        if most >= len(self._buffer):
            taken, self._buffer = self._buffer, bytearray()
        else:
            taken = self._buffer[:most]
            del self._buffer[:most]
        self._body += taken
        if len(self._body) > self._most:
            raise AnswerTooLong
        return len(taken)

    def _finish(self, *, keep: bool) -> None:
        waiter, self._waiter = self._waiter, None
        status, headers, body = self._status, self._headers, bytes(self._body)
        self._usable = self._usable and keep
        self._clear()
        if waiter is None or waiter.done():
            return
        try:
            packing = headers.get("content-encoding", "").lower()
            if packing not in {"", "identity"}:
                body = unpacked(body, packing, self._max_body if status < 400 else MAX_ERROR, cut=status >= 400)
        except (ConnectionBroken, AnswerTooLong) as error:
            waiter.set_exception(error)
        else:
            waiter.set_result(Reply(status, headers, body[:MAX_ERROR] if status >= 400 else body))
        if not self._usable:
            self.close()

    def _fail(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        self._usable = False
        self._clear()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.close()


def unpacked(body: bytes, packing: str, most: int, *, cut: bool = False) -> bytes:
    """A body that was packed though nobody asked for that, within its bounds. `cut`: its beginning is enough."""
    if packing not in {"gzip", "x-gzip", "deflate"}:
        raise ConnectionBroken(f"its answer is packed in a way that batchd does not read: {packing[:40]}")
    for window in (47, -15):  # as gzip or zlib; some send "deflate" without a frame
        unpacking = zlib.decompressobj(window)
        try:
            text = unpacking.decompress(body, most + 1)
        except zlib.error:
            continue
        if len(text) > most and not cut:
            raise AnswerTooLong
        if unpacking.eof or cut:
            return text[:most]
    raise ConnectionBroken("its answer is packed and cannot be unpacked")


def _size_of(line: bytes) -> int:
    size = line.partition(b";")[0].strip()
    try:
        return int(size, 16) if size.isalnum() and len(size) < 17 else int("")
    except ValueError:
        raise ConnectionBroken(f"its answer says the length of a chunk as {size[:40]!r}") from None


def _is_kept(version: str, headers: Mapping[str, str]) -> bool:
    told = headers.get("connection", "").lower()
    return "close" not in told if version == "HTTP/1.1" else "keep-alive" in told

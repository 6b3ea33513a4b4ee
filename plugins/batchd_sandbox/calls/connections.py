"""Faulty connections: reset, incomplete or slow."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

from aiohttp import web

_PIECES = 10
_BLOCK = 1 << 16


def reset(request: web.Request) -> web.Response:
    """Resets the connection. The returned response is only for aiohttp; the client never gets it."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # A linger time of 0 makes the kernel send RST; a normal close would look like an empty answer.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=503)


async def send(
    request: web.Request, path: Path, start: int, end: int, *, seconds: float = 0.0, half: bool = False
) -> web.StreamResponse:
    """Announces the bytes from start to end and sends them; with `seconds`, a tenth at a time over that time.

    With `half` it resets the connection after half of the bytes.
    """
    response = web.StreamResponse(status=206 if start else 200, headers=_headers(path, start, end))
    response.content_length = end - start
    await response.prepare(request)
    block = max((end - start) // _PIECES, 1) if seconds else _BLOCK
    with path.open("rb") as file:
        file.seek(start)
        left = (end - start) // 2 if half else end - start
        while left > 0 and (some := file.read(min(left, block))):
            await response.write(some)
            left -= len(some)
            if seconds:
                await asyncio.sleep(seconds / _PIECES)
    if half:
        # Gives the kernel time to send: otherwise the reset would discard the data.
        await asyncio.sleep(0.05)
        reset(request)
    else:
        await response.write_eof()
    return response


async def send_short(request: web.Request, path: Path, start: int, end: int) -> web.StreamResponse:
    """Sends half of the bytes without a length, then closes the connection normally."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("The client has gone.")
    # Written by hand: aiohttp would use chunked encoding, whose end a client can check.
    status = "206 Partial Content" if start else "200 OK"
    head = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in _headers(path, start, end).items())]
    transport.write("\r\n".join([*head, "Connection: close", "", ""]).encode())
    with path.open("rb") as file:
        file.seek(start)
        left = (end - start) // 2
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            transport.write(block)
            left -= len(block)
            await asyncio.sleep(0)
    transport.close()
    return web.Response(status=200)


def _headers(path: Path, start: int, end: int) -> dict[str, str]:
    headers = {"Content-Type": "application/octet-stream"}
    if start:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{path.stat().st_size}"
    return headers


async def send_endless(request: web.Request) -> web.StreamResponse:
    """Sends JSON that does not end, until the client has gone."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"data":"')
    while True:
        await response.write(b"x" * _BLOCK)

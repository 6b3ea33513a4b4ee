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


async def send_half(request: web.Request, path: Path, start: int, end: int) -> web.StreamResponse:
    """Announces the bytes from start to end, sends half of them, then resets the connection."""
    response = web.StreamResponse(status=206 if start else 200, headers=_headers(path, start, end))
    response.content_length = end - start
    await response.prepare(request)
    await _send(response, path, start, (start + end) // 2, pause=0.0)
    # Gives the kernel time to send: otherwise the reset would discard the data.
    await asyncio.sleep(0.05)
    reset(request)
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


async def send_slowly(request: web.Request, path: Path, start: int, end: int, delay: float) -> web.StreamResponse:
    """Sends all bytes, a tenth at a time."""
    response = web.StreamResponse(status=206 if start else 200, headers=_headers(path, start, end))
    response.content_length = end - start
    await response.prepare(request)
    await _send(response, path, start, end, pause=delay / _PIECES)
    await response.write_eof()
    return response


async def send_whole(request: web.Request, path: Path, size: int) -> web.StreamResponse:
    """Sends the whole file with its length, even if a range was requested."""
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = size
    await response.prepare(request)
    await _send(response, path, 0, size, pause=0.0)
    await response.write_eof()
    return response


def _headers(path: Path, start: int, end: int) -> dict[str, str]:
    headers = {"Content-Type": "application/octet-stream"}
    if start:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{path.stat().st_size}"
    return headers


async def _send(response: web.StreamResponse, path: Path, start: int, end: int, *, pause: float) -> None:
    block_size = max((end - start) // _PIECES, 1) if pause else _BLOCK
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (block := file.read(min(left, block_size, _BLOCK * 16))):
            await response.write(block)
            left -= len(block)
            if pause:
                await asyncio.sleep(pause)


async def send_endless(request: web.Request) -> web.StreamResponse:
    """Sends JSON that does not end, until the client has gone."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"data":"')
    while True:
        await response.write(b"x" * _BLOCK)

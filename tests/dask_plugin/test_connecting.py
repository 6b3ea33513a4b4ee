"""A scheduler that is not there, or is something else: the daemon starts, says so, and waits."""

from __future__ import annotations

import asyncio

import pytest

from batchd.plugin.catalogue import Catalogue

from .cluster import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dask")]


async def trouble_at(address: str) -> str:
    executor = Catalogue.load().create("executor", "dask", {"address": address})
    await executor.aopen()
    try:
        assert executor.number >= 1
        return str(executor.trouble)
    finally:
        await executor.aclose()


async def test_nobody_is_there() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    said = f"Timed out trying to connect to {address} after 5 s"
    assert await trouble_at(address) == f"The scheduler {address} cannot be reached: {said}. Tasks wait for it."


async def test_something_else_is_there() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert "cannot be reached" in await trouble_at(f"127.0.0.1:{port}")

"""A scheduler that is not there, or is something else: the daemon starts, says so, and waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from batchd.plugin.catalogue import Catalogue
from batchd.testing.conformance.executor import Sum, add, note_a_run
from batchd.values import replace
from batchd.workers.nodes import MARK, ask_for

from .cluster import cluster, free_port

pytestmark = pytest.mark.slow


@asynccontextmanager
async def opened(address: str, **attributes: Any) -> AsyncIterator[Any]:
    executor = Catalogue.load().create("executor", "dask", {"address": address})
    for name, value in attributes.items():
        setattr(executor, name, value)
    await executor.aopen()
    try:
        yield executor
    finally:
        await executor.aclose()


async def trouble_at(address: str) -> str:
    async with opened(address, connect_within=0.5) as executor:
        assert executor.number >= 1
        return str(executor.trouble)


async def test_nobody_is_there() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    said = f"Timed out trying to connect to {address} after 0.5 s"
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


@pytest.mark.third
@pytest.mark.slow(seconds=5)
@pytest.mark.field("folders")
async def test_a_node_is_used_once_it_has_what_it_lacked(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o700)
    with cluster(tmp_path / "cluster", nodes=1) as there:
        there.wait_for_nodes()
        hello = replace(ask_for(None, frozenset(), tmp_path / "spool", marking=False), mark="4711")
        async with opened(there.address, hello=hello, ask_every=0.1) as executor:
            assert "it cannot use the folder of the working files" in executor.trouble
            waiting = asyncio.ensure_future(executor.run(add, Sum([20, 22])))
            (tmp_path / "spool" / MARK).write_text("4711")
            assert await waiting == Sum([42])
            (tmp_path / "spool" / MARK).write_text("of another")
            while not executor.trouble:
                await asyncio.sleep(0.05)
            [node] = executor.nodes()
            assert "another folder than the daemon's is at" in node.fault


@pytest.mark.third
@pytest.mark.slow(seconds=5)
@pytest.mark.field("folders")
async def test_what_a_node_has_done_is_not_done_again_if_it_dies_before_the_daemon_knows(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o700)
    done = tmp_path / "done"
    with cluster(tmp_path / "cluster", nodes=1) as there:
        there.wait_for_nodes()
        hello = ask_for(None, frozenset(), tmp_path / "spool", marking=True)
        async with opened(there.address, hello=hello) as executor:
            running = asyncio.ensure_future(executor.run(note_a_run, str(done)))
            while not any((tmp_path / "spool" / "outcomes").glob("*[!t]")):  # no draft
                await asyncio.sleep(0)
            there.kill("node-1")
            there.start_node("node-2")
            assert await running == 1
            assert done.read_text() == "run\n"
            while any((tmp_path / "spool" / "outcomes").iterdir()):
                await asyncio.sleep(0.01)

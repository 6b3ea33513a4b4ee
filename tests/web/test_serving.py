"""The page beside the daemon: at its address, within bounds, and never in its way."""

from __future__ import annotations

import asyncio
import logging
import socket
import stat
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from batchd.config import toml
from batchd.config.problems import Problems
from batchd.config.web import Address, WebTable, check_web
from batchd.settings import Secret
from batchd.web import serving
from batchd.web.desk import READS_AT_ONCE, Desk
from batchd.web.serving import Serving
from batchd.web.tokens import WebRole, make_token

from ..cli.cli_kit import House
from .web_kit import FakeDaemon


@asynccontextmanager
async def listening(house: House, address: Address, **web: Any) -> AsyncIterator[Serving]:
    """A page at this address, until the end of the block."""
    daemon = FakeDaemon(house, **web)
    page = Serving(daemon, address, socket_mode=daemon.web.socket_mode)
    await page.start()
    try:
        yield page
    finally:
        await page.stop()


async def get(url: str, **more: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, **more) as answer:
        return answer.status, await answer.text()


async def test_it_says_where_it_is(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening(house, Address("127.0.0.1", 0)) as page:
        assert page.listening is not None
        assert f"The page is at {page.listening}" in caplog.text
        assert await get(f"{page.listening}healthz") == (200, "ok\n")


async def test_an_address_that_is_taken_is_said_in_words(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with listening(house, Address("127.0.0.1", port)) as page:
            assert page.listening is None
    assert f"There is no page at http://127.0.0.1:{port}/: another program has this address." in caplog.text


async def test_a_daemon_that_starts_again_has_its_address_at_once(house: House) -> None:
    async with listening(house, Address("127.0.0.1", 0)) as first:
        assert first.listening is not None
        address = first.listening
        reader, writer = await asyncio.open_connection(address.host, address.port)
    # The old connection is still known to the system.
    async with listening(house, address) as second:
        assert second.listening == address
    writer.close()
    del reader


async def test_a_socket_lets_in_who_may_open_it(house: House) -> None:
    path = house.folder / "web.sock"
    # What a daemon that was killed has left there.
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with listening(house, Address(socket=str(path)), socket_mode="0600") as page:
        assert page.listening == Address(socket=str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get("http://localhost/") as answer:
                assert answer.status == 200
            async with session.get("http://evil.example/") as answer:
                assert answer.status == 421
    assert not path.exists()
    # With a token, the socket alone lets nobody in.
    make_token(house.state, WebRole.READ)
    async with (
        listening(house, Address(socket=str(path))),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get("http://localhost/") as answer,
    ):
        assert answer.status == 401


async def test_a_socket_that_another_daemon_uses_is_left_to_it(house: House, caplog: pytest.LogCaptureFixture) -> None:
    path = house.folder / "web.sock"
    async with listening(house, Address(socket=str(path))):
        async with listening(house, Address(socket=str(path))) as second:
            assert second.listening is None
        assert "another program has this address" in caplog.text
        file = house.folder / "file"
        file.write_text("mine")
        async with listening(house, Address(socket=str(file))) as third:
            assert third.listening is None
        assert file.read_text() == "mine"


async def test_what_is_no_request_costs_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with listening(house, Address("127.0.0.1", 0)) as page:
        assert page.listening is not None
        port = page.listening.port
        for sent in (
            b"\x16\x03\x01 hello",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            writer.write_eof()
            async with asyncio.timeout(5):
                answer = await reader.read()
            assert not answer or b" 40" in answer.partition(b"\r\n")[0] or b" 4" in answer[:14], answer[:80]
            writer.close()
        assert await get(f"{page.listening}healthz") == (200, "ok\n")
    assert "Traceback" not in caplog.text


async def test_connections_are_bounded(house: House) -> None:
    async with listening(house, Address("127.0.0.1", 0)) as page:
        assert page.listening is not None
        many = [
            await asyncio.open_connection("127.0.0.1", page.listening.port) for _ in range(serving.MAX_CONNECTIONS + 10)
        ]
        async with asyncio.timeout(5):
            closed = [reader for reader, _ in many[serving.MAX_CONNECTIONS :] if await reader.read() == b""]
        assert len(closed) == 10
        for _, writer in many:
            writer.close()


def test_addresses() -> None:
    local = ("127.0.0.1:8321", "127.9.9.9:0", "[::1]:8321", "localhost:8321", "unix:web.sock")
    reachable = ("0.0.0.0:8321", "[::]:8321", "192.0.2.7:80", "batchd.example.org:80")
    assert [text for text in local if not Address.parse(text).is_local] == []
    assert [text for text in reachable if Address.parse(text).is_local] == []
    for wrong in ("8321", "127.0.0.1", "127.0.0.1:99999", "1.2.3:80", "[x]:80", "a/b:80", "unix:", "http://x:80", ""):
        with pytest.raises(ValueError, match="write an address such as"):
            Address.parse(wrong)


def test_an_address_that_others_reach_needs_a_token(tmp_path: Path) -> None:
    document = toml.Document(tmp_path / "config.toml", "", {}, [])
    for table, refused in (
        (WebTable(listen="127.0.0.1:80"), False),
        (WebTable(listen="0.0.0.0:80"), True),
        (WebTable(listen="0.0.0.0:80", token=Secret("env:T")), False),
    ):
        problems = Problems(document)
        check_web(table, tmp_path, problems)
        assert bool(problems) is refused
    make_token(tmp_path, WebRole.READ)
    problems = Problems(document)
    check_web(WebTable(listen="0.0.0.0:80"), tmp_path, problems)
    assert not problems


async def test_a_read_keeps_its_place_until_its_thread_ends(house: House) -> None:
    desk = Desk(FakeDaemon(house), Address("127.0.0.1", 0))
    loop = asyncio.get_running_loop()
    go, began = threading.Event(), asyncio.Queue[int]()

    def read(number: int) -> None:
        loop.call_soon_threadsafe(began.put_nowait, number)
        go.wait()

    with ThreadPoolExecutor(READS_AT_ONCE + 1) as threads:
        loop.set_default_executor(threads)
        try:
            reads = [asyncio.create_task(desk.read(partial(read, number))) for number in range(READS_AT_ONCE)]
            for _ in reads:
                await began.get()
            for each in reads:
                each.cancel()
            await asyncio.wait(reads)
            another = asyncio.create_task(desk.read(go.is_set))
            for _ in range(5):
                await asyncio.sleep(0)
            # One thread is free. It would have taken the other read before this.
            await asyncio.to_thread(lambda: None)
        finally:
            go.set()
        assert await another

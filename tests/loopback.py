"""A service on loopback that answers as a test says, and the trust store of this machine, read once."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx2
import pytest
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handle: Handler, below: str = "", *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server; yields its address, with `below` at its end."""
    app = web.Application(client_max_size=300_000_000)
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}{below}"
    finally:
        await runner.cleanup()


@contextmanager
def serving_in_a_thread(handle: Handler, below: str = "") -> Iterator[str]:
    """The same for tests that have event loops of their own."""
    loop, begun, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    addresses: list[str] = []

    async def run() -> None:
        async with serving(handle, below) as address:
            addresses.append(address)
            begun.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert begun.wait(10)
    try:
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="session")
def trust() -> ssl.SSLContext:
    """The machine's trust store. Reading it takes longer than most of the tests of a provider."""
    return httpx2.create_ssl_context()


@pytest.fixture(autouse=True)
def _read_trust_once(monkeypatch: pytest.MonkeyPatch, trust: ssl.SSLContext) -> None:
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda **_: trust)

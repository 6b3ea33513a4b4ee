"""A daemon that belongs to a client in Python: its page is at the client's socket, and it ends with the client.

The first line on standard input is the token. When standard input ends, so does the daemon, in good order: the client
has closed it, or was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from ..settings import Secret
from .daemon import Daemon
from .page import page_of


@contextlib.asynccontextmanager
async def page_for_client(daemon: Daemon, socket: str) -> AsyncIterator[None]:
    """Serve the page at this socket in place of the configured address."""
    told = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(told), sys.stdin.buffer
    )
    token = (await told.readline()).decode().strip()

    async def follow() -> None:
        await told.read()
        daemon.supervisor.stop()

    web = {"listen": f"unix:{socket}", "token": Secret(token), "read_token": None, "socket_mode": 0o600}
    following = asyncio.create_task(follow(), name="end with the client")
    try:
        async with page_of(daemon, web):
            yield
    finally:
        following.cancel()
        transport.close()

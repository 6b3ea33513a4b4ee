"""The listening socket, which can be closed for a while without losing its port."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web


class Listener:
    """Accepts connections for a runner on one port."""

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner = runner
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Bound but not listening: it keeps the port for us while connections are refused.
        self._reservation = _bound(family, host, port)
        self._address = self._reservation.getsockname()
        self._family = family
        self._site: web.SockSite | None = None
        self._refusal: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port in use, also if a free one was requested."""
        return int(self._address[1])

    async def open(self) -> None:
        """Begins to accept connections. Raises OSError if the port is in use."""
        self._site = web.SockSite(self._runner, _bound(self._family, *self._address[:2]))
        await self._site.start()

    def refuse(self, seconds: float) -> None:
        """Refuses new connections for a while, and aborts the open ones."""
        if self._refusal is None or self._refusal.done():
            self._refusal = asyncio.create_task(self._refuse(seconds), name="refusing connections")

    async def close(self) -> None:
        """Releases the port."""
        if self._refusal is not None:
            self._refusal.cancel()
            await asyncio.gather(self._refusal, return_exceptions=True)
        self._reservation.close()

    async def _refuse(self, seconds: float) -> None:
        if self._site is not None:
            await self._site.stop()
        server = self._runner.server
        for connection in list(server.connections) if server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(seconds)
        await self.open()


LISTENER = web.AppKey("listener", Listener)


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound

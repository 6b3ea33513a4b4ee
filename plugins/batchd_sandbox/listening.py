"""The listening socket, which can be closed for a while and keeps its port."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web


class Listener:
    """Accepts connections for a runner on one port."""

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner = runner
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Bound and never listening: while connections are refused nobody else can take the port.
        self._reservation = _bound(family, host, port)
        self._address = self._reservation.getsockname()
        self._family = family
        self._site: web.SockSite | None = None
        self._returning: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port, also where a free one was asked for."""
        return int(self._address[1])

    async def open(self) -> None:
        """Begins to accept connections; OSError if the port is taken."""
        self._site = web.SockSite(self._runner, _bound(self._family, *self._address[:2]))
        await self._site.start()

    def refuse(self, seconds: float) -> None:
        """Refuses connections for a while, and cuts those there are."""
        if self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._refuse(seconds), name="refusing connections")

    async def close(self) -> None:
        """Gives the port back."""
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.gather(self._returning, return_exceptions=True)
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

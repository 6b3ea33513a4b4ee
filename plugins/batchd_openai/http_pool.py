"""The connections to one service, directly or through a proxy: as many as there are calls at once, and used again."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .http_connection import Connection, ConnectionBroken, Reply
from .proxies import Proxy

IDLE = 15.0
"""Seconds without a call after which a connection is not used again: the service may be about to close it."""
NEXT_ADDRESS = 0.25
"""Seconds after which the next of a host's addresses is tried, too."""


class NotReached(OSError):
    """No connection came about, so nothing of a request was sent."""


class ProxyInTheWay(NotReached):
    """It is the proxy that cannot be reached, or lets nothing through."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is. `tls` is None for http."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class HttpPool:
    """The connections. `most` is the most bytes of an answer."""

    def __init__(self, place: Place, proxy: Proxy, *, connect_timeout: float, most: int) -> None:
        self._place = place
        self._proxy = proxy
        self._connect_timeout = connect_timeout
        self._most = most
        self._idle: deque[Connection] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def ask(self, request: bytes) -> Reply:
        """Send a request over a connection that is free, or a new one."""
        connection = self._free() or await self._connect()
        try:
            return await connection.ask(request)
        finally:
            if connection.usable:
                self._give_back(connection)

    def close(self) -> None:
        """Close all that are free, and the others when their calls end."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            self._idle.pop().close()

    def _free(self) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - IDLE
        while self._idle:
            # The last one that was used: those that are too many grow old.
            connection = self._idle.pop()
            if connection.usable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(IDLE, self._close_old)

    def _close_old(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE
        while self._idle and (self._idle[0].idle_since <= oldest or not self._idle[0].usable):
            self._idle.popleft().close()
        self._sweep = loop.call_later(IDLE, self._close_old) if self._idle else None

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_timeout):
                if self._proxy.url is None:
                    return await self._open(self._place)
                return await self._through(self._proxy.url)
        except ProxyInTheWay:
            raise
        except OSError as error:  # TimeoutError, too
            raise NotReached from error

    async def _open(self, place: Place) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self._most),
            place.host,
            place.port,
            ssl=place.tls,
            happy_eyeballs_delay=NEXT_ADDRESS,
        )
        return connection

    async def _through(self, url: str) -> Connection:
        """A connection to the proxy; for https, a tunnel through it."""
        proxy, service = urlsplit(url), self._place
        secure = ssl.create_default_context() if proxy.scheme == "https" else None
        try:
            connection = await self._open(Place(proxy.hostname or "", proxy.port or (443 if secure else 80), secure))
            if service.tls is None:
                return connection
            target = f"{f'[{service.host}]' if ':' in service.host else service.host}:{service.port}"
            head = request_head("CONNECT", target, {"Host": target, **(self._proxy.with_tunnel or {})})
            reply = await connection.ask(head + b"\r\n", tunnel=True)
        except OSError as error:
            raise ProxyInTheWay from error
        if reply.status != 200 or not connection.usable:
            connection.close()
            raise ProxyInTheWay(f"the proxy answered with status {reply.status}")
        assert connection.transport is not None
        transport = await asyncio.get_running_loop().start_tls(
            connection.transport, connection, service.tls, server_hostname=service.host
        )
        if transport is None:
            raise ConnectionBroken("The server closed the connection")
        connection.connection_made(transport)
        return connection


def request_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The first lines of a request, without the empty line at its end. Of headers of one name the last one is sent.

    Raises ValueError if a header could be taken for several.
    """
    lines = {name.lower(): f"{name}: {value}" for name, value in headers.items()}
    text = "\r\n".join([f"{method} {target} HTTP/1.1", *lines.values(), ""])
    if "\0" in text or text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1:
        raise ValueError("a header has a line break in it")
    return text.encode()

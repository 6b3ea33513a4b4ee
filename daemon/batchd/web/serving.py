"""Serves the page beside the daemon: within bounds, and without ever ending the daemon or holding it up."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from ..config.web import Address
from ..system.threads import threads_of
from .application import application
from .backend import Backend

if TYPE_CHECKING:
    from aiohttp.web_protocol import RequestHandler

logger = logging.getLogger(__name__)
_quiet = logging.getLogger(f"{__name__}.connections")
"""Where aiohttp logs malformed requests. It is disabled, since anybody can send them."""
_quiet.disabled = True

MAX_CONNECTIONS = 256
"""Open connections; more are closed at once."""
FIRST_REQUEST_WITHIN = 20.0
"""Seconds in which a new connection must have sent the head of a request."""
KEEP_ALIVE = 30.0
TRY_AGAIN = 10.0
"""Seconds until an address that could not be bound is tried again."""
STOP_WITHIN = 1.0
"""Seconds that answers under way have when the daemon ends."""
MAX_HEAD = 16_384
"""Bytes of a line or field in the head of a request."""


class Serving:
    """The page at its address. If the address is taken, it is tried again, and the daemon works without the page."""

    def __init__(self, backend: Backend, address: Address, *, socket_mode: int) -> None:
        self.address = address
        self._backend = backend
        self._socket_mode = socket_mode
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen, and log where. Return after the first try, even if it failed."""
        # The page must not use the daemon's threads. Tasks of connections inherit this.
        with threads_of("page"):
            self._runner = web.AppRunner(
                application(self._backend, self.address),
                handle_signals=False,
                access_log=None,
                logger=_quiet,
                keepalive_timeout=KEEP_ALIVE,
                max_line_size=MAX_HEAD,
                max_field_size=MAX_HEAD,
                auto_decompress=False,
                shutdown_timeout=STOP_WITHIN,
                # A client that disconnects early needs no answer.
                handler_cancellation=True,
            )
            await self._runner.setup()
            if not await self._listen(first=True):
                self._task = asyncio.create_task(self._keep_trying(), name="listen for the page")

    async def stop(self) -> None:
        """Close the address first, so that the next daemon can have it, then all connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            if self.address.socket is not None:
                with contextlib.suppress(OSError):
                    os.unlink(self.address.socket)
        if self._runner is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * STOP_WITHIN):
                    await self._runner.cleanup()

    @property
    def listening(self) -> Address | None:
        """The address of the page, with the port that the system chose for 0; None if it does not listen."""
        if self._server is None:
            return None
        if self.address.socket is not None:
            return self.address
        return Address(self.address.host, self._server.sockets[0].getsockname()[1])

    async def _keep_trying(self) -> None:
        listening = False
        while not listening:
            await asyncio.sleep(TRY_AGAIN)
            listening = await self._listen(first=False)

    async def _listen(self, *, first: bool) -> bool:
        try:
            with contextlib.ExitStack() as undo:
                if self.address.socket is not None:
                    bound = _unix_socket(Path(self.address.socket), self._socket_mode)
                else:
                    bound = await _tcp_socket(self.address.host, self.address.port)
                undo.callback(bound.close)
                self._server = await self._serve(bound)
                undo.pop_all()
        except (OSError, OverflowError) as error:
            if first:
                logger.error("%s", _in_words(self.address, error), extra={"action": "Web"})
            return False
        logger.info("The page is at %s", self.listening, extra={"action": "Web"})
        return True

    async def _serve(self, bound: socket.socket) -> asyncio.Server:
        assert self._runner is not None
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            if len(server.connections) >= MAX_CONNECTIONS:
                return _Closed()
            handler = server()
            loop.call_later(FIRST_REQUEST_WITHIN, _close_if_silent, handler)
            return handler

        if self.address.socket is not None:
            return await loop.create_unix_server(connection, sock=bound)
        return await loop.create_server(connection, sock=bound)


class _Closed(asyncio.Protocol):
    """Closes a connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _close_if_silent(handler: RequestHandler) -> None:
    if getattr(handler, "_request_count", 1) == 0 and not getattr(handler, "_current_request", None):
        handler.force_close()


async def _tcp_socket(host: str, port: int) -> socket.socket:
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # A name may have addresses of IPv4 and IPv6. Browsers try the first one.
    family, kind, protocol, _, place = infos[0]
    bound = socket.socket(family, kind, protocol)
    try:
        # A restarted daemon need not wait until the system has forgotten the connections of the last one.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(place)
        bound.listen(128)
    except BaseException:
        bound.close()
        raise
    return bound


def _unix_socket(path: Path, mode: int) -> socket.socket:
    """Make a socket at this path. One that a killed daemon has left there is removed; one that is in use is not."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file of this name", str(path))
        if _answers(path):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        # Nobody can connect before the socket has its mode.
        draft = path.with_name(f".{path.name}.draft")
        draft.unlink(missing_ok=True)
        bound.bind(str(draft))
        draft.chmod(mode)
        draft.rename(path)
        bound.listen(128)
    except BaseException:
        bound.close()
        raise
    return bound


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(0.5)
        try:
            asked.connect(str(path))
        except TimeoutError:
            return True
        except OSError:
            return False
    return True


def _in_words(address: Address, error: OSError | OverflowError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        why = "another program has this address. End it, or give [web] listen another port"
    elif number == errno.EACCES:
        why = "batchd may not use it. Ports below 1024 belong to root; the folder of a socket must be writable"
    elif number in (errno.EADDRNOTAVAIL, socket.EAI_NONAME, errno.ENOENT):
        why = f"there is no such address or folder on this machine ({error})"
    else:
        why = str(error)
    return (
        f"There is no page at {address}: {why}. Jobs go on without it, and the address is tried again every "
        f"{TRY_AGAIN:.0f} s."
    )

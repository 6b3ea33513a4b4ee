"""Live pages: a line to each browser whenever something that people see has changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from ..errors import BatchdError
from ..status.listing import version_of
from .answers import Refused
from .desk import Busy

if TYPE_CHECKING:
    from .desk import Desk

logger = logging.getLogger(__name__)

MAX_STREAMS = 64
"""Browsers that are notified. More are refused, and try again by themselves."""
LOOK_EVERY = 1.0
ALIVE_EVERY = 15.0
"""Seconds after which a line without meaning shows that the connection is alive."""
WRITE_WITHIN = 10.0
"""Seconds that a browser may take for a line before it is disconnected."""
TRY_AGAIN = 2_000
"""Milliseconds after which a browser connects again."""


class Changes:
    """Looks for changes once a second for all browsers, and not while there is no browser."""

    def __init__(self, desk: Desk, *, most: int = MAX_STREAMS) -> None:
        self._desk = desk
        self._most = most
        self._version = ""
        self._told: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/v1/stream`: notify this browser until it disconnects."""
        if self._closed or len(self._told) >= self._most:
            raise Refused(503, "Too many browsers listen already.", headers={"Retry-After": "30"})
        changed = asyncio.Event()
        self._told.add(changed)
        if self._task is None:
            self._task = asyncio.create_task(self._look(), name="look for changes for the page")
        try:
            response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
            response.content_type = "text/event-stream"
            await response.prepare(request)
            await _write(response, f"retry: {TRY_AGAIN}\n\n")
            while not self._closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), ALIVE_EVERY)
                if self._closed:
                    break
                text = "event: changed\ndata: {}\n\n" if changed.is_set() else ": alive\n\n"
                changed.clear()  # before the write, which may take seconds: what changes meanwhile is told next
                await _write(response, text)
            return response
        finally:
            self._told.discard(changed)
            if not self._told and self._task is not None:
                self._task.cancel()
                self._task = None

    async def close(self, _: web.Application) -> None:
        """Disconnect all browsers. They connect again by themselves."""
        self._closed = True
        for changed in self._told:
            changed.set()

    async def _look(self) -> None:
        self._version = ""
        while True:
            try:
                setting, _ = await self._desk.known()
                version = await self._desk.read(partial(version_of, setting.places.state))
            except (BatchdError, Busy):
                version = "away"
            if version != self._version:
                for changed in self._told if self._version else ():
                    changed.set()
                self._version = version
            await asyncio.sleep(LOOK_EVERY)


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_WITHIN):
        await response.write(text.encode())

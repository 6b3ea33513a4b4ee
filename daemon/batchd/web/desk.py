"""What all handlers share: the daemon, the tokens, threads for reading, and answers for the next page."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from aiohttp import web

from ..config.web import Address
from ..people.language import LANGUAGES, Language
from ..values import replace
from .backend import Backend, Setting
from .tokens import Key, KnownTokens, WebRole
from .visitor import Visitor

T = TypeVar("T")

READS_AT_ONCE = 4
"""Threads that read and render at a time: the rest of the machine is for the daemon."""
ORDERS_AT_ONCE = 2
MAX_WAITING = 64
"""Requests that wait for one of these; more are refused."""
PAUSE = 0.5
"""Seconds to wait before the answer to a wrong token."""
LOOK_EVERY = 1.0
"""Seconds after which the configuration and the tokens are looked at again."""
NOTES_KEPT = 100
"""Answers to orders that are kept until the browser asks for its next page."""
LANGUAGE_COOKIE = "batchd_language"


class Busy(Exception):
    """Too many requests wait already."""


class Desk:
    """The page's own state. Nothing of it outlives the process."""

    def __init__(self, backend: Backend, address: Address, *, pause: float = PAUSE, waiting: int = MAX_WAITING) -> None:
        self.backend = backend
        self.address = address
        self.pause = pause
        self._most_waiting = waiting
        self.socket_key = Key(WebRole.ORDER, secrets.token_bytes(32))
        self._known: tuple[Setting, KnownTokens] | None = None
        self._looked_at = 0.0
        self._looking = asyncio.Lock()
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._orders = asyncio.Semaphore(ORDERS_AT_ONCE)
        self._waiting = 0
        self._notes: OrderedDict[str, tuple[str, bool]] = OrderedDict()

    async def known(self) -> tuple[Setting, KnownTokens]:
        """The configuration and the tokens, at most a second old."""
        if self._known is None or time.monotonic() - self._looked_at > LOOK_EVERY:
            async with self._looking:
                if self._known is None or time.monotonic() - self._looked_at > LOOK_EVERY:
                    self._known = await asyncio.to_thread(self._look)
                    self._looked_at = time.monotonic()
        return self._known

    def _look(self) -> tuple[Setting, KnownTokens]:
        setting = self.backend.setting()
        return setting, KnownTokens.read(setting.web, setting.places.state)

    async def read(self, function: Callable[[], T]) -> T:
        """Run this in a thread: it reads the database or renders. Busy if too many wait."""
        return await self._in_thread(self._reads, function)

    async def order(self, function: Callable[[], T]) -> T:
        """Run this in a thread: it leaves an order, and waits for the daemon. Reads do not wait for it."""
        return await self._in_thread(self._orders, function)

    async def _in_thread(self, room: asyncio.Semaphore, function: Callable[[], T]) -> T:
        if self._waiting >= self._most_waiting:
            raise Busy
        self._waiting += 1
        try:
            await room.acquire()
            work = asyncio.create_task(asyncio.to_thread(function))
            # A request may be cancelled. Its thread goes on, and keeps its place until it ends.
            work.add_done_callback(lambda ended: _leave(room, ended))
            await asyncio.wait([work])
            return work.result()
        finally:
            self._waiting -= 1

    def keep_note(self, text: str, *, refused: bool) -> str:
        """Keep an answer for the next page. Return the word that brings it back."""
        name = secrets.token_urlsafe(9)
        self._notes[name] = (text, refused)
        while len(self._notes) > NOTES_KEPT:
            self._notes.popitem(last=False)
        return name

    def note(self, name: str) -> tuple[str, bool] | None:
        """Return what was kept under this word, and forget it."""
        return self._notes.pop(name, None)


def _leave(room: asyncio.Semaphore, ended: asyncio.Task[Any]) -> None:
    room.release()
    if not ended.cancelled():
        ended.exception()  # asyncio logs one that nobody asks for, as after a request that was cancelled


DESK: web.AppKey[Desk] = web.AppKey("desk", Desk)
VISITOR: web.RequestKey[Visitor] = web.RequestKey("visitor", Visitor)
"""Who makes a request. The guard sets it."""


def language_of(request: web.Request, setting: Setting) -> Language:
    """The language that this browser has chosen, else that of the configuration."""
    wanted = request.query.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    for code in LANGUAGES:
        if code == wanted:
            return replace(setting.language, code=code)
    return setting.language

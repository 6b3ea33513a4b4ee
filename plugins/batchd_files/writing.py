"""Long writing beside the event loop: in a thread, in chunks, and over at once when nobody wants it any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, Protocol

from batchd import Outbox

_CHUNK = 1 << 16
"""Bytes put together before they are written; so many keep the interpreter to themselves for microseconds only."""


class Abandoned(Exception):
    """Raised in the writing thread once the delivery is cancelled; what was written disappears."""


class Wanted(Protocol):
    """Raises Abandoned once the delivery is cancelled."""

    def __call__(self) -> None: ...


async def in_thread(write: Callable[[Wanted], None]) -> None:
    """Run `write` in a thread. When cancelled, it returns only after the thread has let go of its files.

    Otherwise the next delivery of the same job would write beside it, to drafts of the same names.
    """
    cancelled = threading.Event()

    def wanted() -> None:
        if cancelled.is_set():
            raise Abandoned

    # Not `to_thread`: as a task it would be cancelled with all others when the loop ends, and the thread go on alone.
    writing = asyncio.get_running_loop().run_in_executor(None, write, wanted)
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        cancelled.set()
        await asyncio.wait([writing])
        # Asked for, so that nobody is told of an exception that was never looked at.
        writing.exception()
        raise


class Draft:
    """A file on its way to the outbox, written in chunks. Opened with its first line, so it may never be."""

    def __init__(self, stack: ExitStack, outbox: Outbox, suffix: str, wanted: Wanted) -> None:
        self._stack = stack
        self._outbox = outbox
        self._suffix = suffix
        self._wanted = wanted
        self._file: IO[bytes] | None = None
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def begun(self) -> bool:
        """Whether anything was added."""
        return self._file is not None

    def add(self, line: bytes) -> None:
        """Add a line, its end included."""
        if self._file is None:
            self._file = self._stack.enter_context(self._outbox.publishing(self._suffix))
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Hand what was added to the file."""
        self._wanted()
        if self._file is not None:
            self._file.write(b"".join(self._lines))
        self._lines.clear()
        self._size = 0

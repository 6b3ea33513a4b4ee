"""The file that answers are downloaded to. It takes no more bytes than the answers can have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, cast

from ..errors import ProviderError
from ..files import replacing
from ..work.collecting.answer_bounds import LaterBounds


class TooManyAnswers(ProviderError):
    """The service sends more than the answers to the requests can have."""


@asynccontextmanager
async def replacing_off_the_loop(target: Path) -> AsyncIterator[IO[bytes]]:
    """`replacing`, with its fsyncs in threads: for a hundred megabytes they would block the event loop too long."""
    draft = replacing(target)
    file = await asyncio.to_thread(draft.__enter__)
    try:
        yield file
    except BaseException as error:
        await asyncio.shield(asyncio.to_thread(draft.__exit__, type(error), error, error.__traceback__))
        raise
    await asyncio.shield(asyncio.to_thread(draft.__exit__, None, None, None))


def bounded(file: IO[bytes], bounds: LaterBounds, *, provider: str, requests: int) -> IO[bytes]:
    """Wrap the file so that writes from its current position on keep within the bounds."""
    return cast("IO[bytes]", _Bounded(file, bounds, provider, requests))


class _Bounded:
    """A file that raises TooManyAnswers for a write beyond the bounds."""

    def __init__(self, file: IO[bytes], bounds: LaterBounds, provider: str, requests: int) -> None:
        self._file = file
        self._bounds = bounds
        self._begin_at, self._most = bounds.least // 2, bounds.least
        self._about = (provider, requests)
        self._start = file.tell()
        self._arrived = 0

    def write(self, chunk: bytes) -> int:
        """Write the chunk, or raise TooManyAnswers."""
        self._arrived += len(chunk)
        if self._arrived > self._begin_at:
            self._look()
        return self._file.write(chunk)

    def _look(self) -> None:
        # A thread computes the bounds, ahead of time: this runs on the event loop.
        self._bounds.begin()
        if self._arrived <= self._most:
            return
        bounds = self._bounds.get()
        if bounds is None:
            return
        self._begin_at = self._most = bounds.total
        if self._arrived > self._most:
            provider, requests = self._about
            raise TooManyAnswers(
                f"{provider} sends more than {self._most / 1e6:,.0f} MB, which is more than the answers to these "
                f"{requests:,} requests can have, so the download was ended. Nothing is asked again. If this goes on, "
                "ask the service, or cancel the job."
            )

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to another position: mostly back to the start, for another try."""
        at = self._file.seek(offset, whence)
        self._arrived = at - self._start
        return at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

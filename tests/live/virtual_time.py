"""An event loop whose time passes at once: where nothing is to be done, it is already later."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    """Waits for nothing but threads."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(None if timeout is None else 0)
        if not found and timeout:
            self.skipped += timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """The seconds that were skipped."""
        return self._skipping.skipped

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads, without the limit that newer Pythons set: its time would pass at once."""
        await super().shutdown_default_executor()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run it to its end. No time limit may stand around what a thread does."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)

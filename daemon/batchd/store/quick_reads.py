"""Makes short reads in the caller's thread, with a connection of their own.

Trips to the database's thread and back took a third of a small file's time in the main process; a trip takes longer
than most reads. A read that is not over in time is given up here, and made in that thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

MAX_SECONDS = 0.002
"""The longest time that a read may block the event loop."""
_STEPS = 1_000
"""SQLite asks whether the read is late after this many steps of its virtual machine, about 50 µs."""


class NotQuick(Exception):  # no fault: the read is made elsewhere
    """The read takes too long, or the database is locked."""


class QuickReads:
    """A connection that only reads, for the thread that made it."""

    def __init__(self, path: Path) -> None:
        self._until = 0.0
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA query_only=ON")
        # A lock of another connection lasts longer than this read may wait.
        self._connection.execute("PRAGMA busy_timeout=0")
        self._connection.set_progress_handler(self._is_late, _STEPS)

    def read(self, look: Callable[[sqlite3.Connection, Callable[[], None]], T]) -> T:
        """Return what `look` returns; all that it reads is of one moment. Raise NotQuick if it must be read elsewhere.

        `look` gets the connection, and a function to call between its queries.
        """
        self._until = time.perf_counter() + MAX_SECONDS
        try:
            self._connection.execute("BEGIN")
            return look(self._connection, self._check)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise NotQuick from None
            raise
        finally:
            self._until = float("inf")
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _is_late(self) -> bool:
        return time.perf_counter() > self._until

    def _check(self) -> None:
        if self._is_late():
            raise NotQuick

"""Reads that are over in a moment are made where they are asked for, by a connection of their own.

Of a small file's time in the main process, trips to the database's thread and back were a third; a trip takes longer
than most reads. A read that is not over in time is given up, and made in the thread.
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
"""The event loop stands still so long at most."""
_STEPS = 1_000
"""SQLite asks whether it is late after so many steps of its machine, which are some 50 µs."""


class NotQuick(Exception):  # no fault: the read is made elsewhere
    """The read is not over yet."""


class QuickReads:
    """A connection that only reads, for the thread that made it."""

    def __init__(self, path: Path) -> None:
        self._until = 0.0
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA query_only=ON")
        # Who holds the file holds it longer than we may wait.
        self._connection.execute("PRAGMA busy_timeout=0")
        self._connection.set_progress_handler(self._is_late, _STEPS)

    def read(self, look: Callable[[sqlite3.Connection, Callable[[], None]], T]) -> T:
        """What `look` returns; all that it reads is of one moment. NotQuick if it must be asked elsewhere.

        `look` is given the connection, and what to call between its queries.
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
        """Let go of the file."""
        self._connection.close()

    def _is_late(self) -> bool:
        return time.perf_counter() > self._until

    def _check(self) -> None:
        if self._is_late():
            raise NotQuick

"""The sink `sqlite`: the rows in a table of a SQLite file, all of a job at once."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import Field

from batchd import (
    DeliveryJob,
    Duration,
    Json,
    Receipt,
    RejectedError,
    ResultRows,
    Settings,
    Sink,
    TransientError,
    cell_text,
)

from .tables import FIRST, KEY, creating, names_of, placed, quoted, replacing

_INT64 = 1 << 63
_LOOK_EVERY = 0.2
"""Seconds between looks at whether the delivery was cancelled, while it waits for the file."""


class SqliteSettings(Settings):
    """The table of a `sqlite` sink."""

    path: Path
    """The file. It is made if it is not there; its folder must be."""
    table: Annotated[str, Field(min_length=1)] = "results"
    """The table in it, which is made if it is not there."""
    timeout: Duration = 30.0
    """How long to wait while another program writes to the file."""


class SqliteSink(Sink[SqliteSettings]):
    """Puts a job's rows into the table in one transaction: others see all of them or none.

    `job` and `row` identify a row: delivered again, it replaces itself. Columns that the table lacks are added to it.
    """

    Settings = SqliteSettings

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt:
        cancelled = threading.Event()
        writing = asyncio.get_running_loop().run_in_executor(None, self._write, job, rows, cancelled)
        try:
            count = await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Wait for the thread to end: it still holds the file, and the next delivery would wait for that.
            cancelled.set()
            await asyncio.wait([writing])
            writing.exception()
            raise
        return Receipt(str(self.settings.path.absolute()), table=self.settings.table, rows=count)

    async def check(self) -> Sequence[str]:
        try:
            await asyncio.to_thread(self._look)
        except (RejectedError, TransientError) as error:
            return [str(error)]
        return ()

    def _look(self) -> None:
        with self._opened(threading.Event()) as database:
            self._columns(database, FIRST)
            database.execute("ROLLBACK")

    def _write(self, job: DeliveryJob, rows: ResultRows, cancelled: threading.Event) -> int:
        count = 0

        def records() -> Iterator[list[Json]]:
            nonlocal count
            for row in rows:
                if cancelled.is_set():
                    raise _Cancelled
                count += 1
                yield [job.id, row.number, *map(_stored, (job.source, *row.cells))]

        with self._opened(cancelled) as database:
            columns = [quoted(name) for name in self._columns(database, names_of(rows))]
            marks = ", ".join("?" * len(columns))
            into = f"INSERT INTO {quoted(self.settings.table)} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  # quoted
            database.executemany(f"{into} {replacing(columns)}", records())
            database.execute("COMMIT")
        return count

    def _columns(self, database: sqlite3.Connection, names: Sequence[str]) -> list[str]:
        """The table's columns for these names. Makes the table, or adds the columns that it lacks."""
        table = quoted(self.settings.table)
        existing = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
        if not existing:
            database.execute(creating(table, ((name, "") for name in names)))
            return list(names)
        found, missing = placed(names, existing)
        if set(missing) & set(KEY):
            raise RejectedError(self._other())
        for name in missing:
            database.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(name)}")
        return found

    @contextmanager
    def _opened(self, cancelled: threading.Event) -> Iterator[sqlite3.Connection]:
        """Open the file and begin a transaction, which is rolled back at the end unless it was committed."""
        try:
            with closing(sqlite3.connect(self.settings.path, timeout=_LOOK_EVERY, isolation_level=None)) as database:
                until = time.monotonic() + self.settings.timeout
                while not self._begun(database, last=time.monotonic() > until):
                    if cancelled.is_set():
                        raise _Cancelled
                database.execute(f"PRAGMA busy_timeout = {round(self.settings.timeout * 1_000)}")
                yield database
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _begun(self, database: sqlite3.Connection, *, last: bool) -> bool:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if last or not str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY"):
                raise
            return False
        return True

    def _explained(self, error: sqlite3.Error) -> Exception:
        path, table = self.settings.path.absolute(), self.settings.table
        name, text = str(getattr(error, "sqlite_errorname", "")), str(error)
        match "_".join(name.split("_")[:2]):
            case "SQLITE_BUSY" | "SQLITE_LOCKED":
                return TransientError(
                    f"Another program has been writing to {path} for more than {self.settings.timeout:.0f} s (timeout)."
                )
            case "SQLITE_FULL" | "SQLITE_IOERR":
                return TransientError(f"{path} cannot be written: {text}. Make room on its disk, or check it.")
            case "SQLITE_READONLY" | "SQLITE_PERM":
                return RejectedError(
                    f"batchd may not write to {path}. Give the user that batchd runs as the right to write to the file "
                    "and its folder (ReadWritePaths= in a systemd unit), or set path to another file."
                )
            case "SQLITE_CANTOPEN":
                return RejectedError(
                    f"{path} cannot be opened. Make its folder, and let the user that batchd runs as write there; or "
                    "set path to another file."
                )
            case "SQLITE_NOTADB" | "SQLITE_CORRUPT":
                return RejectedError(f"{path} is no SQLite database, or is damaged ({text}). Set path to another file.")
            case "SQLITE_CONSTRAINT":
                return RejectedError(
                    f"The table “{table}” in {path} has a rule that the rows do not keep ({text}). Change the rule, or "
                    "set table to another name."
                )
        if "ON CONFLICT" in text:
            return RejectedError(self._other())
        return RejectedError(f"SQLite does not take the rows for the table “{table}” in {path}: {text}.")

    def _other(self) -> str:
        return (
            f"The table “{self.settings.table}” in {self.settings.path.absolute()} is not one for results: it needs "
            "the columns job and row, which together are its primary key. Set table to a name that is free; batchd "
            "makes that table."
        )


class _Cancelled(Exception):
    """The delivery was cancelled: the transaction is not committed."""


def _stored(value: Json) -> Json:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if value is None or kind is float or (kind is int and -_INT64 <= value < _INT64) or kind is bool:
        return value
    return cell_text(value)

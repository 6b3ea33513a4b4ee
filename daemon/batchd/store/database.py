"""One SQLite file, one connection, one lock; writes that wait together are committed together.

WAL with synchronous=FULL: in a simulated power cut WAL with NORMAL lost 100 of 100 committed changes, with
FULL none. A commit costs some 5 ms then, so changes that arrive while one is being synced share the next.

Every change must be repeatable: a change may be committed although its caller was cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import json
import os
import re
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from ..errors import StateUnusable
from ..events import Event
from ..system.disk import is_full
from .damage import found, in_words
from .errors import StoreUnavailable, in_our_words, is_of_the_file
from .quick_reads import NotQuick, QuickReads
from .schema import migrations, whole
from .tables.sums import with_money

T = TypeVar("T")
Change = Callable[["Transaction"], T]

_Waiting = tuple[Change[Any], "asyncio.Future[Any]"]

_HERE = importlib.resources.files(__package__)


def _named_queries(text: str) -> dict[str, str]:
    """The queries of a .sql file by the name in their `-- name:` line."""
    pieces = re.split(r"^-- name: (\w+)\s*$", with_money(text), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], (piece.strip() for piece in pieces[2::2]), strict=True))


CHANGES = (_HERE / "changes.sql").read_text("utf-8")
QUERIES = _named_queries((_HERE / "queries.sql").read_text("utf-8"))


class _Connection(aiosqlite.Connection):
    """Carries out a whole transaction in one trip to its thread: trips took a third of the time for a small file."""

    async def carry_out(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call `work` with SQLite's own connection, in the thread of that connection."""
        result: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return result


class Transaction:
    """What a change may do, in the database's thread. The events that it records are sent on after the commit."""

    def __init__(self, connection: sqlite3.Connection, now: float, check: Callable[[], None] = lambda: None) -> None:
        """`check` is called before each read; it may raise, to end the transaction."""
        self.connection = connection
        self.now = now
        self.events: list[Event] = []
        self._check = check

    def fetch(self, query: str, **values: Any) -> list[sqlite3.Row]:
        """All rows of a named query."""
        self._check()
        return self.connection.execute(QUERIES[query], values).fetchall()

    def one(self, query: str, **values: Any) -> sqlite3.Row:
        """The first row of a named query; KeyError if there is none."""
        rows = self.fetch(query, **values)
        if not rows:
            raise KeyError(*values.values())
        return rows[0]

    def each(self, query: str, **values: Any) -> Iterator[sqlite3.Row]:
        """The rows of a named query, each read when the caller takes it."""
        self._check()
        return self.connection.execute(QUERIES[query], values)

    def run(self, query: str, **values: Any) -> int:
        """Run a named query; return how many rows it changed."""
        return self.connection.execute(QUERIES[query], _storable(values)).rowcount

    def update(self, table: str, where: Mapping[str, Any], **values: Any) -> int:
        """Set columns of the rows that equal `where`; return how many. Our code alone names tables and columns."""
        assignments = ", ".join(f'"{column}" = :set_{column}' for column in values)
        conditions = " AND ".join(f"{column} = :{column}" for column in where)
        arguments = {f"set_{column}": value for column, value in values.items()} | dict(where)
        statement = f"UPDATE {table} SET {assignments} WHERE {conditions}"  # noqa: S608
        return self.connection.execute(statement, _storable(arguments)).rowcount

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]], *, otherwise: str = "") -> int:
        """Insert rows that all have the same columns; return how many. `otherwise`: `OR IGNORE` or `OR REPLACE`."""
        rows = [_storable(row) for row in rows]
        if not rows:
            return 0
        columns = ", ".join(f'"{column}"' for column in rows[0])
        values = ", ".join(f":{column}" for column in rows[0])
        statement = f"INSERT {otherwise} INTO {table} ({columns}) VALUES ({values})"  # noqa: S608
        return self.connection.executemany(statement, rows).rowcount

    def record(self, *events: Event) -> None:
        """Record events."""
        about = [(self.now, each.kind, each.job, each.batch, to_json(each.data())) for each in events]
        self.insert("events", [dict(zip(("at", "kind", "job", "batch", "data"), row, strict=True)) for row in about])
        self.events += events


class Database:
    """The database file. `on_event` is called with every event after its commit; it must not fail."""

    def __init__(
        self, connection: _Connection, quick: QuickReads, now: Callable[[], float], on_event: Callable[[Event], None]
    ) -> None:
        self.connection = connection
        self._quick = quick
        self._now = now
        self._on_event = on_event
        self._lock = asyncio.Lock()
        self._waiting: list[_Waiting] = []
        self.commits = 0
        """Commits made or tried. While the number stays the same, only other processes can have changed anything."""

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        now: Callable[[], float],
        on_event: Callable[[Event], None] = lambda _: None,
        steps: Sequence[str] | None = None,
    ) -> Database:
        """Open or make the database, migrate it, prove that it can be written. Raise StateUnusable, in words.

        `steps` are the migrations, if not this version's own.
        """
        try:
            # Open it without aiosqlite first: if aiosqlite cannot open a file, it leaves a thread behind that fails on
            # a closed event loop and prints that below our message.
            await asyncio.to_thread(lambda: sqlite3.connect(path).close())
            connection = _Connection(lambda: sqlite3.connect(path, isolation_level=None), iter_chunk_size=64)
            await connection
        except sqlite3.Error as error:
            raise StateUnusable(f"The database {path} cannot be opened: {error}.") from None
        try:
            connection.row_factory = sqlite3.Row
            await configure(connection, path)
            await _require_sound(connection, path)
            await _migrate(connection, path, migrations() if steps is None else steps)
            await connection.executescript(CHANGES)
            await probe(connection, path, now())
            quick = QuickReads(path)
        except sqlite3.Error as error:
            await connection.close()
            if getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
                raise StateUnusable(in_words(path, str(error))) from None
            # SQLite calls it an I/O error when it finds no room for the files beside the database.
            room = " No room is left on its disk: make some." if is_full(path.parent) else ""
            raise StateUnusable(f"The database {path} cannot be used: {error}.{room}") from None
        except BaseException:
            await connection.close()
            raise
        return cls(connection, quick, now, on_event)

    def now(self) -> float:
        """The time by the wall clock, like all stored times."""
        return self._now()

    async def write(self, change: Change[T]) -> T:
        """Carry out a change in a transaction; return what it returns, once it is committed.

        Raise StoreUnavailable if the file cannot be written.

        Changes of several callers may share one commit, each with its own savepoint: the failure of one
        leaves the others alone.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, future))
        try:
            async with self._lock:
                if not future.done():
                    await _to_its_end(self._commit())
        except asyncio.CancelledError:
            # A change that still waits must not be committed with the next write, perhaps an hour later. If it failed,
            # fetch its exception: no caller will, and asyncio would report it.
            if not future.cancel():
                future.exception()
            raise
        return await future

    @property
    def waiting(self) -> int:
        """How many changes wait for the next commit."""
        return len(self._waiting)

    async def read(self, look: Change[T]) -> T:
        """Read committed data. Raise StoreUnavailable if the file cannot be read.

        `look` may be called twice: first here, then, if that is not over in a moment, in the database's thread.
        """
        # Without `in_our_words`, to save time: a small file makes two dozen reads.
        try:
            return self._quick.read(lambda connection, check: look(Transaction(connection, self._now(), check)))
        except NotQuick:
            pass  # read below, not here: an error there would have NotQuick as its context
        except sqlite3.Error as error:
            if not is_of_the_file(error):
                raise
            raise StoreUnavailable.from_sqlite(error) from error
        return await self.read_beside_writes(look)

    async def read_beside_writes(self, look: Change[T]) -> T:
        """Read by the connection that writes, which alone sees its temporary tables."""

        def of_one_moment(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN")
            try:
                return look(Transaction(connection, self._now()))
            finally:
                # At a fault of the file SQLite ends the transaction itself; the caller must see that fault.
                if connection.in_transaction:
                    connection.execute("COMMIT")

        async with self._lock:
            with in_our_words():
                return await self.connection.carry_out(of_one_moment)

    async def close(self) -> None:
        """Wait for the write under way, then close."""
        async with self._lock:
            self._quick.close()
            await self.connection.close()

    async def _commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.commits += 1
        try:
            done, news = await self.connection.carry_out(lambda connection: _commit(connection, waiting, self._now))
        except Exception as error:  # noqa: BLE001  # nothing was committed, and everyone who waits must hear of it
            if isinstance(error, sqlite3.Error):
                error = StoreUnavailable.from_sqlite(error)
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for future, result, problem in done:
            if future.done():
                continue
            if problem is None:
                future.set_result(result)
            else:
                future.set_exception(problem)
        for event in news:
            self._on_event(event)


def _commit(
    connection: sqlite3.Connection, waiting: Sequence[_Waiting], now: Callable[[], float]
) -> tuple[list[tuple[asyncio.Future[Any], Any, Exception | None]], list[Event]]:
    """Commit changes together; return the outcome of each, and the events. If the file fails, none is committed."""
    done: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
    news: list[Event] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for change, future in waiting:
            if future.cancelled():
                continue
            transaction = Transaction(connection, now())
            connection.execute("SAVEPOINT change")
            try:
                result = change(transaction)
            except Exception as error:  # handed to the caller whose change it was
                if is_of_the_file(error):
                    raise
                connection.execute("ROLLBACK TO change")
                done.append((future, None, error))
            else:
                news += transaction.events
                done.append((future, result, None))
            connection.execute("RELEASE change")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return done, news


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that others depend on. Cancellations are passed on only once the work is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise


def _storable(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with lone surrogates spelt out: strangers send them, and UTF-8 cannot encode them."""
    odd = {
        name: value.encode("utf-8", "backslashreplace").decode()
        for name, value in values.items()
        if isinstance(value, str) and not value.isascii()
    }
    return {**values, **odd} if odd else values


async def configure(connection: aiosqlite.Connection, path: Path) -> None:
    """Set the pragmas that the promises rest on. Raise StateUnusable if the file does not take one."""
    # Each pragma is read back: an I/O error inside `journal_mode=WAL` was reported in 3 of 4 cases when the
    # answer was fetched, and in none when it was not.
    wanted = [("journal_mode=WAL", "journal_mode", "wal"), ("synchronous=FULL", "synchronous", 2)]
    for statement, pragma, expected in [*wanted, ("foreign_keys=ON", "foreign_keys", 1)]:
        await connection.execute_fetchall(f"PRAGMA {statement}")
        answer = list(await connection.execute_fetchall(f"PRAGMA {pragma}"))
        if not answer or answer[0][0] != expected:
            raise StateUnusable(
                f"The database {path} does not take PRAGMA {statement}; without it a power cut could lose what "
                "was paid for. Put the state folder on a local disk."
            )
    # The command line reads and leaves orders while the daemon writes.
    await connection.execute("PRAGMA busy_timeout=5000")


async def _require_sound(connection: aiosqlite.Connection, path: Path) -> None:
    """Raise StateUnusable if a page of the database is damaged.

    Otherwise a damaged page might be read only weeks later, and then again at each try. The check reads the whole file:
    0.3 s for 190 MB, which is a million events.
    """
    try:
        [(first,)] = await connection.execute_fetchall("PRAGMA quick_check(1)")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        first = str(error)
    damage = found(path, first)
    if damage is not None:
        raise StateUnusable(damage)


async def _migrate(connection: aiosqlite.Connection, path: Path, steps: Sequence[str]) -> None:
    [(version,)] = await connection.execute_fetchall("PRAGMA user_version")
    if version > len(steps):
        raise StateUnusable(
            f"The database {path} was written by a newer batchd (schema {version}, this one knows {len(steps)}). "
            "Install that version again, or point [folders] state elsewhere."
        )
    if 0 < version < len(steps):
        await _back_up(connection, path.with_name(f"{path.name}.before-{len(steps)}"))
    if version < len(steps):
        # In one transaction: other readers see the old schema or the new one.
        missing = [whole()] if version == 0 and steps == migrations() else steps[version:]
        script = "\n".join(["BEGIN IMMEDIATE;", *missing, f"PRAGMA user_version = {len(steps)};", "COMMIT;"])
        await connection.executescript(script)


async def _back_up(connection: aiosqlite.Connection, target: Path) -> None:
    draft = target.with_name(f".{target.name}.draft")
    await asyncio.to_thread(draft.unlink, missing_ok=True)
    async with aiosqlite.connect(draft) as copy:
        await connection.backup(copy)
    await asyncio.to_thread(draft.replace, target)


async def probe(connection: aiosqlite.Connection, path: Path, now: float) -> None:
    """Write the heartbeat. Raise StateUnusable if that fails, unless the disk is full."""
    # On file systems without shared memory the pragma can say "wal" and the first write fails.
    try:
        await connection.execute(QUERIES["heartbeat"], {"at": now, "pid": os.getpid()})
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            return  # a full disk passes; the daemon waits for room
        raise StateUnusable(f"The database {path} cannot be written: {error}.") from None


def to_json(value: Any) -> str:
    """The JSON text as which a value is stored in one column."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

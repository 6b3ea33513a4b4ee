"""Keeps paid answers by request, so that the same request is not paid for again.

The answers have a file of their own, because it grows with the rows, which the database does not. It may be deleted at
any time. Worker processes read and write it. It is not synced to the disk at every commit, since an answer that a power
cut takes is only asked again.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from .errors import in_our_words

_SCHEMA = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS answers (
    key    BLOB NOT NULL PRIMARY KEY,  -- of provider, endpoint and canonical body
    at     REAL NOT NULL,     -- when it was answered, by the wall clock
    line   BLOB NOT NULL      -- the provider's output line
) STRICT;
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (at);
"""
_PATIENCE = 10.0
_AT_A_TIME = 500

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


class RequestKeys:
    """Makes the keys of requests to one endpoint of one provider."""

    def __init__(self, provider: str, endpoint: str) -> None:
        self._begun = hashlib.blake2b(f"{provider}\0{endpoint}\0".encode(), digest_size=16)

    def key(self, body: bytes) -> bytes:
        """Return 16 bytes that two requests share only if they ask the same, whatever the order of their JSON keys."""
        return self.key_of_ordered(_encode(_decode(body)))

    def key_of_ordered(self, body: bytes) -> bytes:
        """Return the key of a body whose JSON keys are sorted already."""
        digest = self._begun.copy()
        digest.update(body)
        return digest.digest()


class AnswerCache:
    """The file, opened by `opened`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[AnswerCache]:
        """Open the file for the block. Delete a damaged file first: it only saves money.

        Raise StoreUnavailable, here and in the methods, if the file cannot be used.
        """
        with in_our_words():
            try:
                connection = _connected(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                    each.unlink(missing_ok=True)
                connection = _connected(path)
        with contextlib.closing(connection):
            yield cls(connection)

    @classmethod
    @contextmanager
    def copy_opened(cls, path: Path) -> Iterator[AnswerCache]:
        """Open a copy that `copy_to` has made, for reading. Nothing changes a copy, so nothing is locked.

        Raise StoreUnavailable if the copy is not there.
        """
        with in_our_words():
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        with contextlib.closing(connection):
            yield cls(connection)

    @in_our_words()
    def version(self) -> str:
        """Return a text that changes when the kept answers change."""
        [number, last, sum_of_times] = self.connection.execute(
            "SELECT COUNT(*), MAX(at), TOTAL(at) FROM answers"
        ).fetchone()
        return hashlib.blake2b(f"{number} {last} {sum_of_times}".encode(), digest_size=8).hexdigest()

    @in_our_words()
    def copy_to(self, target: Path) -> None:
        """Copy the cache as it is now to `target`, which must not exist."""
        self.connection.execute("VACUUM INTO ?", (str(target),))

    @in_our_words()
    def recall(self, keys: Sequence[bytes], *, since: float) -> Mapping[bytes, bytes]:
        """Return the stored lines of these keys that were answered at `since` or later, by key."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _AT_A_TIME):
            some = keys[start : start + _AT_A_TIME]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, line FROM answers WHERE key IN ({marks}) AND at >= ?"  # noqa: S608
            found.update(self.connection.execute(query, (*some, since)))
        return found

    @in_our_words()
    def keep(self, answers: Iterable[tuple[bytes, bytes]], *, at: float) -> None:
        """Remember lines by their keys; a later answer takes the place of an earlier one."""
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            statement = "INSERT OR REPLACE INTO answers (key, at, line) VALUES (?, ?, ?)"
            self.connection.executemany(statement, ((key, at, line) for key, line in answers))

    @in_our_words()
    def sweep(self, *, before: float, most_bytes: int) -> int:
        """Forget answers older than `before`, then the oldest until the file fits `most_bytes`; return how many."""
        forgotten = self._forget("DELETE FROM answers WHERE at < ?", before)
        while self.size() > most_bytes:
            share = max(1, self._one("SELECT COUNT(*) FROM answers") // 10)
            query = "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY at LIMIT ?)"
            gone = self._forget(query, share)
            if not gone:
                break
            forgotten += gone
        return forgotten

    @in_our_words()
    def forget_job(self, job: str, keys: Iterable[bytes]) -> int:
        """Forget the answers to these keys, and all others to the job's requests, for good; return how many."""
        # Overwrite what is deleted: it may be about people.
        self.connection.execute("PRAGMA secure_delete = ON")
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            forgotten = self.connection.executemany(
                "DELETE FROM answers WHERE key = ?", ((key,) for key in keys)
            ).rowcount
            query = "DELETE FROM answers WHERE instr(line, ?) > 0"
            forgotten = max(0, forgotten) + self.connection.execute(query, (f'"{job}-'.encode(),)).rowcount
        self.connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")
        return forgotten

    def _forget(self, query: str, value: float) -> int:
        forgotten = self.connection.execute(query, (value,)).rowcount
        if forgotten:
            # A script runs each statement to its end: `execute` would give one page back to the disk and stop.
            self.connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")
        return forgotten

    def size(self) -> int:
        return self._one("PRAGMA page_count") * self._one("PRAGMA page_size")

    def _one(self, query: str) -> int:
        return int(self.connection.execute(query).fetchone()[0])


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        raise
    return connection

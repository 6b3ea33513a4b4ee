"""The sandbox's state: one SQLite file and a folder of files. A kill -9 loses nothing that was answered.

Each method is one short transaction on one connection, and is called only from the event loop's thread.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from .batches.worker_messages import Outcome
from .database import lock_folder, open_database
from .faults.table import Order
from .records import BatchRecord, FileRecord, Status

_FILES = """
select * from files where deleted_at is null and (expires_at is null or expires_at > :now)
and (:purpose is null or purpose = :purpose)
and (:after is null or sequence {after} (select sequence from files where id = :after))
order by sequence {order} limit :limit
"""
_FILES_NEWEST_FIRST, _FILES_OLDEST_FIRST = _FILES.format(after="<", order="desc"), _FILES.format(after=">", order="asc")
_AS_JSON: dict[str, Any] = {
    "faults": tuple[tuple[int, Order], ...],
    "metadata": dict[str, str] | None,
    "outcome": Outcome | None,
}
"""The columns of a batch that are JSON, and what they hold."""


class Store:
    """Files, batches, faults and counters of one sandbox folder."""

    def __init__(self, folder: Path) -> None:
        for name in ("files", "executed", "drafts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = lock_folder(folder / "lock")
        # With the lock held, any draft is a leftover.
        for draft in (folder / "drafts").iterdir():
            draft.unlink(missing_ok=True)
        self._connection = open_database(folder / "sandbox.db")

    def close(self) -> None:
        """Closes the database and releases the folder."""
        self._connection.close()
        self._lock.close()

    # Files

    def draft(self) -> Path:
        """A new path for an incomplete file."""
        return self.folder / "drafts" / secrets.token_hex(12)

    def content(self, file_id: str) -> Path:
        """The path of a file's content."""
        return self.folder / "files" / file_id

    def executed(self, batch_id: str) -> Path:
        """The path of the custom_ids that a batch answered."""
        return self.folder / "executed" / batch_id

    def add_file(self, file: FileRecord) -> None:
        """Adds a file whose content is already in place."""
        self._insert("files", _values(file))

    def file(self, file_id: str) -> FileRecord | None:
        """A file that is not deleted."""
        row = self._one(
            "select * from files where id = ? and deleted_at is null and (expires_at is null or expires_at > ?)",
            file_id,
            time.time(),
        )
        return None if row is None else _file(row)

    def files(self, *, after: str | None, limit: int, ascending: bool, purpose: str | None) -> list[FileRecord]:
        """A page of files; `after` is the last id of the previous page."""
        rows = self._connection.execute(
            _FILES_OLDEST_FIRST if ascending else _FILES_NEWEST_FIRST,
            {"purpose": purpose, "after": after, "limit": limit, "now": time.time()},
        )
        return [_file(row) for row in rows]

    def all_files(self) -> list[FileRecord]:
        """All files, also deleted ones, oldest first."""
        return [_file(row) for row in self._connection.execute("select * from files order by sequence")]

    def another_output(self, file_id: str) -> FileRecord | None:
        """The newest output or error file other than this one."""
        row = self._one(
            "select * from files where purpose = 'batch_output' and id <> ? and deleted_at is null"
            " order by sequence desc limit 1",
            file_id,
        )
        return None if row is None else _file(row)

    def delete_file(self, file_id: str, now: int) -> None:
        """Hides a file. Its content is deleted as soon as no running batch reads it."""
        self._connection.execute("update files set deleted_at = ? where id = ?", (now, file_id))
        self.sweep(file_id)

    def sweep(self, file_id: str) -> None:
        """Removes the content of a deleted file if no running batch needs it."""
        needed = self._one(
            "select 1 from batches where input_file_id = ?"
            " and status not in ('failed', 'completed', 'expired', 'cancelled')",
            file_id,
        )
        if needed is None and self.file(file_id) is None:
            self.content(file_id).unlink(missing_ok=True)

    # Batches

    def add_batch(self, batch: BatchRecord) -> None:
        """Adds a batch."""
        values = _values(batch)
        self._insert("batches", values | {name: _encoded(values[name]) for name in _AS_JSON})

    def keep_lifetime(self, batch_id: str, seconds: int) -> None:
        """Remembers for how long the batch's files are to be kept."""
        self._connection.execute("insert or ignore into output_lifetimes values (?, ?)", (batch_id, seconds))

    def lifetime(self, batch_id: str) -> int | None:
        """For how many seconds the batch's files are to be kept; None if its create call did not say."""
        row = self._one("select seconds from output_lifetimes where batch_id = ?", batch_id)
        return None if row is None else int(row[0])

    def keep_create_key(self, key: str, batch_id: str) -> None:
        """Remembers which batch was created with this Idempotency-Key."""
        self._connection.execute("insert or ignore into create_keys values (?, ?)", (key, batch_id))

    def batch_of_create_key(self, key: str) -> BatchRecord | None:
        """The batch that was created with this Idempotency-Key."""
        row = self._one("select batch_id from create_keys where key = ?", key)
        return None if row is None else self.batch(row["batch_id"])

    def batch(self, batch_id: str) -> BatchRecord | None:
        """A batch, also one that is created late and still hidden."""
        row = self._one("select * from batches where id = ?", batch_id)
        return None if row is None else _batch(row)

    def batches(self, *, now: float, after: str | None = None, limit: int = -1) -> list[BatchRecord]:
        """The batches that are visible now, newest first."""
        rows = self._connection.execute(
            "select * from batches where created_at <= :now and (:after is null or"
            " (created_at, sequence) < (select created_at, sequence from batches where id = :after))"
            " order by created_at desc, sequence desc limit :limit",
            {"now": now, "after": after, "limit": limit},
        )
        return [_batch(row) for row in rows]

    def batches_to_come(self, now: float) -> int:
        """How many batches are created late and still hidden."""
        row = self._one("select count(*) from batches where created_at > ?", now)
        return int(row[0]) if row is not None else 0

    def running(self) -> list[BatchRecord]:
        """Batches that are not finished, including those still hidden."""
        rows = self._connection.execute(
            "select * from batches where status not in ('failed', 'completed', 'expired', 'cancelled')"
            " order by sequence"
        )
        return [_batch(row) for row in rows]

    def change_batch(self, batch_id: str, files: Iterable[FileRecord] = (), **changes: float | str | None) -> None:
        """Sets columns of a batch and adds files, in one transaction."""
        columns = ", ".join(f"{name} = :{name}" for name in changes)
        with self._at_once():
            self._connection.execute(
                f"update batches set {columns} where id = :batch_id",  # noqa: S608 - names from our code
                {**changes, "batch_id": batch_id},
            )
            for file in files:
                self.add_file(file)

    def keep_outcome(self, batch_id: str, outcome: Outcome, met: dict[int, list[str]]) -> None:
        """Stores the worker's result for a batch, in place of an earlier one."""
        with self._at_once():
            self._connection.execute("delete from met where batch_id = ?", (batch_id,))
            self._connection.executemany(
                "insert or ignore into met (fault, batch_id, custom_id) values (?, ?, ?)",
                ((number, batch_id, custom_id) for number, custom_ids in met.items() for custom_id in custom_ids),
            )
            self._connection.execute("update batches set outcome = ? where id = ?", (_encoded(outcome), batch_id))

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        with self._connection:  # commits, or rolls back
            self._connection.execute("begin immediate")
            yield

    # Accounts

    def own(self, ids: Iterable[str], account: str) -> None:
        """Records that these files and batches belong to the account."""
        self._connection.executemany("insert or ignore into owners values (?, ?)", ((each, account) for each in ids))

    def owner(self, id_: str) -> str | None:
        """The account that a file or batch belongs to; None if none is recorded."""
        row = self._one("select account from owners where id = ?", id_)
        return None if row is None else str(row[0])

    # Faults

    def add_fault(self, text: str, origin: str | None = None) -> int | None:
        """Stores an order and returns its number; None if there is one of this origin already."""
        cursor = self._connection.execute("insert or ignore into faults (origin, text) values (?, ?)", (origin, text))
        return cursor.lastrowid if cursor.rowcount else None

    def faults(self) -> list[tuple[int, str, int]]:
        """The number, text and count taken of each fault that is not lifted."""
        rows = self._connection.execute("select number, text, taken from faults where not lifted order by number")
        return [(row["number"], row["text"], row["taken"]) for row in rows]

    def fault_taken(self, number: int, taken: int) -> None:
        """Stores how often a fault was taken."""
        self._connection.execute("update faults set taken = ? where number = ?", (taken, number))

    def lift_faults(self) -> None:
        """Lifts all faults."""
        self._connection.execute("update faults set lifted = 1")

    def met(self, number: int, *, except_in: str) -> dict[str, int]:
        """How often each custom_id met a fault in other batches."""
        rows = self._connection.execute(
            "select custom_id, count(*) from met where fault = ? and batch_id <> ? group by custom_id",
            (number, except_in),
        )
        return {row[0]: row[1] for row in rows}

    def times_met(self, number: int) -> int:
        """How often a fault of single lines was met in all batches."""
        row = self._one("select count(*) from met where fault = ?", number)
        return int(row[0]) if row is not None else 0

    # Counters

    def count_call(self, operation: str) -> None:
        """Counts one call."""
        self._connection.execute(
            "insert into calls values (?, 1) on conflict do update set number = number + 1", (operation,)
        )

    def calls(self) -> dict[str, int]:
        """The number of calls of each operation, whatever their outcome."""
        return {row[0]: row[1] for row in self._connection.execute("select operation, number from calls")}

    def count_live(self, digest: bytes, input_tokens: int, output_tokens: int) -> None:
        """Counts one live answer."""
        self._connection.execute(
            "insert into live values (?, 1, ?, ?) on conflict do update set answers = answers + 1,"
            " input_tokens = input_tokens + excluded.input_tokens,"
            " output_tokens = output_tokens + excluded.output_tokens",
            (digest, input_tokens, output_tokens),
        )

    def live(self) -> dict[str, int]:
        """The numbers of live answers, of distinct requests, of those answered more than once, and of tokens."""
        row = self._one(
            "select coalesce(sum(answers), 0) as answers, count(*) as 'distinct',"
            " coalesce(sum(answers > 1), 0) as repeated, coalesce(sum(input_tokens), 0) as input_tokens,"
            " coalesce(sum(output_tokens), 0) as output_tokens from live"
        )
        assert row is not None
        return dict(zip(row.keys(), row, strict=True))

    def _insert(self, table: str, values: dict[str, Any]) -> None:
        marks = ", ".join(f":{name}" for name in values)
        self._connection.execute(f"insert into {table} ({', '.join(values)}) values ({marks})", values)  # noqa: S608 - names from our code

    def _one(self, query: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(query, values).fetchone()
        return row


def _encoded(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _values(record: FileRecord | BatchRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _file(row: sqlite3.Row) -> FileRecord:
    return FileRecord(**{name: row[name] for name in FileRecord.__dataclass_fields__})


def _batch(row: sqlite3.Row) -> BatchRecord:
    values = {name: row[name] for name in BatchRecord.__dataclass_fields__}
    values["status"] = Status(values["status"])
    for name, type_ in _AS_JSON.items():
        values[name] = msgspec.json.decode(values[name] or "null", type=type_)
    return BatchRecord(**values)

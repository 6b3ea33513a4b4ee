"""The database file of a sandbox: its tables, and the lock against a second sandbox."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import IO

# WAL without fsync on commit: the page cache survives a killed process, and more is not promised.
_SCHEMA = """
pragma journal_mode = wal;
pragma synchronous = normal;
create table if not exists files (
    sequence integer primary key autoincrement,
    id text not null unique,
    filename text not null,
    bytes integer not null,
    purpose text not null,
    created_at integer not null,
    expires_at integer,
    deleted_at integer
);
create table if not exists batches (
    sequence integer primary key autoincrement,
    id text not null unique,
    created_at real not null,       -- in the future for a batch created late, which is hidden until then
    input_file_id text not null,
    endpoint text not null,
    metadata text,
    latency real not null,
    faults text not null,           -- [[number, order], ...] taken when it was created
    status text not null,
    in_progress_at real,
    finalizing_at real,
    completed_at real,
    failed_at real,
    expired_at real,
    cancelling_at real,
    cancelled_at real,
    outcome text,
    answered real,
    reserved_output_id text not null,
    reserved_error_id text not null
);
create table if not exists owners ( -- the account of each file and batch, where accounts are told apart
    id text primary key,
    account text not null
) without rowid;
create table if not exists create_keys ( -- the batch of each Idempotency-Key, where creates are told apart by it
    key text primary key,
    batch_id text not null
) without rowid;
create table if not exists output_lifetimes ( -- seconds for which a batch's files are kept, where it was asked for
    batch_id text primary key,
    seconds integer not null
) without rowid;
create table if not exists faults (
    number integer primary key autoincrement,
    origin text unique,             -- the --fault option it came from: a restart does not order it again
    text text not null,
    taken integer not null default 0,
    lifted integer not null default 0
);
create table if not exists met (    -- which custom_id met which fault in which batch
    fault integer not null,
    batch_id text not null,
    custom_id text not null,
    primary key (fault, batch_id, custom_id)
) without rowid;
create table if not exists calls (
    operation text primary key,
    number integer not null
) without rowid;
create table if not exists live (   -- digest of each request answered live
    digest blob primary key,
    answers integer not null,
    input_tokens integer not null,
    output_tokens integer not null
) without rowid;
"""


class FolderTaken(Exception):
    """Another sandbox uses the folder."""


def open_database(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, with the tables created."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.executescript(_SCHEMA)
    return connection


def lock_folder(path: Path) -> IO[bytes]:
    """The lock file, locked until it is closed or the process ends. Raises FolderTaken."""
    lock = path.open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise FolderTaken(f"Another sandbox uses {path.parent}: stop it, or choose another folder.") from None
    return lock

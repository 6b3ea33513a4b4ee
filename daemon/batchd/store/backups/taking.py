"""Takes the database and the files that its jobs need as they are at one moment, while the daemon goes on.

A backup must be what a kill at that moment would have left: files that agree with the database, and none missing that
it still needs. So the files are linked, which copies nothing, while the database is locked for writing. No action can
commit a step then, and batchd removes a file only after the step that no longer needs it. Most files are linked before
the lock, so it lasts as long as a look through the folders: about a second for 50,000 files.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from ...errors import StateUnusable
from ...system.disk import is_full
from ..damage import found
from ..layout import DATABASE, FINGERPRINT_KEY, WEB_TOKENS
from ..reading.opening import connected

CACHES = ("answers.db", "ahead.db", "steps.db")
"""Databases of paid answers that may be reused. Each is copied separately, and may be missing."""
_DRAFT = ".draft"

_UNFINISHED = """
SELECT id, state, inbox_path FROM jobs AS job
WHERE :finished
   OR state NOT IN ('done', 'cancelled', 'rejected')
   -- All steps of a chain are needed until it is at its end, and so is the job whose answers another takes over.
   OR EXISTS (SELECT 1 FROM jobs AS other WHERE other.state NOT IN ('done', 'cancelled', 'rejected')
              AND (COALESCE(other.family, other.id) = COALESCE(job.family, job.id)
                   OR (other.duplicate_of = job.id AND other.redelivered_at IS NULL)))
ORDER BY id
"""
_OPEN_BATCHES = "SELECT key FROM batches WHERE state NOT IN ('done', 'returned') ORDER BY key"


class Taken(Struct, frozen=True):
    """What was taken: jobs, batches, and the paths in the inbox of files that were about to be taken from there."""

    jobs: int
    batches: int
    schema: int
    claiming: dict[str, bytes]


def take(
    state: Path, spool: Path, links: Path, copies: Path, *, finished: bool, providers: Collection[str], new_key: str
) -> Taken | None:
    """Link the files of jobs that are not finished into `links`, and copy the databases into `copies`.

    Return None if there is no database. `links` is an empty folder on the file system of the spool; `copies` may be
    anywhere. With `finished`, also link the files of finished jobs, as long as they are kept.
    Each of `providers` that has no key for its next batch yet gets `new_key`, so that batches that are created after
    the backup can be found.
    """
    with connected(state, mode="rw") as lock, connected(state) as reader:
        if lock is None or reader is None:
            return None
        linked = _Links(state, spool, links)
        # Most of the work, while the daemon goes on. Files that it removes meanwhile are taken out again below.
        linked.add(*_needed(reader, finished=finished))
        while True:
            lock.execute("BEGIN IMMEDIATE")
            try:
                seeded = _seed_keys(lock, providers, new_key)
                jobs, batches = _needed(lock, finished=finished)
                whole = linked.add(jobs, batches) and not seeded
                if whole:
                    # From its first read on, this connection sees the database as it is now.
                    reader.execute("BEGIN")
                    reader.execute("SELECT COUNT(*) FROM jobs").fetchone()
            finally:
                lock.execute("COMMIT")
            if whole:
                break
        [schema] = reader.execute("PRAGMA user_version").fetchone()
        _copy(reader, copies / DATABASE)
    for name in CACHES:
        _copy_cache(state / name, copies / name)
    _require_sound(copies / DATABASE)
    claiming = {job: path for job, path in jobs.items() if path is not None}
    return Taken(len(jobs), len(batches), schema, claiming)


def _needed(connection: sqlite3.Connection, *, finished: bool) -> tuple[dict[str, bytes | None], list[str]]:
    """The jobs whose files are needed, each with its path in the inbox if it is being claimed, and the batches."""
    jobs = connection.execute(_UNFINISHED, {"finished": finished})
    claiming = {row["id"]: bytes(row["inbox_path"]) if row["state"] == "claiming" else None for row in jobs}
    return claiming, [row["key"] for row in connection.execute(_OPEN_BATCHES)]


def _seed_keys(connection: sqlite3.Connection, providers: Collection[str], new_key: str) -> bool:
    """Store `new_key` for providers that have no key yet; return whether there was one."""
    rows = [(name, new_key) for name in sorted(providers)]
    statement = "INSERT OR IGNORE INTO next_batch_keys (provider, key) VALUES (?, ?)"
    return connection.executemany(statement, rows).rowcount > 0


class _Links:
    """The files that are linked in `target` so far."""

    def __init__(self, state: Path, spool: Path, target: Path) -> None:
        self._state = state
        self._spool = spool
        self._target = target
        self._inodes: dict[str, int] = {}
        self._made: set[str] = set()

    def add(self, jobs: Iterable[str], batches: Iterable[str]) -> bool:
        """Link what is not linked yet. Return False if a file went away meanwhile, for example renamed by a claim."""
        whole = True
        there: set[str] = set()
        for path, name, inode in self._files(jobs, batches):
            there.add(name)
            if self._inodes.get(name) == inode:
                continue
            if self._link(path, name):
                self._inodes[name] = inode
            else:
                whole = False
        # batchd has removed these since an earlier round.
        for name in self._inodes.keys() - there:
            (self._target / name).unlink(missing_ok=True)
            del self._inodes[name]
        return whole

    def _files(self, jobs: Iterable[str], batches: Iterable[str]) -> Iterator[tuple[str, str, int]]:
        """The files that a restored daemon needs: path, name in the backup, inode. Drafts are made anew."""
        for path, name, inode in _in(str(self._state), "", deep=False):
            if name in {FINGERPRINT_KEY, WEB_TOKENS}:
                yield path, name, inode
        for folder in (*(f"jobs/{job}" for job in jobs), *(f"batches/{key}" for key in batches), "tries"):
            yield from _in(f"{self._spool}/{folder}", f"{folder}/", deep=True)

    def _link(self, path: str, name: str) -> bool:
        """Link one file. Return False if it is not there any more."""
        place = f"{self._target}/{name}"
        above = os.path.dirname(place)
        if above not in self._made:
            os.makedirs(above, mode=0o700, exist_ok=True)
            self._made.add(above)
        if name in self._inodes:
            os.unlink(place)
            del self._inodes[name]
        try:
            os.link(path, place, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            shutil.copyfile(path, place)  # a file system without links
        return True


def _in(folder: str, above: str, *, deep: bool) -> Iterator[tuple[str, str, int]]:
    """Files in a folder, without drafts: path, name with `above` before it, inode."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except FileNotFoundError:
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if deep:
                yield from _in(entry.path, f"{above}{entry.name}/", deep=True)
        elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(_DRAFT):
            yield entry.path, f"{above}{entry.name}", entry.inode()


def _copy(source: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
        # The copy is one file, with none beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if is_full(target.parent) or _is_of_writing(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from None
        raise
    finally:
        copy.close()


def _is_of_writing(error: sqlite3.Error) -> bool:
    """Whether writing the copy failed: nothing else is written to."""
    name = str(getattr(error, "sqlite_errorname", ""))
    return name in {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE"}


def _copy_cache(source: Path, target: Path) -> None:
    """Copy a database of answers. One that cannot be read is left out: its answers are asked again."""
    if not source.exists():
        return
    try:
        with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as connection:
            _copy(connection, target)
    except sqlite3.Error:
        target.unlink(missing_ok=True)


def _require_sound(database: Path) -> None:
    try:
        with closing(sqlite3.connect(database)) as connection:
            [(first,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        first = str(error)
    damage = found(database, first)
    if damage is not None:
        raise StateUnusable(f"Nothing was backed up: {damage}")

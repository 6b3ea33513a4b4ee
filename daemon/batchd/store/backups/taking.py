"""Takes the database and the files that its jobs need as they are at one moment, while the daemon goes on.

What is taken must be what a kill at that moment would have left: files as they are in the database, and none removed
that the database still needs. So the files are linked, which copies nothing, while the database is locked for writing:
no action can commit a step then, and batchd removes a file only after the step that no longer needs it. A lock of a
second at most: where there are more files, those that have come and gone are linked in another round.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import StateUnusable
from ..damage import found_in, in_words
from ..layout import DATABASE, FINGERPRINT_KEY, WEB_TOKENS
from ..reading.opening import connected

LOCKED_FOR = 1.0
"""Seconds for which the database is locked at most: the daemon's writes wait for five."""
CACHES = ("answers.db", "ahead.db", "steps.db")
"""Answers that were paid for and may be used again. They may be missing, and are copied by themselves."""
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


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken: jobs, batches, and the paths in the inbox of files that were about to be taken from there."""

    jobs: int
    batches: int
    schema: int
    claiming: dict[str, bytes]


def take(
    state: Path,
    spool: Path,
    links: Path,
    copies: Path,
    *,
    finished: bool,
    providers: Collection[str],
    new_key: str,
    locked_for: float = LOCKED_FOR,
) -> Taken | None:
    """Link the files of jobs that are not finished into `links`, and copy the databases into `copies`.

    None if there is no database. `links` is an empty folder on the file system of the spool, `copies` may be anywhere.
    With `finished` also those of jobs that are, as long as they are kept.
    Each of the `providers` that has no key for its next batch yet gets one that follows from `new_key`: a batch that
    is created after the backup can be found by it.
    """
    with connected(state, mode="rw") as lock, connected(state) as reader:
        if lock is None or reader is None:
            return None
        linked = _Links(state, spool, links)
        while True:
            lock.execute("BEGIN IMMEDIATE")
            try:
                seeded = _seed_keys(lock, providers, new_key)
                jobs = lock.execute(_UNFINISHED, {"finished": finished}).fetchall()
                batches = lock.execute(_OPEN_BATCHES).fetchall()
                folders = [*(f"jobs/{row['id']}" for row in jobs), *(f"batches/{row['key']}" for row in batches)]
                whole = linked.add([*folders, "tries"], within=locked_for)
                if whole and not seeded:
                    # From its first read on, this connection sees the database as it is now.
                    reader.execute("BEGIN")
                    reader.execute("SELECT COUNT(*) FROM jobs").fetchone()
            finally:
                lock.execute("COMMIT")
            if whole and not seeded:
                break
            # The daemon has its turn.
            time.sleep(locked_for / 5)
        [schema] = reader.execute("PRAGMA user_version").fetchone()
        _copy(reader, copies / DATABASE)
    for name in CACHES:
        _copy_cache(state / name, copies / name)
    _require_sound(copies / DATABASE)
    claiming = {row["id"]: bytes(row["inbox_path"]) for row in jobs if row["state"] == "claiming"}
    return Taken(len(jobs), len(batches), schema, claiming)


def _seed_keys(connection: sqlite3.Connection, providers: Collection[str], new_key: str) -> bool:
    """Whether a provider had no key yet."""
    rows = [(name, new_key) for name in sorted(providers)]
    statement = "INSERT OR IGNORE INTO next_batch_keys (provider, key) VALUES (?, ?)"
    return connection.executemany(statement, rows).rowcount > 0


class _Links:
    """The files that are linked in `target` so far."""

    def __init__(self, state: Path, spool: Path, target: Path) -> None:
        self._state = state
        self._spool = spool
        self._target = target
        self._inodes: dict[Path, int] = {}

    def add(self, folders: Iterable[str], *, within: float) -> bool:
        """Link what is not linked yet of these folders. Whether all was before the time was over."""
        until = time.monotonic() + within
        whole = True
        there: set[Path] = set()
        for entry, name in self._files(folders):
            place = self._target / name
            there.add(place)
            if self._inodes.get(place) != entry.inode():
                if _link_one(entry.path, place):
                    self._inodes[place] = entry.inode()
                else:
                    whole = False  # a claim has just renamed it
                if time.monotonic() > until:
                    return False
        # Since an earlier round batchd has removed these.
        for place in self._inodes.keys() - there:
            place.unlink(missing_ok=True)
            del self._inodes[place]
        return whole

    def _files(self, folders: Iterable[str]) -> Iterator[tuple[os.DirEntry[str], str]]:
        """The files that a restored daemon needs. Drafts are none: each is written anew."""
        with os.scandir(self._state) as entries:
            yield from ((each, each.name) for each in entries if each.name in {FINGERPRINT_KEY, WEB_TOKENS})
        for folder in folders:
            for entry in _below(self._spool / folder):
                yield entry, os.path.relpath(entry.path, self._spool)


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except FileNotFoundError:
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))
        elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(_DRAFT):
            yield entry


def _link_one(source: str, place: Path) -> bool:
    """False if it is not there any more."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    try:
        os.link(source, place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError:
        shutil.copyfile(source, place)  # a file system without links
    return True


def _copy(source: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
        # One file, that needs none beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        copy.close()


def _copy_cache(source: Path, target: Path) -> None:
    """What cannot be read may be missing: its answers are asked again."""
    if not source.exists():
        return
    try:
        connection = sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)
        try:
            _copy(connection, target)
        finally:
            connection.close()
    except sqlite3.Error:
        target.unlink(missing_ok=True)


def _require_sound(database: Path) -> None:
    connection = sqlite3.connect(database)
    try:
        [(first,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        first = str(error)
    finally:
        connection.close()
    reason = found_in(first)
    if reason is not None:
        raise StateUnusable(f"Nothing was backed up: {in_words(database, reason)}")

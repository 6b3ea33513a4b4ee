"""Opening the database for a look, and saying in words why it cannot be looked at."""

from __future__ import annotations

import os
import pwd
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ...errors import StateUnusable
from ...system.disk import is_full
from .. import schema
from ..layout import DATABASE

BUSY_TIMEOUT = 5.0
"""Seconds to wait for a writer. The daemon writes for milliseconds."""


@contextmanager
def connected(
    state: Path, *, mode: str = "ro", busy_timeout: float = BUSY_TIMEOUT
) -> Iterator[sqlite3.Connection | None]:
    """Open the database in `state`; None if there is none yet. SQLite's errors in the block become StateUnusable."""
    path = state / DATABASE
    try:
        if not _is_there(path):
            yield None
            return
        with closing(sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=busy_timeout)) as connection:
            connection.isolation_level = None
            connection.row_factory = sqlite3.Row
            yield connection if _has_our_schema(connection, path) else None
    except sqlite3.Error as error:
        raise StateUnusable(in_words(error, path)) from None


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StateUnusable(f"{path.parent} cannot be looked into: {error.strerror}. {_who_may(path.parent)}") from None
    return True


def _has_our_schema(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether there is a schema; False while the daemon is still making it. Raise StateUnusable if it is not ours."""
    known = schema.version()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version > known:
        raise StateUnusable(
            f"The database {path} was written by a newer batchd (schema {version}, this one knows {known}). "
            "Use the batchd that the daemon runs with."
        )
    if 0 < version < known:
        raise StateUnusable(
            f"The database {path} was written by an older batchd (schema {version}, this one needs {known}). "
            "The daemon upgrades it at its next start: batchd run."
        )
    return bool(version)


def in_words(error: sqlite3.Error, path: Path) -> str:
    """Return what to tell a person about this error."""
    reason = str(error)
    if "locked" in reason or "busy" in reason:
        return f"The database {path} was busy for {BUSY_TIMEOUT:.0f} s. Try again in a moment."
    if "full" in reason or ("disk I/O" in reason and is_full(path.parent)):
        return f"There is no room left on the disk of {path}. Make some, then try again."
    if not os.access(path, os.R_OK) or "unable to open" in reason or "readonly" in reason:
        return f"The database {path} cannot be opened: {reason}. {_who_may(path)}"
    return (
        f"The database {path} cannot be read: {reason}. If it is damaged, stop the daemon and put a copy of the "
        "state folder aside before anything else."
    )


def _who_may(path: Path) -> str:
    try:
        owner = pwd.getpwuid(path.stat().st_uid).pw_name
    except (OSError, KeyError):
        return "Run this as the user that batchd runs as."
    return f"It belongs to {owner}: try sudo -u {owner} batchd …"

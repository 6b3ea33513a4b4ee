"""Whether the database is sound, and what lies in the spool that it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..damage import found
from ..layout import DATABASE
from .opening import connected


def damage(state: Path) -> str | None:
    """What is wrong with the database, and what to do; None if nothing is wrong. Reads the whole file."""
    with connected(state) as connection:
        if connection is None:
            return None
        [first] = connection.execute("PRAGMA quick_check(1)").fetchone()
        return found(state / DATABASE, first)


def unknown_folders(state: Path, spool: Path | None = None) -> Sequence[Path]:
    """Folders of jobs in the spool that the database does not know, because it is new or an old copy."""
    folders: list[Path] = []
    with suppress(OSError):
        folders = sorted(each for each in ((spool or state) / "jobs").iterdir() if each.is_dir())
    with connected(state) as connection:
        known = set() if connection is None else {row[0] for row in connection.execute("SELECT id FROM jobs")}
    return [each for each in folders if each.name not in known]

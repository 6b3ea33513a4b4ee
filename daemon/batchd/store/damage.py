"""Checks the database with `PRAGMA quick_check`, and says in words what to do if it is damaged."""

from __future__ import annotations

from pathlib import Path


def found(database: Path, answer: object) -> str | None:
    """Return what a person can do about the damage that quick_check found; None if it found none."""
    return None if answer == "ok" else in_words(database, " ".join(str(answer).split())[:300])


def in_words(database: Path, reason: str) -> str:
    """Return what a person can do. batchd repairs nothing by itself: paid work may be in the damaged pages."""
    name = database.name
    return (
        f"The database {database} is damaged ({reason}). Stop batchd, copy the state folder {database.parent} and "
        f"check the disk. Then put back a backup, or save what can be read: in that folder run sqlite3 {name} .recover "
        f"| sqlite3 recovered.db, move {name}, {name}-wal and {name}-shm aside, name recovered.db {name}, and run "
        "batchd check."
    )

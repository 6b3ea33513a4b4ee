"""What the store raises. No code outside this folder handles SQLite's own errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BatchdError, StateError


class NameTaken(BatchdError):
    """Another job that is under way has this name for its results."""


_DAMAGED = "The database is damaged ({reason}). Stop batchd and copy the state folder before you do anything else."
_SELDOM_PASS = {
    sqlite3.SQLITE_FULL: "The database cannot be written ({reason}). Make room on the disk of the state folder.",
    sqlite3.SQLITE_READONLY: (
        "The database cannot be written ({reason}). Mount the file system of the state folder for writing, or give "
        "the user that batchd runs as the right to write there."
    ),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
"""Faults that a person must see to, by SQLite's code."""
_OTHER = "The database cannot be read or written ({reason})."


class StoreUnavailable(StateError):
    """The database does not work as a whole. The message says what to do; `reason` is what SQLite says.

    `needs_a_person` says that this seldom passes by itself.
    """

    def __init__(self, message: str, *, reason: str = "", needs_a_person: bool = False) -> None:
        super().__init__(message)
        self.reason = reason or message
        self.needs_a_person = needs_a_person

    @classmethod
    def from_sqlite(cls, error: sqlite3.Error) -> StoreUnavailable:
        """SQLite's error in our words."""
        # Extended codes hold the plain one in their low byte. An error made by Python itself has none.
        words = _SELDOM_PASS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        return cls((words or _OTHER).format(reason=error), reason=str(error), needs_a_person=words is not None)


_FAULTS_OF_ONE = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


def is_of_the_file(error: BaseException) -> bool:
    """Whether this error hits every user of the database.

    If not, one change is at fault: a row is refused, or a value cannot be bound.
    """
    return isinstance(error, sqlite3.Error) and not isinstance(error, _FAULTS_OF_ONE)


@contextmanager
def in_our_words() -> Iterator[None]:
    """Turn SQLite's errors about its file into StoreUnavailable. Faults of one change pass unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        if not is_of_the_file(error):
            raise
        raise StoreUnavailable.from_sqlite(error) from error


@contextmanager
def names_may_be_taken() -> Iterator[None]:
    """Turn a violated UNIQUE constraint into NameTaken."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise
        raise NameTaken(str(error)) from error

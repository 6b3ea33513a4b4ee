"""What the store raises. No code outside this folder handles SQLite's own errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from ..errors import BatchdError, StateError


class NameTaken(BatchdError):
    """Another job that is under way has this name for its results."""


class Trouble(StrEnum):
    """What is wrong with a database that does not work."""

    FULL = "full"
    READ_ONLY = "read-only"
    DAMAGED = "damaged"
    OTHER = "other"


_WORDS = {
    Trouble.FULL: "The database cannot be written ({reason}). Make room on the disk of the state folder.",
    Trouble.READ_ONLY: (
        "The database cannot be written ({reason}). Mount the file system of the state folder for writing, or give "
        "the user that batchd runs as the right to write there."
    ),
    Trouble.DAMAGED: (
        "The database is damaged ({reason}). Stop batchd and copy the state folder before you do anything else."
    ),
    Trouble.OTHER: "The database cannot be read or written ({reason}).",
}
_CODES = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
}


class StoreUnavailable(StateError):
    """The database does not work as a whole. The message says what to do; `reason` is what SQLite says."""

    def __init__(self, message: str, *, reason: str = "", trouble: Trouble = Trouble.OTHER) -> None:
        super().__init__(message)
        self.reason = reason or message
        self.trouble = trouble

    @classmethod
    def from_sqlite(cls, error: sqlite3.Error) -> StoreUnavailable:
        """The same in our words."""
        # Extended codes hold the plain one in their low byte. An error made by Python itself has none.
        trouble = _CODES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, Trouble.OTHER)
        return cls(_WORDS[trouble].format(reason=error), reason=str(error), trouble=trouble)

    @property
    def needs_a_person(self) -> bool:
        """Whether this seldom passes by itself."""
        return self.trouble is not Trouble.OTHER


_FAULTS_OF_ONE = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


def is_of_the_file(error: BaseException) -> bool:
    """Whether all that use the database meet this.

    If not, one change is at fault: a row is refused, or a value cannot be bound.
    """
    return isinstance(error, sqlite3.Error) and not isinstance(error, _FAULTS_OF_ONE)


@contextmanager
def in_our_words() -> Iterator[None]:
    """Raise StoreUnavailable in place of what SQLite raises about its file. Faults of one change pass as they are."""
    try:
        yield
    except sqlite3.Error as error:
        if not is_of_the_file(error):
            raise
        raise StoreUnavailable.from_sqlite(error) from error


@contextmanager
def names_may_be_taken() -> Iterator[None]:
    """Raise NameTaken where two rows may not hold the same value."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise
        raise NameTaken(str(error)) from error

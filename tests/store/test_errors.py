"""What SQLite says about its file, in words that say what to do."""

from __future__ import annotations

import pickle
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchd.store.answer_cache import AnswerCache
from batchd.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from batchd.store.database import Transaction

    from .conftest import Opened


def large(tx: Transaction) -> None:
    """A change that needs many pages."""
    tx.run("raise_condition", subject="large", text="x" * 1_000_000, since=0.0)


async def pragma(store: Opened, statement: str) -> Any:
    """Ask SQLite for something."""
    return list(await store.database.connection.execute_fetchall(f"PRAGMA {statement}"))


async def test_a_database_that_may_not_be_written(store: Opened) -> None:
    await pragma(store, "query_only=1")
    with pytest.raises(StoreUnavailable) as caught:
        await store.database.write(large)
    assert caught.value.needs_a_person
    assert str(caught.value).startswith("The database cannot be written (attempt to write a readonly database). Mount")


async def test_a_damaged_database_that_is_only_read(store: Opened) -> None:
    await store.database.write(large)
    await pragma(store, "wal_checkpoint(TRUNCATE)")
    with store.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (store.path.stat().st_size - 4096))
    await pragma(store, "shrink_memory")
    with pytest.raises(StoreUnavailable) as caught:
        await store.event_log.conditions()
    assert caught.value.needs_a_person
    assert str(caught.value).startswith("The database is damaged (database disk image is malformed). Stop batchd")


async def test_the_fault_of_one_change_is_not_the_fault_of_the_file(store: Opened) -> None:
    def bad(tx: Transaction) -> None:
        tx.insert("batches", [{"key": "k"}])

    with pytest.raises(sqlite3.IntegrityError):
        await store.database.write(bad)


def test_a_cache_of_answers_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open"), AnswerCache.opened(tmp_path / "no" / "answers.db"):
        pass


def test_a_cache_of_answers_that_cannot_be_written(tmp_path: Path) -> None:
    with AnswerCache.opened(tmp_path / "answers.db") as cache:
        cache.connection.execute("PRAGMA query_only=1")
        with pytest.raises(StoreUnavailable) as caught:
            cache.keep([(b"k", b"line")], at=1.0)
    assert caught.value.needs_a_person


def test_it_travels_between_processes() -> None:
    error = StoreUnavailable("Words.", reason="full", needs_a_person=True)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.reason, copy.needs_a_person) == ("Words.", "full", True)

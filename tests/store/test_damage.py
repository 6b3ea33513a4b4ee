"""A damaged database is noticed at the start, and told in words; folders that it does not know are found."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from batchd.errors import StateUnusable
from batchd.store.database import Database
from batchd.store.reading.soundness import damage, unknown_folders

pytestmark = pytest.mark.field("state")


async def made(state: Path) -> Path:
    path = state / "batchd.db"
    database = await Database.open(path, now=lambda: 1.0)
    await database.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE filler AS SELECT value, hex(randomblob(500)) AS text FROM (SELECT 1 AS value)")
        connection.executemany("INSERT INTO filler VALUES (?, hex(randomblob(500)))", ((n,) for n in range(200)))
        connection.execute("CREATE INDEX filler_text ON filler (text)")
    connection.close()
    return path


def damaged(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * page)
        file.write(b"\xff" * 4_096)


async def test_a_sound_database_is_opened(tmp_path: Path) -> None:
    path = await made(tmp_path)
    assert damage(tmp_path) is None
    await (await Database.open(path, now=lambda: 1.0)).close()


async def test_a_damaged_page_is_noticed_at_the_start_and_told_what_to_do(tmp_path: Path) -> None:
    path = await made(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        [(root,)] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'filler_text'")
    connection.close()
    damaged(path, root - 1)
    before = path.read_bytes()
    with pytest.raises(StateUnusable, match=r"is damaged \(.*copy the state folder.*\.recover"):
        await Database.open(path, now=lambda: 1.0)
    assert path.read_bytes() == before
    assert "is damaged" in str(damage(tmp_path))


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = await made(tmp_path)
    path.write_bytes(b"no database at all" * 500)
    with pytest.raises(
        StateUnusable, match=r"is damaged \(file is not a database\)\. Stop batchd, copy the state folder"
    ):
        await Database.open(path, now=lambda: 1.0)


async def test_folders_that_no_job_knows_are_found(tmp_path: Path) -> None:
    await made(tmp_path)
    assert unknown_folders(tmp_path) == []
    (tmp_path / "jobs" / "abcd1234").mkdir(parents=True)
    (tmp_path / "jobs" / "abcd1234" / "source").write_bytes(b"a\n1\n")
    assert [each.name for each in unknown_folders(tmp_path)] == ["abcd1234"]

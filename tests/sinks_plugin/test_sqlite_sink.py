"""The sink `sqlite`: whole, once, into tables of other people, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from batchd import Receipt, RejectedError, ResultRow, RowStatus, TransientError
from batchd.testing.conformance import SinkConformance
from batchd.testing.outbox import FakeRows, MemoryOutbox, many_rows, sample_job, sample_rows
from batchd_sinks.sqlite_sink import SqliteSink

pytestmark = pytest.mark.field("results")


def sink_for(path: Path, **settings: Any) -> SqliteSink:
    return SqliteSink(SqliteSink.Settings(path=path, **settings))


def ask(path: Path, *statements: str) -> list[dict[str, Any]]:
    """What the last statement finds."""
    with closing(sqlite3.connect(path)) as database, database:
        database.row_factory = sqlite3.Row
        for statement in statements[:-1]:
            database.execute(statement)
        return [dict(row) for row in database.execute(statements[-1])]


@pytest.mark.slow
class TestSqlite(SinkConformance):
    def make(self) -> SqliteSink:
        return sink_for(self.folder / "results.db")

    def seen(self) -> Any:
        return ask(self.folder / "results.db", "SELECT * FROM results ORDER BY job, row")


async def test_every_kind_of_row_is_in_the_table_once(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    for _ in range(2):
        receipt = await sink_for(path).publish(sample_job(MemoryOutbox()), sample_rows())
    assert receipt == Receipt(str(path), table="results", rows=7)
    rows = ask(path, "SELECT * FROM results ORDER BY row")
    assert len(rows) == 7
    assert rows[0] == {
        "job": "job", "row": 0, "file": "reviews/may.csv", "id": "1", "review": "Great, really.", "answer": "good",
        "score": 3, "status": "ok", "error": None,
    }  # fmt: skip
    assert (rows[4]["review"], rows[4]["answer"]) == ("Đẹp 👍🏽 ñ \ufeff\x00", '["a",{"b":null}]')
    assert (rows[6]["id"], rows[6]["status"]) == (7, "skipped")


def one(names: list[str], values: list[Any]) -> FakeRows:
    row = ResultRow(0, values, values, RowStatus.OK, ["yes"], None, None, None)
    return FakeRows(names, ["answer"], lambda: iter([row]))


async def test_jobs_with_other_columns_share_a_table_and_what_people_add_stays(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    ask(path, "CREATE TABLE mine (ROW INTEGER, Job TEXT, checked TEXT, ID, PRIMARY KEY (Job, ROW))", "SELECT 1")
    sink = sink_for(path, table="mine")
    await sink.publish(sample_job(MemoryOutbox(), job="a"), one(["id", 'say "x"', "job"], [2**70, "v", 1.5]))
    ask(path, "UPDATE mine SET checked = 'anna'", "SELECT 1")
    await sink.publish(sample_job(MemoryOutbox(), job="a"), one(["id", 'say "x"', "job"], ["\ud800", True, None]))
    await sink.publish(sample_job(MemoryOutbox(), job="b"), one(["other"], ["o"]))
    a, b = ask(path, "SELECT * FROM mine ORDER BY job")
    assert (a["ID"], a['say "x"'], a["job (2)"], a["checked"]) == ("?", 1, None, "anna")
    assert (b["other"], b["answer"], b["ID"]) == ("o", "yes", None)


@pytest.mark.slow
async def test_what_cannot_be_done_is_said_and_nothing_is_half_there(tmp_path: Path) -> None:
    text, people, loose = tmp_path / "text.db", tmp_path / "people.db", tmp_path / "loose.db"
    text.write_text("this is a text, and not a database at all" * 30)
    ask(people, "CREATE TABLE results (id, name)", "SELECT 1")
    ask(loose, "CREATE TABLE results (job, row, must)", "SELECT 1")
    needy, locked, view = tmp_path / "needy.db", tmp_path / "locked.db", tmp_path / "view.db"
    ask(needy, "CREATE TABLE results (job, row, must NOT NULL, PRIMARY KEY (job, row))", "SELECT 1")
    ask(view, "CREATE TABLE t (job, row)", "CREATE VIEW results AS SELECT * FROM t", "SELECT 1")
    (tmp_path / "folder.db").mkdir()
    wide = one([f"c{each}" for each in range(2_100)], ["x"] * 2_100)
    other = sqlite3.connect(locked)
    other.execute("BEGIN EXCLUSIVE")
    cases: list[tuple[Path, FakeRows, type[Exception], str]] = [
        (tmp_path / "gone" / "r.db", many_rows(3), RejectedError, "cannot be opened. Make its folder"),
        (tmp_path / "folder.db", many_rows(3), RejectedError, "cannot be opened"),
        (text, many_rows(3), RejectedError, "no SQLite database.*Set path"),
        (people, many_rows(3), RejectedError, "“results”.*not one for results.*job and row.*Set table"),
        (loose, many_rows(3), RejectedError, "not one for results"),
        (needy, many_rows(3), RejectedError, r"has a rule.*results\.must"),
        (view, many_rows(3), RejectedError, "“results”"),
        (tmp_path / "wide.db", wide, RejectedError, "too many columns"),
        (locked, many_rows(3), TransientError, "Another program has been writing to"),
    ]
    faults = []
    for path, rows, kind, words in cases:
        try:
            await sink_for(path, timeout="100ms").publish(sample_job(MemoryOutbox()), rows)
            faults.append(f"{path.name}: taken")
        except (RejectedError, TransientError) as error:
            if type(error) is not kind or not re.search(words, str(error)) or str(path) not in str(error):
                faults.append(f"{path.name}: {error!r}")
    other.close()
    assert not faults, "\n".join(faults)
    assert ask(people, "SELECT * FROM results") == ask(needy, "SELECT * FROM results") == []
    assert text.read_text().startswith("this is a text")


async def test_a_file_that_may_only_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    await sink_for(path).publish(sample_job(MemoryOutbox()), many_rows(1))
    if os.getuid() == 0:
        # Root may write to any file, so the file says itself that it is to be read: as a newer version's would.
        with path.open("r+b") as file:
            file.seek(18)
            file.write(b"\x07\x01")
    else:
        path.chmod(0o444)
    sink = sink_for(path)
    with pytest.raises(RejectedError, match=r"may not write to .*results\.db.*right to write"):
        await sink.publish(sample_job(MemoryOutbox()), many_rows(1))
    assert len(await sink.check()) == 1


async def test_a_delivery_that_is_cancelled_leaves_nothing_and_lets_go_of_the_file(tmp_path: Path) -> None:
    path, reached, gate = tmp_path / "results.db", threading.Event(), threading.Event()
    rows = many_rows(50)

    def wait(number: int) -> None:
        if number == 40:
            reached.set()
            gate.wait(10)

    rows.before = wait
    publishing = asyncio.ensure_future(sink_for(path).publish(sample_job(MemoryOutbox()), rows))
    await asyncio.to_thread(reached.wait, 10)
    publishing.cancel()
    # It hears of it in the next turns of the loop. If the thread went on before, it could come to its end.
    for _ in range(3):
        await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(publishing, return_exceptions=True)
    assert publishing.cancelled()
    assert ask(path, "SELECT name FROM sqlite_master") == []
    await sink_for(path, timeout="0s").publish(sample_job(MemoryOutbox()), many_rows(50))
    assert ask(path, "SELECT count(*) AS n FROM results") == [{"n": 50}]


async def test_the_check_of_a_sink_leaves_nothing(tmp_path: Path) -> None:
    assert await sink_for(tmp_path / "results.db").check() == ()
    assert ask(tmp_path / "results.db", "SELECT name FROM sqlite_master") == []

"""One file, one connection, one lock: changes that wait together are committed together, and none hurts another."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.subjects import Subject
from batchd.errors import StateUnusable
from batchd.events import ConditionRaised, Event, JobCancelled
from batchd.store import database, schema
from batchd.store.database import Database, Transaction
from batchd.store.errors import StoreUnavailable

from .conftest import NOW, Opened
from .whole_schema import FILE, parts_after, written


def note(subject: str) -> Any:
    """A change that leaves a note, and tells of it."""

    def change(tx: Transaction) -> str:
        tx.run("raise_condition", subject=subject, text="text", since=tx.now)
        tx.record(ConditionRaised(subject=subject, text="text"))
        return subject

    return change


async def notes(store: Opened) -> list[str]:
    """The notes that are committed."""
    return sorted(str(each) for each in await store.event_log.conditions())


async def commits(store: Opened) -> list[str]:
    """The COMMITs that reach SQLite from now on."""
    seen: list[str] = []

    def trace(statement: str) -> None:
        if statement.startswith("COMMIT"):
            seen.append(statement)

    await store.database.connection.set_trace_callback(trace)
    return seen


class Gate:
    """A change that holds the commit up until it is let go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, tx: Transaction) -> str:
        self._loop.call_soon_threadsafe(self.reached.set)
        # So that a test that fails before it opens the gate fails, and does not hang.
        assert self.open.wait(5)
        note("gate")(tx)
        return "gate"


async def held_up(store: Opened) -> tuple[Gate, asyncio.Task[str]]:
    """A write that has begun, so that all others wait."""
    gate = Gate()
    task = asyncio.create_task(store.database.write(gate))
    await gate.reached.wait()
    return gate, task


async def begun(store: Opened, *changes: Any) -> list[asyncio.Task[Any]]:
    """Writers that have come as far as they can while the gate is shut."""
    tasks = [asyncio.create_task(store.database.write(change)) for change in changes]
    await asyncio.sleep(0)
    return tasks


# --- sharing a commit ------------------------------------------------------------------------------------------


async def test_a_write_returns_what_the_change_returns_and_is_committed(store: Opened) -> None:
    assert await store.database.write(note("one")) == "one"
    assert [row[0] for row in store.everything()["conditions"]] == ["one"]


async def test_writes_that_wait_together_share_a_commit(store: Opened) -> None:
    counted = await commits(store)
    gate, first = await held_up(store)
    others = await begun(store, *(note(str(number)) for number in range(50)))
    gate.open.set()
    assert await asyncio.gather(*others) == [str(number) for number in range(50)]
    await first
    assert len(counted) == 2  # the one that was held up, and one for all who came meanwhile
    assert len(await notes(store)) == 51


async def test_they_are_carried_out_in_the_order_they_came(store: Opened) -> None:
    gate, _ = await held_up(store)
    order: list[int] = []

    def change(number: int) -> Any:
        def carry_out(tx: Transaction) -> None:
            order.append(number)

        return carry_out

    others = await begun(store, *(change(number) for number in range(10)))
    gate.open.set()
    await asyncio.gather(*others)
    assert order == list(range(10))


@pytest.mark.parametrize("fault", ["exception", "constraint", "binding", "half a pair"])
async def test_one_that_fails_leaves_the_others_and_nothing_of_itself(store: Opened, fault: str) -> None:
    def bad(tx: Transaction) -> None:
        note("half")(tx)
        match fault:
            case "exception":
                raise KeyError("mine")
            case "constraint":
                tx.insert("batches", [{"key": "k"}])
            case "binding":
                tx.update("orders", {"id": 1}, answer=object())
            case _:
                raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

    gate, _ = await held_up(store)
    one, broken, two = await begun(store, note("one"), bad, note("two"))
    gate.open.set()
    assert await asyncio.gather(one, two) == ["one", "two"]
    with pytest.raises((KeyError, sqlite3.Error, UnicodeEncodeError)):
        await broken
    assert await notes(store) == ["gate", "one", "two"]
    assert [event.subject for event in store.told if isinstance(event, ConditionRaised)] == ["gate", "one", "two"]


async def test_a_fault_of_sqlite_fails_all_and_commits_none(store: Opened) -> None:
    def bad(tx: Transaction) -> None:
        tx.connection.execute("SELECT * FROM no_such_table")

    gate, _ = await held_up(store)
    tasks = await begun(store, note("one"), bad, note("two"))
    gate.open.set()
    for answer in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(answer, StoreUnavailable)
    assert await notes(store) == ["gate"]
    assert await store.database.write(note("afterwards")) == "afterwards"


async def test_a_full_disk_fails_all_who_wait_and_passes(store: Opened) -> None:
    def large(tx: Transaction) -> None:
        tx.run("raise_condition", subject="large", text="x" * 10_000_000, since=0.0)

    connection = store.database.connection
    [(pages,)] = await connection.execute_fetchall("PRAGMA page_count")
    await connection.execute_fetchall(f"PRAGMA max_page_count={pages + 20}")
    gate, _ = await held_up(store)
    tasks = await begun(store, note("one"), large)
    gate.open.set()
    for answer in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(answer, StoreUnavailable)
        assert answer.needs_a_person
        assert str(answer) == (
            "The database cannot be written (database or disk is full). Make room on the disk of the state folder."
        )
    assert await notes(store) == ["gate"]
    await connection.execute_fetchall("PRAGMA max_page_count=1000000")
    await store.database.write(large)


async def test_a_commit_that_fails_tells_of_nothing(store: Opened) -> None:
    def refuse(action: int, what: str, *_: object) -> int:
        return sqlite3.SQLITE_DENY if (action, what) == (sqlite3.SQLITE_TRANSACTION, "COMMIT") else sqlite3.SQLITE_OK

    await store.database.connection.set_authorizer(refuse)
    with pytest.raises(StoreUnavailable, match="not authorized"):
        await store.database.write(note("one"))
    await store.database.connection.set_authorizer(None)
    assert store.told == []
    assert await notes(store) == []
    assert store.everything()["events"] == []


# --- events ----------------------------------------------------------------------------------------------------


async def test_news_is_told_only_after_the_commit(tmp_path: Path) -> None:
    seen: list[int] = []
    path = tmp_path / "batchd.db"

    def look(event: Event) -> None:
        # Another connection sees only what is committed.
        with contextlib.closing(sqlite3.connect(path)) as other:
            seen.append(other.execute("SELECT COUNT(*) FROM events").fetchone()[0])

    opened = await Database.open(path, now=lambda: NOW, on_event=look)
    try:
        await opened.write(lambda tx: tx.record(JobCancelled(job="a"), JobCancelled(job="b")))
    finally:
        await opened.close()
    assert seen == [2, 2]


async def test_an_event_is_written_down_with_its_time_and_whom_it_concerns(store: Opened) -> None:
    await store.event_log.record(ConditionRaised(job="j", batch="b", subject="s", text="Đẹp"))
    [(_, at, kind, job, batch, data)] = store.everything()["events"]
    assert (at, kind, job, batch) == (NOW, "ConditionRaised", "j", "b")
    assert data == '{"subject":"s","text":"Đẹp"}'


# --- cancellation ----------------------------------------------------------------------------------------------


async def test_a_writer_that_is_cancelled_before_its_turn_leaves_nothing(store: Opened) -> None:
    gate, first = await held_up(store)
    [waiting] = await begun(store, note("cancelled"))
    waiting.cancel()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await first
    # Neither now nor with the next commit, an hour later: by then nobody may want it any more.
    await store.database.write(note("later"))
    assert await notes(store) == ["gate", "later"]
    assert store.database.waiting == 0


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_writer_that_is_cancelled_while_it_commits_has_committed(store: Opened, times: int) -> None:
    gate, writing = await held_up(store)
    [beside] = await begun(store, note("beside"))
    for _ in range(times):
        # The second time as when a grace period ends: a commit for others must still not leave them.
        writing.cancel()
        await asyncio.sleep(0)
    assert not writing.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await beside == "beside"
    assert await notes(store) == ["beside", "gate"]


async def test_a_cancelled_writer_whose_change_failed_leaves_no_complaint_behind(
    store: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    def bad(tx: Transaction) -> None:
        gate(tx)
        raise KeyError("mine")

    writing = asyncio.create_task(store.database.write(bad))
    await gate.reached.wait()
    writing.cancel()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    del writing
    gc.collect()
    await asyncio.sleep(0)
    assert caplog.records == []  # asyncio logs exceptions that nobody has looked at
    assert await notes(store) == []


@pytest.mark.parametrize("kill", [0, 1, 2, 3, 5, 8])
async def test_whenever_it_is_cancelled_a_write_is_whole_or_not_there(store: Opened, kill: int) -> None:
    def change(tx: Transaction) -> None:
        note("one")(tx)
        note("two")(tx)

    writing = asyncio.create_task(store.database.write(change))
    for _ in range(kill):
        await asyncio.sleep(0)
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    assert await notes(store) in ([], ["one", "two"])
    await store.database.write(change)
    assert await notes(store) == ["one", "two"]


async def test_reading_does_not_wait_for_a_write_and_sees_it_whole_or_not_at_all(store: Opened) -> None:
    gate, writing = await held_up(store)
    assert await store.event_log.conditions() == {}
    gate.open.set()
    await writing
    assert await store.event_log.conditions() == {Subject.parse("gate"): "text"}


async def test_a_read_that_takes_long_is_made_in_the_thread_and_holds_nobody_up(store: Opened) -> None:
    threads: list[str] = []

    def look(tx: Transaction) -> int:
        threads.append(threading.current_thread().name)
        # A hundred million steps: the event loop would stand still for seconds.
        if len(threads) > 1:
            return 7
        query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000000) SELECT COUNT(*) FROM n"
        return int(tx.connection.execute(query).fetchone()[0])

    assert await store.database.read(look) == 7
    assert threads[0] == threading.current_thread().name
    assert threads[1] != threads[0]


async def test_many_quick_queries_are_a_read_that_takes_long(store: Opened) -> None:
    threads: list[str] = []

    def look(tx: Transaction) -> None:
        threads.append(threading.current_thread().name)
        while len(threads) == 1:
            tx.fetch("conditions")

    await store.database.read(look)
    assert len(set(threads)) == 2


async def test_a_read_is_of_one_moment(store: Opened) -> None:
    def look(tx: Transaction) -> bool:
        before = len(tx.fetch("conditions"))
        with contextlib.closing(sqlite3.connect(store.path)) as other, other:
            other.execute("INSERT INTO conditions (subject, text, since) VALUES ('job ' || random(), 'text', 0)")
        return len(tx.fetch("conditions")) == before

    assert await store.database.read(look)
    assert await store.database.read_beside_writes(look)
    assert await store.event_log.conditions()


async def test_closing_waits_for_the_write_under_way(store: Opened) -> None:
    gate, writing = await held_up(store)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    gate.open.set()
    assert await writing == "gate"
    await closing
    assert [row[0] for row in store.everything()["conditions"]] == ["gate"]


# --- what is stored --------------------------------------------------------------------------------------------


async def test_text_of_strangers_is_stored_whatever_is_in_it(store: Opened) -> None:
    # A service that cuts a message in the middle of an emoji must not stop a batch for good.
    odd = "cut \ud83d off, \x00, Đẹp \U0001f44d"
    await store.event_log.raise_condition(Subject.job("odd"), odd)
    await store.event_log.record(ConditionRaised(subject="odd", text=odd))
    said = (await store.event_log.conditions())[Subject.job("odd")]
    assert said == "cut \\ud83d off, \x00, Đẹp \U0001f44d"


# --- opening ---------------------------------------------------------------------------------------------------


async def test_the_promised_pragmas_are_read_back(store: Opened) -> None:
    connection = store.database.connection
    answers = {}
    for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
        [(answers[pragma],)] = await connection.execute_fetchall(f"PRAGMA {pragma}")
    assert answers == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5_000}


async def test_a_file_system_that_takes_no_wal_is_refused_in_words() -> None:
    # A database in memory stands in for it: it answers "memory".
    with pytest.raises(StateUnusable, match=r"journal_mode=WAL.*local disk"):
        await Database.open(Path(":memory:"), now=lambda: NOW)


@pytest.mark.parametrize("kind", ["no folder", "no database", "folder"])
async def test_what_cannot_be_opened_is_refused_in_words(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "batchd.db"
    match kind:
        case "no folder":
            path = tmp_path / "missing" / "batchd.db"
        case "no database":
            path.write_bytes(b"This is a letter, and no database. " * 100)
        case _:
            path.mkdir()
    with pytest.raises(StateUnusable, match=r"batchd.db (cannot be|is damaged)"):
        await Database.open(path, now=lambda: NOW)


async def test_opening_proves_that_it_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database.QUERIES, "heartbeat", "UPDATE no_such_table SET at = :at, pid = :pid")
    with pytest.raises(StateUnusable, match="cannot be written"):
        await Database.open(tmp_path / "batchd.db", now=lambda: NOW)


async def test_a_full_disk_does_not_keep_the_daemon_from_starting(store: Opened) -> None:
    connection = store.database.connection
    await connection.execute_fetchall("PRAGMA max_page_count=1")
    # What `probe` meets; the daemon starts, says so and waits for room.
    await database.probe(_Full(), store.path, NOW)  # type: ignore[arg-type]


class _Full:
    async def execute(self, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")


async def test_it_beats(store: Opened) -> None:
    await store.event_log.beat(4_711)
    await store.event_log.beat(4_712)
    assert store.everything()["heartbeat"] == [(1, NOW, 4_712)]


# --- migrations ------------------------------------------------------------------------------------------------

TO_COLOUR = "ALTER TABLE jobs ADD COLUMN colour TEXT NOT NULL DEFAULT 'green';"


async def version(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return number


async def opened_and_closed(path: Path, steps: Sequence[str] | None = None) -> None:
    await (await Database.open(path, now=lambda: NOW, steps=steps)).close()


async def test_an_older_database_is_brought_up_to_date_with_a_copy_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "batchd.db"
    opened = await Database.open(path, now=lambda: NOW)
    await opened.write(note("kept"))
    await opened.close()
    steps = database.migrations()
    await opened_and_closed(path, [*steps, TO_COLOUR])
    assert await version(path) == len(steps) + 1
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT subject FROM conditions").fetchall() == [("kept",)]
        assert connection.execute("SELECT colour FROM jobs").fetchall() == []
    backup = tmp_path / f"batchd.db.before-{len(steps) + 1}"
    assert await version(backup) == len(steps)
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT subject FROM conditions").fetchall() == [("kept",)]
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("SELECT colour FROM jobs")
    assert sorted(each.name for each in tmp_path.iterdir() if "draft" in each.name) == []


async def test_a_new_database_takes_all_steps_and_needs_no_copy(tmp_path: Path) -> None:
    steps = database.migrations()
    await opened_and_closed(tmp_path / "batchd.db", [*steps, TO_COLOUR])
    await opened_and_closed(tmp_path / "batchd.db", [*steps, TO_COLOUR])
    assert await version(tmp_path / "batchd.db") == len(steps) + 1
    assert [each.name for each in tmp_path.iterdir() if "before" in each.name] == []


def test_a_new_database_begins_with_what_all_steps_lead_to() -> None:
    assert FILE.read_text("utf-8") == written(), "There is a new step. Run: make schema"
    assert parts_after([schema.whole()]) == parts_after(schema.migrations())


async def test_a_step_that_fails_is_taken_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "batchd.db"
    await opened_and_closed(path)
    steps = database.migrations()
    with pytest.raises(StateUnusable, match="no such table"):
        await opened_and_closed(path, [*steps, f"{TO_COLOUR}\nALTER TABLE no_such_table ADD COLUMN x;"])
    assert await version(path) == len(steps)
    await opened_and_closed(path, [*steps, TO_COLOUR])
    assert await version(path) == len(steps) + 1


async def test_a_newer_database_is_refused_in_words_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "batchd.db"
    steps = database.migrations()
    await opened_and_closed(path, [*steps, TO_COLOUR])
    with pytest.raises(StateUnusable, match=f"newer batchd .schema {len(steps) + 1}, this one knows {len(steps)}."):
        await opened_and_closed(path)
    assert await version(path) == len(steps) + 1


def test_a_job_that_was_swept_by_an_earlier_version_has_its_size_and_is_still_swept() -> None:
    steps = database.migrations()
    [number] = [number for number, step in enumerate(steps) if "swept_at" in step]
    connection = sqlite3.connect(":memory:")
    for step in steps[:number]:
        connection.executescript(step)
    row = "'done', 'may.csv', x'00', '[1,99,3,4]', '{}'"
    columns = "id, state, source, inbox_path, stamp, route, size, claimed_at, finished_at"
    connection.execute(
        f"INSERT INTO jobs ({columns}) VALUES ('kept', {row}, 99, 1.0, 2.0), ('gone', {row}, -1, 1.0, 2.0)"
    )
    connection.executescript(steps[number])
    found = connection.execute("SELECT id, size, swept_at FROM jobs ORDER BY id").fetchall()
    connection.close()
    assert found == [("gone", 99, 2.0), ("kept", 99, None)]


def test_every_named_query_is_valid_sql() -> None:
    connection = sqlite3.connect(":memory:")
    for step in (*database.migrations(), database.CHANGES):
        connection.executescript(step)
    for query in database.QUERIES.values():
        names = dict.fromkeys(re.findall(r":(\w+)", query))
        connection.execute(f"EXPLAIN {query}", names)
    connection.close()

"""The database and the files of a backup are of one moment, whatever is written and removed meanwhile."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest

from batchd.store.backups.taking import take
from batchd.store.layout import DATABASE
from batchd.testing.empty_database import put_empty_database

pytestmark = [pytest.mark.slow, pytest.mark.field("state")]

JOB, FILES = "k3j9x2ab", 200


def at_work(state: Path, stop: threading.Event) -> None:
    """As the daemon works: a file, then the commit that needs it, then the file that is not needed any more goes."""
    parts = state / "jobs" / JOB / "parts"
    connection = sqlite3.connect(state / DATABASE, isolation_level=None, timeout=20)
    version = 1
    while not stop.is_set():
        version += 1
        draft = parts / f".{version}.draft"
        draft.write_text(str(version))
        draft.rename(parts / f"0.results.{version}.jsonl")
        connection.execute("UPDATE parts SET results = ?", [version])
        (parts / f"0.results.{version - 1}.jsonl").unlink()
    connection.close()


def test_no_file_is_missing_that_the_database_names(tmp_path: Path) -> None:
    state = tmp_path / "state"
    parts = state / "jobs" / JOB / "parts"
    parts.mkdir(parents=True)
    put_empty_database(state / DATABASE)
    with contextlib.closing(sqlite3.connect(state / DATABASE)) as database, database:
        database.execute(
            "INSERT INTO jobs (id, state, source, inbox_path, stamp, size, route, claimed_at) "
            "VALUES (?, 'running', 'may.csv', x'6d', '[]', 1, '{}', 0)",
            [JOB],
        )
        database.execute(
            'INSERT INTO parts (job, first, rows, "offset", length, state, results) VALUES (?, 0, 1, 0, 1, ?, 1)',
            [JOB, "answered"],
        )
    (parts / "0.results.1.jsonl").write_text("1")
    for number in range(FILES):
        (parts / f"{number}.requests.1.jsonl").write_text("x")
    stop = threading.Event()
    writer = threading.Thread(target=at_work, args=(state, stop))
    writer.start()
    wrong = []
    try:
        for number in range(12):
            links, copies = tmp_path / f"links-{number}", tmp_path / f"copies-{number}"
            links.mkdir()
            copies.mkdir()
            given = {"finished": False, "providers": ("acme",), "new_key": "00000001"}
            assert take(state, state, links, copies, **given) is not None  # type: ignore[arg-type]
            with contextlib.closing(sqlite3.connect(copies / DATABASE)) as copy, copy:
                [(results,)] = copy.execute("SELECT results FROM parts").fetchall()
                [(key,)] = copy.execute("SELECT key FROM next_batch_keys WHERE provider = 'acme'").fetchall()
            found = sorted(each.name for each in (links / "jobs" / JOB / "parts").glob("0.results.*"))
            if f"0.results.{results}.jsonl" not in found:
                wrong.append(f"{number}: the database is at {results}, and the files are {found}")
            assert (key, len(list(links.rglob("*.requests.*")))) == ("00000001", FILES)
    finally:
        stop.set()
        writer.join()
    assert not wrong, "\n".join(wrong)

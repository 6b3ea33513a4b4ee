"""One state folder: a second daemon, an older version's, a newer version's."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from pathlib import Path

import pytest

from batchd.store.schema import migrations

from .conftest import LONG, Shared, rows_of, until

pytestmark = pytest.mark.slow


def everything(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file below, with what is in it and when it was changed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
    return found


def test_a_second_daemon_says_who_has_it_and_touches_nothing(shared: Shared) -> None:
    shared.settings["rescan"] = '"600s"'  # so that the first changes nothing meanwhile
    shared.write_config()
    daemon = shared.start()
    shared.drop("reviews/may.csv", "\n".join(rows_of("may", 2)) + "\n")
    until(lambda: "may" in shared.reports(), "it is at work")
    until(lambda: shared.counts() == {"done": 1}, "it is through")
    until(lambda: not list((shared.folder / "state").rglob("*.piece.*")), "and what was made for it is cleared away")
    folders = [shared.folder / name for name in ("state", "inbox", "outbox", "archive", "rejected")]
    # The first daemon writes these: the log of SQLite, as it beats, and what its watch over the loop would leave.
    ours = lambda name: not name.startswith(("batchd.db", f"blocked-{daemon.pid}."))  # noqa: E731
    before = [{name: what for name, what in everything(folder).items() if ours(name)} for folder in folders]
    for command in (("run",), ("once",)):
        begun = time.monotonic()
        second = shared.batchd(*command)
        took = time.monotonic() - begun
        assert second.returncode == 11
        assert f"process {daemon.pid}" in second.stderr
        assert str(shared.folder / "state") in second.stderr
        assert second.stderr.strip().count("\n") == 0, second.stderr
        print(f"{' '.join(command)}: refused after {took:.2f} s")
        assert not LONG or took < 5.0  # half a second where nothing else runs
    after = [{name: what for name, what in everything(folder).items() if ours(name)} for folder in folders]
    assert after == before
    shared.drop("reviews/june.csv", "\n".join(rows_of("june", 2)) + "\n")
    until(lambda: "june" in shared.reports(), "the first goes on")
    shared.stop(daemon)


def older(path: Path) -> None:
    """A database as the first version made it, with a job in it that is being taken."""
    connection = sqlite3.connect(path)
    connection.executescript(f"{migrations()[0]}\nPRAGMA user_version = 1;")
    connection.execute(
        "INSERT INTO jobs (id, state, source, inbox_path, stamp, size, route, claimed_at) VALUES "
        '(\'abcd1234\', \'rejected\', \'reviews/old.csv\', ?, \'[1,2,3,4]\', 5, \'{"name":"","match":[],"provider":"",'
        '"model":"","sinks":["csv"],"prompt":{"kind":""}}\', 1.0)',
        (b"reviews/old.csv",),
    )
    connection.execute("UPDATE jobs SET finished_at = 2.0, size = -1, archive_name = 'reviews/old.csv'")
    connection.commit()
    connection.close()


def test_the_state_of_an_older_version_is_brought_up_to_date_with_a_copy_beside_it(shared: Shared) -> None:
    state = shared.folder / "state"
    state.mkdir()
    older(state / "batchd.db")
    steps = len(migrations())
    assert steps > 1, "there is no second version yet"
    # Commands that only look do not do it; they say who does.
    said = shared.batchd("status")
    assert said.returncode == 5
    assert "older batchd (schema 1" in said.stderr
    assert "batchd run" in said.stderr
    daemon = shared.start()
    shared.drop("reviews/may.csv", "\n".join(rows_of("may", 2)) + "\n")
    until(lambda: "may" in shared.reports(), "it works")
    shared.stop(daemon)
    copy = state / f"batchd.db.before-{steps}"
    for path, version in ((state / "batchd.db", steps), (copy, 1)):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT source FROM jobs WHERE id = 'abcd1234'").fetchone() == ("reviews/old.csv",)
        connection.close()
    assert "reviews/old.csv" in shared.batchd("status", "--all").stdout


def test_the_state_of_a_newer_version_is_refused_in_words(shared: Shared) -> None:
    daemon = shared.start()
    shared.stop(daemon)
    database = shared.folder / "state" / "batchd.db"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 1000")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = hashlib.sha256(database.read_bytes()).digest()
    for command in (("run",), ("once",), ("status",)):
        said = shared.batchd(*command)
        assert said.returncode == 5
        assert "newer batchd (schema 1000" in said.stderr
        assert said.stderr.strip().count("\n") == 0, said.stderr
    assert hashlib.sha256(database.read_bytes()).digest() == before

"""Looking at a database that is not there, newer, older, damaged, locked or another user's."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.domain.records import JobState
from batchd.errors import StateUnusable
from batchd.status.daemon import running
from batchd.status.job_words import STATES
from batchd.store.database import QUERIES
from batchd.store.reading import opening
from batchd.store.reading.records import FINAL
from batchd.store.reading.snapshot import snapshot
from batchd.store.schema import migrations

from .cli_kit import House, finished_house, here


@pytest.fixture
def house(tmp_path: Path) -> House:
    return finished_house(tmp_path / "house")[0]


def version(house: House, number: int) -> None:
    connection = sqlite3.connect(house.state / "batchd.db")
    connection.execute(f"PRAGMA user_version = {number}")
    connection.close()


def test_each_state_has_its_words() -> None:
    assert {state.value for state in JobState} == {*STATES, "running"}


@pytest.mark.parametrize("query", ["expired_jobs", "finished_jobs"])
def test_the_daemon_asks_for_the_same_final_states(query: str) -> None:
    states = re.search(r"state IN \((.*?)\)", QUERIES[query])
    assert states is not None
    assert set(re.findall(r"\w+", states[1])) == FINAL


def test_newer(house: House) -> None:
    version(house, len(migrations()) + 1)
    said = here("status", config=house.config)
    assert said.status == 5
    assert "was written by a newer batchd" in said.err


def test_older(house: House) -> None:
    version(house, len(migrations()) - 1)
    said = here("status", config=house.config)
    assert said.status == 5
    assert "The daemon upgrades it at its next start: batchd run." in said.err


def test_only_just_being_made(house: House) -> None:
    version(house, 0)
    assert "No file has been received yet." in here("status", config=house.config).out


def test_damaged(house: House) -> None:
    (house.state / "batchd.db").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    said = here("status", config=house.config)
    assert said.status == 5
    assert "cannot be read: file is not a database. If it is damaged, stop the daemon" in said.err


def test_locked_by_someone_who_does_not_let_go(house: House) -> None:
    connection = sqlite3.connect(house.state / "batchd.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        with (
            pytest.raises(StateUnusable, match="Try again in a moment") as caught,
            opening.connected(house.state, busy_timeout=0.05),
        ):
            pass
    finally:
        connection.close()
    assert caught.value.exit_status == 5


def test_looking_never_writes(house: House) -> None:
    def delete() -> None:
        with snapshot(house.state) as state:
            assert state.connection is not None
            state.connection.execute("DELETE FROM jobs")

    with pytest.raises(StateUnusable, match="attempt to write a readonly database"):
        delete()
    with snapshot(house.state) as state:
        assert state.finished_count() == 1


def test_a_look_is_of_one_moment(house: House) -> None:
    with snapshot(house.state) as state:
        assert len(state.finished(-1)) == 1
        connection = sqlite3.connect(house.state / "batchd.db", isolation_level=None)
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM jobs")
        connection.close()
        assert len(state.finished(-1)) == 1
    with snapshot(house.state) as state:
        assert state.finished(-1) == []


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    with snapshot(house.state) as state:
        assert state.unfinished() == state.finished(-1) == state.conditions() == []
        assert state.jobs_called("x") == state.batches_called("x") == []
    assert running(house.state) is None
    assert not house.state.exists()


def test_a_full_disk_is_said_as_such() -> None:
    error = sqlite3.OperationalError("database or disk is full")
    assert "no room left" in opening.in_words(error, Path("/srv/state/batchd.db"))


@pytest.fixture
def not_ours() -> Iterator[Path]:
    """A state folder that we may not look into. Elsewhere than tmp_path, into which only its owner may go."""
    folder = Path(tempfile.mkdtemp(prefix="batchd-test-"))
    folder.chmod(0o755)
    state = folder / "state"
    state.mkdir(mode=0o700)
    (state / "batchd.db").touch()
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    else:
        state.chmod(0o000)
    try:
        yield state
    finally:
        if before == 0:
            os.seteuid(0)
        else:
            state.chmod(0o700)
        shutil.rmtree(folder)


def test_another_users_state_says_whose_it_is(not_ours: Path) -> None:
    with pytest.raises(StateUnusable) as refusal, snapshot(not_ours):
        pass
    assert "cannot be looked into: Permission denied. It belongs to " in str(refusal.value)
    assert "sudo -u" in str(refusal.value)
    with pytest.raises(StateUnusable, match="Permission denied"):
        running(not_ours)

"""A disk that is full cannot hold the words for it, so `batchd status` looks at the disk itself."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from batchd.status import room
from batchd.store.reading import opening
from batchd.store.spool import Spool

from .cli_kit import half_way, here

FREE_BLOCKS = 4
"""The place of f_bavail in what statvfs returns."""


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever disk these tests run on has one block left."""
    statvfs = os.statvfs

    def one_block_left(path: str) -> os.statvfs_result:
        fields = list(statvfs(path))
        fields[FREE_BLOCKS] = 1
        return os.statvfs_result(fields)

    monkeypatch.setattr(os, "statvfs", one_block_left)


def test_a_disk_with_room_is_no_condition(tmp_path: Path) -> None:
    house, _ = half_way(tmp_path / "house", "reviews/june.csv")
    assert here("status", "--json", config=house.config).json()["conditions"] == []
    assert room.no_room(tmp_path / "nowhere") == []


@pytest.mark.usefixtures("full")
def test_it_is_said_first_and_is_what_jobs_wait_for(tmp_path: Path) -> None:
    house, _ = half_way(tmp_path / "house", "reviews/june.csv")
    text = (
        f"No room is left on the disk of {house.state}, so batchd cannot write there. Make room; then batchd goes on."
    )
    with Spool(house.state).locked():
        lines = here("status", config=house.config).out.splitlines()
        record = here("status", "--json", config=house.config).json()
        details = here("status", "june.csv", config=house.config).out
    assert lines[2] == f"disk: {text}"
    # Since when is not known: nothing could be noted.
    assert record["conditions"] == [{"subject": "disk", "text": text, "since": None}]
    assert record["jobs"][0]["waits_for"] == "disk"
    assert f"disk: {text}" in details


@pytest.mark.usefixtures("full")
def test_a_database_that_cannot_be_read_for_want_of_room_is_not_called_damaged(tmp_path: Path) -> None:
    # What SQLite says when it finds no room for the files beside the database.
    words = opening.in_words(sqlite3.OperationalError("disk I/O error"), tmp_path / "batchd.db")
    assert "no room left" in words
    assert "damaged" not in words

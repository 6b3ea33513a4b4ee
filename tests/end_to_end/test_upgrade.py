"""The folders that an earlier version left in mid-job are opened by this one, and the job is finished."""

from __future__ import annotations

import contextlib
import sqlite3
import tarfile
import time
from pathlib import Path

import pytest

from ..durability.rig import NurseryPlace, shared_nursery

pytestmark = [pytest.mark.slow, pytest.mark.field("state")]

FOLDERS = Path(__file__).with_name("data") / "b756846.tar.xz"
"""Left by kill -9 of the daemon of commit b756846, the last with schema 6: `april` (5 rows) is done, the four batches of
`may` (40 rows) are at its sandbox, whose folder is there as well, and `june` (5 rows) is packed and not sent."""


def test_what_an_earlier_version_left_is_finished_and_nothing_is_asked_again(tmp_path: Path) -> None:
    with tarfile.open(FOLDERS) as archive:
        archive.extractall(tmp_path, filter="data")
    for name in ("inbox/reviews", "rejected", "held"):
        (tmp_path / name).mkdir(parents=True)
    place = NurseryPlace(tmp_path, shared_nursery())
    try:
        # Its batches were to take half an hour.
        with contextlib.closing(sqlite3.connect(tmp_path / "sandbox" / "sandbox.db")) as database, database:
            database.execute(
                "UPDATE batches SET latency = 0.1, created_at = ? WHERE status = 'validating'", [time.time()]
            )
        url = place.sandbox("sandbox", "--port", "0", "--folder", str(tmp_path / "sandbox"), "--latency", "100ms")
        config = tmp_path / "config.toml"
        config.write_text(config.read_text().replace("http://127.0.0.1:8391/v1", url))
        place.url = url
        place.run()
        rows = {name: place.results(f"reviews/{name}") for name in ("april", "may", "june")}
        ledger = place.ledger()
    finally:
        place.close()
    assert {name: len(found) for name, found in rows.items()} == {"april": 5, "may": 40, "june": 5}
    assert {row["status"] for found in rows.values() for row in found} == {"ok"}
    assert (ledger["create_calls"], ledger["requests_executed"], ledger["executed_twice"]) == (6, 50, [])
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "batchd.db")) as database, database:
        assert set(database.execute("SELECT state FROM jobs")) == {("done",)}
    assert list((tmp_path / "state").glob("batchd.db.before-*"))

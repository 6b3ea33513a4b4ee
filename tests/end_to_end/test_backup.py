"""The machine is lost while batches are at the provider: its backup is restored elsewhere, and every row is delivered."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ..durability.rig import NurseryPlace, shared_nursery
from .conftest import reviews, until

pytestmark = [pytest.mark.slow, pytest.mark.field("state")]


@pytest.mark.slow(seconds=5)
def test_a_backup_made_in_mid_job_is_restored_on_an_empty_machine(tmp_path: Path) -> None:
    place, there = (NurseryPlace(tmp_path / name, shared_nursery()) for name in ("lost", "new"))
    place.folder.mkdir()
    try:
        lose_and_restore(place, there, tmp_path / "backups" / "now")
    finally:
        there.close()
        place.close()


def lose_and_restore(place: NurseryPlace, there: NurseryPlace, backup: Path) -> None:
    place.serve("--latency", "2s")
    # The first batch goes ahead of the others, which are created after the backup.
    place.configure("max_requests = 50")
    daemon = place.run()
    place.drop("reviews/may.csv", reviews(200))
    until(lambda: place.ledger()["create_calls"] >= 1, "a batch is at the provider")
    done = place.batchd("backup", str(backup))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Backed up 1 job" in done.stdout
    refused = place.batchd("restore", str(backup))
    assert refused.returncode == 5
    assert "works on the state folder" in refused.stderr
    sent = place.ledger()["create_calls"]
    until(lambda: place.ledger()["create_calls"] > sent, "another batch is created after the backup")
    daemon.kill()
    daemon.wait()
    created = place.ledger()["create_calls"]
    for name in ("inbox", "outbox", "archive", "rejected", "held", "state"):
        shutil.rmtree(place.folder / name, ignore_errors=True)
    (place.folder / "config.toml").unlink()

    there.folder.mkdir()
    there.url = place.url
    put_back = there.batchd("restore", str(backup))
    assert (put_back.returncode, put_back.stderr) == (0, "")
    there.run()
    rows = there.results("reviews/may")
    assert [row["id"] for row in rows] == [str(number) for number in range(200)]
    assert {row["status"] for row in rows} == {"ok"}
    ledger = place.ledger()
    assert (ledger["executed_twice"], ledger["requests_executed"]) == ([], 200)
    assert created <= ledger["create_calls"] == 4

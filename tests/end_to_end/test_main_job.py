"""Drop a CSV, get it back with the answers: the whole way, with real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from .conftest import Place, reviews, until

pytestmark = pytest.mark.slow


def test_a_dropped_file_comes_back_with_its_answers(installed: Place) -> None:
    installed.run()
    installed.drop("reviews/may.csv", reviews(120))
    rows = installed.results("reviews/may")
    assert [row["id"] for row in rows] == [str(number) for number in range(120)]
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["quality"] for row in rows} == {"good"}
    report = installed.report("reviews/may")
    assert report["rows"] == {"total": 120, "ok": 120, "failed": 0, "skipped": 0, "reused": 0}
    assert report["tokens"]["input"] == installed.ledger()["tokens"]["input"]
    archived = installed.folder / "archive" / "reviews" / "may.csv"
    until(archived.exists, "the original is in the archive")
    assert archived.read_text() == reviews(120)
    assert not list((installed.folder / "inbox").rglob("*.csv"))


def test_once_takes_what_is_there_and_says_by_its_status_what_became_of_it(place: Place) -> None:
    place.fault("line:400:lines=2,count=always")
    place.drop("reviews/may.csv", reviews(3))
    done = place.batchd("once")
    assert done.returncode == 3, done.stdout + done.stderr
    assert [row["status"] for row in place.results("reviews/may")] == ["ok", "failed", "ok"]
    failed = (place.folder / "outbox" / "reviews" / "may.failed.csv").read_text()
    assert failed.splitlines()[0] == "id,review"
    assert len(failed.splitlines()) == 2
    place.control("DELETE", "faults")
    place.drop("reviews/again.csv", failed)
    assert place.batchd("once").returncode == 0
    assert [row["id"] for row in place.results("reviews/again")] == ["1"]


def test_once_ends_with_its_last_job_however_seldom_it_looks_at_the_inbox(place: Place) -> None:
    config = place.folder / "config.toml"
    config.write_text(config.read_text().replace('rescan = "200ms"', 'rescan = "1h"'))
    place.drop("reviews/may.csv", reviews(3))
    assert place.batchd("once", timeout=100).returncode == 0
    assert len(place.results("reviews/may")) == 3


def test_openai_batch_lines_come_back_in_the_providers_own_form(place: Place) -> None:
    lines = [
        {
            "custom_id": f"mine-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "sandbox-small", "messages": [{"role": "user", "content": f"hello {number}"}]},
        }
        for number in range(5)
    ]
    place.drop("lines/asked.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert place.batchd("once").returncode == 0
    output = (place.folder / "outbox" / "lines" / "asked.results.jsonl").read_text().splitlines()
    answers = [json.loads(line) for line in output]
    assert [answer["custom_id"] for answer in answers] == [f"mine-{number}" for number in range(5)]
    assert all(answer["response"]["body"]["choices"] for answer in answers)


def test_killed_at_every_stage_it_goes_on_and_pays_once(place: Place) -> None:
    place.drop("reviews/may.csv", reviews(200))
    # Killed in the middle of the create call, the next daemon finds the batch instead of submitting it.
    there = ("BatchSubmitted", "BatchFound")
    for stage in (("JobAccepted",), ("BatchPacked",), there, ("BatchEnded",), ("JobDelivered",)):
        daemon = place.run()
        until(lambda stage=stage: told(place, *stage), f"{' or '.join(stage)} has happened")
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
    place.run()
    assert len(place.results("reviews/may")) == 200
    ledger = place.ledger()
    assert ledger["executed_twice"] == []
    assert ledger["requests_executed"] == 200


def told(place: Place, *kinds: str) -> bool:
    """Whether one of these events has happened; asked often, so the database is read here, not by a command."""
    database = place.folder / "state" / "batchd.db"
    if not database.exists():
        return False
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        try:
            return not {kind for (kind,) in connection.execute("SELECT kind FROM events")}.isdisjoint(kinds)
        except sqlite3.OperationalError:
            return False  # it is only just being made


@pytest.mark.slow(seconds=5)
def test_a_create_that_took_effect_although_it_failed_is_found_again(place: Place) -> None:
    place.fault("create:cut-after", "create:500-after", "create:429-after")
    config = place.folder / "config.toml"
    config.write_text(config.read_text().replace('create_timeout = "1s"', 'create_timeout = "500ms"'))
    for name in ("a", "b", "c"):
        place.drop(f"reviews/{name}.csv", reviews(10, name))
        assert place.batchd("once").returncode == 0
        assert len(place.results(f"reviews/{name}")) == 10
    ledger = place.ledger()
    assert ledger["executed_twice"] == []
    assert len(ledger["batches"]) == 3


def test_sigterm_stops_in_seconds_with_status_0_and_a_second_daemon_is_refused(place: Place) -> None:
    daemon = place.run()
    until(lambda: "Watching" in (place.folder / "daemon.log").read_text(), "the daemon runs")
    second = place.batchd("run")
    assert second.returncode == 11
    assert str(daemon.pid) in second.stderr
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(5) == 0


def test_sighup_reloads_and_a_broken_config_changes_nothing(place: Place) -> None:
    daemon = place.run()
    log = place.folder / "daemon.log"
    until(lambda: "Watching" in log.read_text(), "the daemon runs")
    good = (place.folder / "config.toml").read_text()
    (place.folder / "config.toml").write_text(good + "\nnonsense = true\n")
    daemon.send_signal(signal.SIGHUP)
    until(lambda: "not reloaded" in log.read_text(), "the broken config was refused")
    (place.folder / "config.toml").write_text(good.replace('match = ["lines/**"]', 'match = ["other/**"]'))
    daemon.send_signal(signal.SIGHUP)
    until(lambda: "The configuration was reloaded" in log.read_text(), "the mended config was taken")
    (place.folder / "inbox" / "other").mkdir()
    body = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hi"}]}
    line = {"custom_id": "x", "method": "POST", "url": "/v1/chat/completions", "body": body}
    place.drop("other/asked.jsonl", json.dumps(line) + "\n")
    until((place.folder / "outbox" / "other" / "asked.report.json").exists, "the new route took the file")


def test_no_secret_leaves(place: Place) -> None:
    place.control("POST", "faults", {"faults": ["auth:401"]})
    daemon = place.run()
    place.drop("reviews/may.csv", reviews(3))
    log = place.folder / "daemon.log"
    until(lambda: "refuse" in log.read_text(), "the refused key is said")
    status = place.batchd("status", "--json").stdout
    checked = place.batchd("check")
    assert checked.returncode == 5
    assert "SANDBOX_KEY" in checked.stdout + checked.stderr
    place.control("DELETE", "faults")
    assert len(place.results("reviews/may")) == 3
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(5)
    everything = log.read_bytes() + status.encode() + checked.stdout.encode() + checked.stderr.encode()
    everything += b"".join(path.read_bytes() for path in files(place.folder) if "sandbox" not in path.parts)
    assert b"sesame-7a31" not in everything


def files(folder: Path) -> list[Path]:
    """Every file below."""
    return [path for path in folder.rglob("*") if path.is_file()]

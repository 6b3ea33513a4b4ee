"""Real daemons that ask a sandbox by live calls, and are killed with calls under way: the server counts."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..durability.rig import Child, shared_nursery

pytestmark = pytest.mark.slow

CONFIG = """
[intake]
settle = "100ms"
rescan = "100ms"

[providers.sandbox]
plugin = "openai"
mode = "live"
base_url = "{url}"
api_key = "env:SANDBOX_KEY"
calls_at_once = {at_once}

[routes.reviews]
provider = "sandbox"
model = "sandbox-small"
part_rows = 150

[routes.reviews.params]
max_tokens = 50

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{{{ review }}}}"
"""
ROWS = 1_000
AT_ONCE = 40
KILLS = 3


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def _process(*arguments: str, log: Path) -> Iterator[Child]:
    log.touch()
    process = Child(shared_nursery(), arguments, log)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ledger(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/sandbox/ledger", timeout=10) as answer:
        return dict(json.load(answer))


def _until(condition: Any, what: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"{what}\n{log.read_text()[-3000:]}"
        time.sleep(0.02)


@pytest.mark.slow(seconds=5)
def test_only_calls_under_way_at_a_kill_are_made_twice(tmp_path: Path) -> None:
    port, log = _free_port(), tmp_path / "log"
    url = f"http://127.0.0.1:{port}/v1"
    for name in ("inbox/reviews", "outbox", "archive", "rejected", "held"):
        (tmp_path / name).mkdir(parents=True)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(url=url, at_once=AT_ONCE))
    reviews = [f"review number {number}" for number in range(ROWS)]
    chance = random.Random(11)
    served = (
        "sandbox",
        "--port",
        str(port),
        "--no-batches",
        "--live-latency",
        "150ms",
        "--folder",
        str(tmp_path / "s"),
    )
    with _process(*served, log=log):
        _until(lambda: b"listening" in log.read_bytes(), "the sandbox does not listen", log)
        (tmp_path / "inbox/reviews/may.csv").write_text("review\n" + "\n".join(reviews) + "\n")
        report = tmp_path / "outbox/reviews/may.report.json"
        for _ in range(KILLS):
            with _process("--config", str(config), "run", log=log) as daemon:
                goal = _ledger(url)["live"]["distinct"] + 3 * AT_ONCE + chance.randrange(20)
                _until(lambda goal=goal: _ledger(url)["live"]["distinct"] >= goal, f"{goal} rows are answered", log)
                os.killpg(daemon.pid, signal.SIGKILL)
        with _process("--config", str(config), "run", log=log):
            _until(report.exists, "no report", log)
        live = _ledger(url)["live"]
    record = json.loads(report.read_text())
    assert record["rows"] == {**record["rows"], "total": ROWS, "ok": ROWS, "failed": 0}
    assert live["distinct"] == ROWS
    assert live["answers"] - ROWS <= KILLS * AT_ONCE
    told = sum((batch["possibly_paid_twice"] or {"rows": 0})["rows"] for batch in record["batches"])
    # Two kills can meet the same row.
    assert 0 < live["repeated"] <= told <= KILLS * AT_ONCE, "each row that was paid twice is told"


LATE = """
[intake]
settle = "100ms"
rescan = "100ms"

[providers.sandbox]
plugin = "openai"
mode = "batch"
base_url = "{url}"
api_key = "env:SANDBOX_KEY"
calls_at_once = 10
poll = "200ms"
linger = "0s"

[routes.reviews]
provider = "sandbox"
model = "sandbox-small"
{deadline}
part_rows = 100

[routes.reviews.params]
max_tokens = 50

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{{{ review }}}}"
"""


@pytest.mark.slow(seconds=10)
def test_a_late_batch_is_ended_and_no_row_is_answered_in_two_places(tmp_path: Path) -> None:
    port, log, rows = _free_port(), tmp_path / "log", 300
    url = f"http://127.0.0.1:{port}/v1"
    for name in ("inbox/reviews", "outbox", "archive", "rejected", "held"):
        (tmp_path / name).mkdir(parents=True)
    config = tmp_path / "config.toml"
    config.write_text(LATE.format(url=url, deadline=""))
    # It validates for a tenth of that, and takes as long to cancel. Five daemons start meanwhile.
    slow = ("--latency", "20s", "--live-latency", "50ms", "--folder", str(tmp_path / "s"))
    with _process("sandbox", "--port", str(port), *slow, log=log):
        _until(lambda: b"listening" in log.read_bytes(), "the sandbox does not listen", log)
        reviews = [f"review number {number}" for number in range(rows)]
        (tmp_path / "inbox/reviews/may.csv").write_text("review\n" + "\n".join(reviews) + "\n")
        report = tmp_path / "outbox/reviews/may.report.json"
        moments = (
            lambda ledger: ledger["requests_executed"] > 10,
            lambda ledger: b"would be late" in log.read_bytes(),  # the switch is committed
            lambda ledger: ledger["calls"].get("cancel", 0) > 0,
            lambda ledger: ledger["live"]["answers"] > 0,
            lambda ledger: ledger["live"]["answers"] > rows // 3,
        )
        for moment in moments:
            with _process("--config", str(config), "run", log=log) as daemon:
                _until(lambda moment=moment: moment(_ledger(url)), "the next moment did not come", log)
                os.killpg(daemon.pid, signal.SIGKILL)
            config.write_text(LATE.format(url=url, deadline='finish_within = "1s"'))
        with _process("--config", str(config), "run", log=log):
            _until(report.exists, "no report", log)
        ledger = _ledger(url)
    record = json.loads(report.read_text())
    assert record["rows"]["ok"] == rows
    assert ledger["requests_executed"] > 0, "the batch had answered some"
    assert ledger["requests_executed"] + ledger["live"]["distinct"] == rows
    assert ledger["live"]["answers"] - ledger["live"]["distinct"] <= 2 * 10, "calls under way at the last two kills"
    answered = {each["lane"]: each["answers"] for each in record["answered_by"]}
    assert answered["batch"] == ledger["requests_executed"]

"""`batchd` as real processes, against the sandbox over real HTTP."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import pytest

from batchd.store.reading.snapshot import snapshot

CONFIG = """
[intake]
settle = "200ms"
rescan = "200ms"

[providers.sandbox]
plugin = "openai"
base_url = "{url}"
api_key = "env:SANDBOX_KEY"
poll = "200ms"
linger = "0s"
create_timeout = "1s"
{provider}

[routes.reviews]
provider = "sandbox"
model = "sandbox-small"
part_rows = 50

[routes.reviews.params]
max_tokens = 50

[routes.reviews.prompt]
plugin = "template"
system = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."
user = "Review: {{{{ review }}}}"
columns = ["sentiment", "punctuality", "quality"]
separator = "|"

[routes.lines]
match = ["lines/**"]
provider = "sandbox"
model = "sandbox-small"
sinks = ["jsonl"]

[routes.lines.prompt]
plugin = "passthrough"
"""
ENVIRONMENT = {**os.environ, "SANDBOX_KEY": "sesame-7a31", "NO_COLOR": "1"}
PATIENCE = 120.0


def until(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
    """Wait for something to become true; the deadline only says that it never will.

    A virtual machine may stand still for a minute, and nothing in it has had a chance then: one look counts for a
    second at most.
    """
    waited, last = 0.0, time.monotonic()
    while not (found := condition()):
        now = time.monotonic()
        waited, last = waited + min(now - last, 1.0), now
        if waited > seconds:
            raise AssertionError(f"After {seconds:.0f} s still not: {what}")
        time.sleep(0.05)
    return found


class Process(Protocol):
    """What is used here of subprocess.Popen."""

    pid: int
    stdout: IO[str] | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, signal: int, /) -> None: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...


class Place:
    """Folders, a sandbox server, and daemons on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self.url = ""

    def serve(self, *options: str) -> None:
        """Start the sandbox and write the config for it."""
        folder = str(self.folder / "sandbox")
        self.url = self.sandbox("sandbox", "--port", "0", "--folder", folder, "--latency", "300ms", *options)
        self.configure()

    def sandbox(self, *arguments: str) -> str:
        """Start it; its address."""
        command = [sys.executable, "-m", "batchd", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.processes.append(process)
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, "the sandbox did not start"
        return found[0]

    def configure(self, provider: str = "") -> None:
        """Write the config; `provider` are more keys for the provider's table."""
        (self.folder / "config.toml").write_text(CONFIG.format(url=self.url, provider=provider))
        for name in ("inbox/reviews", "inbox/lines", "outbox", "archive", "rejected"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def batchd(self, *arguments: str, timeout: float = 3 * PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [sys.executable, "-m", "batchd", "--config", str(self.folder / "config.toml"), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=ENVIRONMENT, timeout=timeout, check=False, cwd=self.folder
        )

    def run(self) -> Process:
        """Start the daemon in a process group of its own; its log goes to daemon.log."""
        log = (self.folder / "daemon.log").open("a")
        command = [sys.executable, "-m", "batchd", "--config", str(self.folder / "config.toml"), "run"]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=ENVIRONMENT, text=True, start_new_session=True)
        log.close()
        self.processes.append(process)
        return process

    def drop(self, path: str, text: str) -> None:
        """A whole file appears in the inbox."""
        draft = self.folder / "drop.tmp"
        draft.write_text(text, encoding="utf-8")
        draft.rename(self.folder / "inbox" / path)

    def results(self, path: str) -> list[dict[str, str]]:
        """The rows of a results file, once its report is there."""
        target = self.folder / "outbox" / f"{path}.results.csv"
        until((self.folder / "outbox" / f"{path}.report.json").exists, f"the report of {path} is in the outbox")
        with target.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def report(self, path: str) -> dict[str, Any]:
        """A report, once it is there."""
        target = self.folder / "outbox" / f"{path}.report.json"
        until(target.exists, f"{target.name} is in the outbox")
        report: dict[str, Any] = json.loads(target.read_bytes())
        return report

    @property
    def state(self) -> Path:
        """The daemon's own folder."""
        return self.folder / "state"

    def troubles(self) -> dict[str, str]:
        """What keeps the daemon waiting, subject to sentence.

        Out of its database: to ask `batchd status` again and again would take a processor for as long as it lasts.
        """
        try:
            with snapshot(self.state) as state:
                return {str(each.subject): each.text for each in state.conditions()}
        except sqlite3.OperationalError:
            return {}  # it is only just being made

    def control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The sandbox's own control: faults and the ledger."""
        address = self.url.removesuffix("/v1") + f"/sandbox/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
        return answer

    def fault(self, *faults: str) -> None:
        """Let the sandbox misbehave."""
        self.control("POST", "faults", {"faults": list(faults)})

    def ledger(self) -> dict[str, Any]:
        """What the sandbox counted: created, executed, paid."""
        return self.control("GET", "ledger")

    def close(self) -> None:
        """End everything."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if process.stdout is not None:
                process.stdout.close()


def reviews(rows: int, tag: str = "") -> str:
    """A file of reviews."""
    lines = [f'{number},"{tag} review {number}, good quality, came late"' for number in range(rows)]
    return "\n".join(["id,review", *lines]) + "\n"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Place]:
    """A place with a sandbox running, whose processes are the installed command, from its first import on."""
    place = Place(tmp_path)
    try:
        place.serve()
        yield place
    finally:
        place.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place with a sandbox running, whose processes are forked from one that has imported everything."""
    from ..durability.rig import served_place

    with served_place(tmp_path) as place:
        yield place


@pytest.fixture
def alone() -> Iterator[None]:
    """Of the tests that compare times, one runs at a time."""
    with Path(tempfile.gettempdir(), "batchd-tests-alone").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""Kills the daemon repeatedly while files are dropped, and counts on the server what was paid.

A real daemon in its own process group, a real server, `kill -9` of the whole group at random times. The server also
has faults: create calls that are slow, are cut after they took effect, return 500 although they took effect, or take
effect after the client has gone. At the end the daemon runs without kills until all is done: every dropped row must
be in the outbox exactly once, and the server must have executed each request once.

Daemons are forked from a process that has imported batchd already. Otherwise most kills would happen during imports,
where they show nothing. So more kills hit real work, and a thousand take half the time.

With --live the server has no batches: each row is a call, and 256 are under way at once. A kill may repeat the calls
that were under way, which the journals list right after it.

    python -m bench.soak --kills 1000
    python -m bench.soak --kills 100 --live
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.durability.rig import Life, shared_nursery

from batchd.live.journal import JournalState, read

CONFIG = """
[intake]
settle = "200ms"
rescan = "200ms"
duplicates = "process"

[providers.sandbox]
plugin = "openai"
mode = "{mode}"
calls_at_once = 256
base_url = "{url}"
api_key = "none"
poll = "200ms"
linger = "100ms"
create_timeout = "1s"
max_requests = 10  # so that files are sent while they are planned

[routes.reviews]
provider = "sandbox"
model = "sandbox-small"
part_rows = {part_rows}
attempts = 20

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{{{ review }}}}"
"""
FAULTS = (
    "create:slow:delay=300ms",
    "create:cut-after",
    "create:cut",
    "create:500-after",
    "create:429",
    "create:late:delay=1500ms",
    "create:timeout:delay=2s",
    "upload:cut-after",
    "upload:500",
    "retrieve:500",
    "content:cut",
    "content:404",
    "line:500:fraction=0.2",
)
LIVE_FAULTS = ("chat:500:count=5", "chat:429:count=5", "chat:html:count=3", "chat:cut:count=5", "chat:503:count=5")
"""No call with such a fault is paid, so a row that was paid twice comes from a kill."""
ROWS_PER_FILE = 20
LIVE_ROWS = 800
LIVE_PART_ROWS = 400


@dataclass
class Soak:
    """One run. The same `seed` repeats the times and faults, but not the machine's scheduling."""

    folder: Path
    seed: int
    live: bool = False
    files: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    under_way: int = 0
    """Live calls that were under way at the kills, by the journals."""

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.nursery = shared_nursery()
        self.daemon: Life | None = None
        self.sandbox, self.url = self._start_sandbox()
        (self.folder / "config.toml").write_text(
            CONFIG.format(
                url=self.url, mode="live" if self.live else "batch", part_rows=LIVE_PART_ROWS if self.live else 5
            )
        )
        for name in ("inbox/reviews", "outbox", "archive", "rejected", "aside"):
            (self.folder / name).mkdir(parents=True)
        self.log = self.folder / "daemon.log"

    def run(self, kills: int) -> None:
        """Drop, start and kill, repeatedly."""
        while self.kills < kills:
            # A file of live calls takes a while, and two of them keep all calls busy.
            if not self.live or self._unfinished() < 2:
                self.drop()
            if not self.live:
                self.order(self.chance.choice(FAULTS))
            elif self.chance.random() < 0.3:
                # Not in each life: after a refusal fewer calls are under way.
                self.order(self.chance.choice(LIVE_FAULTS))
            self.start()
            if self.live:
                self._wait_for_calls()
            deadline = time.monotonic() + self.chance.uniform(0.05, 2.0)
            while time.monotonic() < deadline:
                time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))
                if not self.live and self.chance.random() < 0.2:
                    self.drop()
            self.kill()

    def drop(self) -> None:
        """Drop a complete file into the inbox."""
        name = f"file{len(self.files):05d}.csv"
        rows = LIVE_ROWS if self.live else self.chance.randint(1, ROWS_PER_FILE)
        draft = self.folder / "aside" / name
        with draft.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "review"])
            writer.writerows([f"{name}-{row}", f"review {row} of {name}, fine"] for row in range(rows))
        draft.rename(self.folder / "inbox" / "reviews" / name)
        self.files[name] = rows

    def start(self) -> None:
        """Start a daemon on the folders."""
        arguments = ["--config", str(self.folder / "config.toml"), "run"]
        self.daemon = Life(self.nursery, self.nursery.ask("start", arguments, str(self.log), False))

    def kill(self) -> None:
        """kill -9 of the daemon and its workers."""
        assert self.daemon is not None
        if self.daemon.ended:
            status = self.daemon.status
            raise SystemExit(f"The daemon ended by itself, with status {status}:\n{self.log.read_text()[-3000:]}")
        self.daemon.kill()
        self.kills += 1
        self.under_way += sum(len(past.open) for past in self._journals())

    def _journals(self) -> list[JournalState]:
        found = [read(path) for path in (self.folder / "state" / "batches").glob("*/journal.jsonl")]
        return [past for past in found if past is not None]

    def _wait_for_calls(self) -> None:
        """Wait until this life of the daemon has made its first calls: a life without calls would show nothing."""
        answers = self.call("GET", "ledger")["live"]["answers"]
        deadline = time.monotonic() + 30
        while self.call("GET", "ledger")["live"]["answers"] == answers and time.monotonic() < deadline:
            if not self._unfinished():
                return
            time.sleep(0.02)

    def _unfinished(self) -> int:
        return len(self.files) - len(list((self.folder / "outbox" / "reviews").glob("*.report.json")))

    def finish(self, seconds: float) -> None:
        """Lift the faults and let the daemon finish without kills."""
        self.call("DELETE", "faults")
        self.start()
        assert self.daemon is not None
        outbox = self.folder / "outbox" / "reviews"
        deadline = time.monotonic() + seconds
        while len(list(outbox.glob("*.report.json"))) < len(self.files) and time.monotonic() < deadline:
            time.sleep(0.2)
        self.daemon.stop()

    def check(self) -> dict[str, int]:
        """Compare what the server says was paid with what the outbox has."""
        ledger = self.call("GET", "ledger")
        delivered = lost = unanswered = 0
        for name, rows in self.files.items():
            results = self.folder / "outbox" / "reviews" / name.replace(".csv", ".results.csv")
            delivered_rows = []
            if results.exists():
                with results.open(newline="") as file:
                    delivered_rows = list(csv.DictReader(file))
            ids = [row["id"] for row in delivered_rows]
            expected = [f"{name}-{row}" for row in range(rows)]
            delivered += len(ids)
            lost += len(set(expected) - set(ids)) + (len(ids) != len(set(ids)))
            unanswered += sum(row["status"] != "ok" for row in delivered_rows)
        executed, twice = ledger["requests_executed"], len(ledger["executed_twice"])
        if self.live:
            executed = ledger["live"]["distinct"]
            twice = ledger["live"]["answers"] - executed
        return {
            "kills": self.kills,
            "files": len(self.files),
            "rows": sum(self.files.values()),
            "delivered": delivered,
            "executed": executed,
            "paid twice": twice,
            "under way at kills": self.under_way,
            "lost": lost,
            "unanswered": unanswered,
            "half files": len(list((self.folder / "outbox").rglob(".*.draft"))),
        }

    def close(self) -> None:
        """End all processes."""
        if self.daemon is not None and not self.daemon.ended:
            self.daemon.kill()
        self.sandbox.terminate()
        self.sandbox.wait()
        if self.sandbox.stdout is not None:
            self.sandbox.stdout.close()

    def order(self, fault: str) -> None:
        """Order a fault from the server."""
        self.call("POST", "faults", {"faults": [fault]})

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Call one of the sandbox's own endpoints."""
        address = self.url.removesuffix("/v1") + f"/sandbox/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
        return answer

    def _start_sandbox(self) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "batchd", "sandbox", "--port", "0", "--latency", "300ms"]
        command += ["--folder", str(self.folder / "sandbox")]
        command += ["--no-batches", "--live-latency", "300ms"] if self.live else []
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"http://\S+", line)
        if match is None:
            raise SystemExit(f"The sandbox did not start: {line}")
        return process, match[0]


def soak(kills: int, seed: int, folder: Path, *, live: bool = False, patience: float = 300.0) -> dict[str, int]:
    """Do a complete run; return its numbers."""
    run = Soak(folder, seed, live)
    try:
        run.run(kills)
        run.finish(patience)
        return run.check()
    finally:
        run.close()


def failed(numbers: dict[str, int]) -> bool:
    """Whether a promise was broken."""
    return bool(
        numbers["paid twice"] > numbers["under way at kills"]
        or numbers["lost"]
        or numbers["unanswered"]
        or numbers["half files"]
        or numbers["executed"] != numbers["rows"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--live", action="store_true", help="a service without batches, asked by live calls")
    parser.add_argument("--seed", type=int, default=None, help="repeat the times and faults of a run")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="batchd-soak-"))
    numbers = soak(options.kills, seed, folder, live=options.live, patience=300.0 + options.kills)
    print("  ".join(f"{name} {number:,}" for name, number in numbers.items()))
    if failed(numbers):
        raise SystemExit(f"A promise was broken. Everything is in {folder}.")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

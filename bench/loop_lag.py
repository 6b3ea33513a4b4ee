"""Measures the lag of a running daemon's event loop: the worst, and the 99.9th percentile.

A real `batchd run` against bench/batch_server.py has an observer in its plugin_dir that repeatedly sleeps for five
milliseconds and records by how much it overslept. First a file of many rows goes through, then many small files at
once; start and stop are measured too. Other programs on the machine distort the numbers, so run it on an idle one.

    python bench/loop_lag.py [--rows 100000] [--files 1000] [--max 100ms]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from throughput import CONFIG, server, write_reviews

OBSERVER = '''
"""Records how late the event loop resumes a sleeping task."""

import asyncio
import json
import sys
import threading
import time
import traceback

from batchd import Observer, hookimpl

EVERY, LATE = 0.005, {late}


class Lag(Observer):
    def __init__(self, settings):
        super().__init__(settings)
        self.beat, self.name, self.task = time.perf_counter(), "start", None
        self.lags = []
        self.main = threading.main_thread().native_id
        self.file = open({target!r}, "a", buffering=1)
        try:
            self.task = asyncio.get_running_loop().create_task(self.measure(), name="measure the lag")
        except RuntimeError:
            return  # created by a command without an event loop
        threading.Thread(target=self.look, daemon=True).start()

    async def measure(self):
        queued = self.queued()
        while True:
            self.beat = time.perf_counter()
            await asyncio.sleep(EVERY)
            lag = time.perf_counter() - self.beat - EVERY
            before, queued = queued, self.queued()
            own = max(0.0, lag - (queued - before))
            self.file.write(f"{{time.time():.3f}} {{lag:.6f}} {{own:.6f}}\\n")

    def queued(self):
        """Seconds that the loop's thread has waited for a processor."""
        try:
            with open(f"/proc/self/task/{{self.main}}/schedstat") as file:
                return int(file.read().split()[1]) / 1e9
        except (OSError, IndexError):
            return 0.0

    def look(self):
        """Record all stacks while the loop is late; if the GIL is held, those right after."""
        reported = 0.0
        while True:
            time.sleep(0.002)
            beat = self.beat
            late = time.perf_counter() - beat - EVERY
            if late > LATE and beat != reported:
                reported = beat
                frames = sys._current_frames()
                names = {{thread.ident: thread.name for thread in threading.enumerate()}}
                threads = [
                    {{"thread": names.get(ident, "?"), "stack": traceback.format_stack(frame)[-14:]}}
                    for ident, frame in frames.items()
                    if ident != threading.get_ident()
                ]
                with open({stacks!r}, "a") as file:
                    file.write(json.dumps({{"at": time.time(), "late": late, "threads": threads}}) + "\\n")

    async def notice(self, event):
        pass


@hookimpl
def register_observers(register):
    register("lag", Lag)
'''


def until(condition: Callable[[], bool], what: str, *, seconds: float = 900.0) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Not within {seconds:.0f} s: {what}")
        time.sleep(0.2)


def measure(folder: Path, url: str, *, rows: int, files: int, late: float) -> dict[str, tuple[float, float]]:
    """Run one daemon; return the begin and end of each phase, by the wall clock."""
    (folder / "plugins.d").mkdir()
    observer = OBSERVER.format(target=str(folder / "lags"), stacks=str(folder / "stacks"), late=late)
    (folder / "plugins.d" / "lag.py").write_text(observer)
    (folder / "config.toml").write_text('plugin_dir = "plugins.d"\n' + CONFIG.format(url=url) + "\n[observers.lag]\n")
    for name in ("inbox/reviews", "outbox/reviews", "archive", "rejected", "aside/many"):
        (folder / name).mkdir(parents=True)
    write_reviews(folder / "aside" / "large.csv", rows)
    for number in range(files):
        (folder / "aside" / "many" / f"{number:05d}.csv").write_text(f"id,review\n{number},review {number} was good\n")
    phases: dict[str, tuple[float, float]] = {}
    outbox = folder / "outbox" / "reviews"
    with (folder / "daemon.log").open("w") as log:
        began = time.time()
        command = [sys.executable, "-m", "batchd", "--config", str(folder / "config.toml"), "run"]
        daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            until(lambda: "Watching" in (folder / "daemon.log").read_text(), "the daemon runs")
            time.sleep(3)
            phases["start"] = began, time.time()
            began = time.time()
            (folder / "aside" / "large.csv").rename(folder / "inbox" / "reviews" / "large.csv")
            until((outbox / "large.report.json").exists, "the large file is delivered")
            phases[f"{rows:,} rows"] = began, time.time()
            began = time.time()
            (folder / "aside" / "many").rename(folder / "inbox" / "reviews" / "many")
            many = outbox / "many"
            until(lambda: many.is_dir() and len(list(many.glob("*.report.json"))) == files, "all files are delivered")
            phases[f"{files:,} files"] = began, time.time()
            began = time.time()
            daemon.send_signal(signal.SIGTERM)
            status = daemon.wait(30)
            phases["stop"] = began, time.time()
            if status:
                raise SystemExit(f"The daemon ended with {status}: {(folder / 'daemon.log').read_text()[-2000:]}")
        finally:
            if daemon.poll() is None:
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()
    return phases


def duration(text: str) -> float:
    """`100ms` or `0.1s` as seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)
    if match is None:
        raise argparse.ArgumentTypeError("write 100ms or 0.1s")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--max", type=duration, default=None, help="fail if the loop was ever later than this")
    parser.add_argument("--late", type=duration, default=0.05, help="show the stacks of lags longer than this")
    parser.add_argument("--frames", type=int, default=3, help="frames of each stack to show")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchd-lag-") as scratch:
        folder = Path(scratch)
        with server() as url:
            phases = measure(folder, url, rows=options.rows, files=options.files, late=options.late)
        beats = [tuple(map(float, line.split())) for line in (folder / "lags").read_text().splitlines()]
        stacks = folder / "stacks"
        reports = [json.loads(line) for line in stacks.read_text().splitlines()] if stacks.exists() else []
    worst = 0.0
    print(f"{'':>14} {'seconds':>8} {'beats':>8} {'median ms':>10} {'p99.9 ms':>9} {'worst ms':>9} {'with queue':>11}")
    for phase, (begin, end) in phases.items():
        lags = sorted(own for at, _, own in beats if begin <= at <= end)
        if not lags:
            continue
        raw = max(lag for at, lag, _ in beats if begin <= at <= end)
        worst = max(worst, lags[-1])
        median, high = lags[len(lags) // 2], lags[min(len(lags) - 1, int(len(lags) * 0.999))]
        print(
            f"{phase:>14} {end - begin:>8.1f} {len(lags):>8,} {median * 1e3:>10.1f} {high * 1e3:>9.1f} "
            f"{lags[-1] * 1e3:>9.1f} {raw * 1e3:>11.1f}"
        )
    for each in sorted(reports, key=lambda each: -each["late"])[:10]:
        phase = next((name for name, (begin, end) in phases.items() if begin <= each["at"] <= end), "?")
        print(f"\n{each['late'] * 1e3:.0f} ms late ({phase}):")
        for thread in each["threads"]:
            print(
                f"  {thread['thread']}:\n" + "".join(f"    {line}" for line in thread["stack"][-options.frames :]),
                end="",
            )
    if options.max is not None and worst > options.max:
        raise SystemExit(f"The event loop was late by {worst * 1e3:.0f} ms, more than {options.max * 1e3:.0f} ms.")


if __name__ == "__main__":
    main()

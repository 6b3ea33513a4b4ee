"""How long the event loop of a running daemon is kept waiting: the worst, and the 99.9th percentile.

A real `batchd run` against the sandbox, with an observer in its plugin_dir that does nothing but sleep for five
milliseconds again and again, and notes by how much it overslept. First a file of many rows goes through, then many
small files at once; start and stop are measured too. Whatever else runs on the machine counts against us, so the
numbers mean something on an idle one only.

    python bench/loop_lag.py [--rows 100000] [--files 1000] [--most 100ms]
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

from throughput import CONFIG, sandbox, write_reviews

OBSERVER = '''
"""Notes how late the event loop gets to a task that sleeps."""

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
            return  # made by a command that only looks
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
        """What the loop is at when it is late; if nobody lets go of the interpreter, what it was at just after."""
        said = 0.0
        while True:
            time.sleep(0.002)
            beat = self.beat
            late = time.perf_counter() - beat - EVERY
            if late > LATE and beat != said:
                said = beat
                frames = sys._current_frames()
                names = {{thread.ident: thread.name for thread in threading.enumerate()}}
                told = [
                    {{"thread": names.get(ident, "?"), "stack": traceback.format_stack(frame)[-14:]}}
                    for ident, frame in frames.items()
                    if ident != threading.get_ident()
                ]
                with open({stacks!r}, "a") as file:
                    file.write(json.dumps({{"at": time.time(), "late": late, "threads": told}}) + "\\n")

    async def notice(self, event):
        pass


@hookimpl
def register_observers(register):
    register("lag", Lag)
'''


def until(condition: Callable[[], bool], what: str, *, seconds: float = 900.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"After {seconds:.0f} s still not: {what}")
        time.sleep(0.2)


def measure(folder: Path, url: str, *, rows: int, files: int, late: float) -> dict[str, tuple[float, float]]:
    """One daemon's life: from and to when each phase went, by the wall clock."""
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
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)
    if found is None:
        raise argparse.ArgumentTypeError("write 100ms or 0.1s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--most", type=duration, default=None, help="fail if the loop ever waited longer")
    parser.add_argument("--late", type=duration, default=0.05, help="show what ran when it was later than this")
    parser.add_argument("--frames", type=int, default=3, help="of each stack shown")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchd-lag-") as scratch:
        folder = Path(scratch)
        with sandbox(folder / "sandbox") as url:
            phases = measure(folder, url, rows=options.rows, files=options.files, late=options.late)
        noted = [tuple(map(float, line.split())) for line in (folder / "lags").read_text().splitlines()]
        stacks = folder / "stacks"
        told = [json.loads(line) for line in stacks.read_text().splitlines()] if stacks.exists() else []
    worst = 0.0
    print(f"{'':>14} {'seconds':>8} {'beats':>8} {'median ms':>10} {'p99.9 ms':>9} {'worst ms':>9} {'with queue':>11}")
    for phase, (begin, end) in phases.items():
        lags = sorted(own for at, _, own in noted if begin <= at <= end)
        if not lags:
            continue
        raw = max(lag for at, lag, _ in noted if begin <= at <= end)
        worst = max(worst, lags[-1])
        median, high = lags[len(lags) // 2], lags[min(len(lags) - 1, int(len(lags) * 0.999))]
        print(
            f"{phase:>14} {end - begin:>8.1f} {len(lags):>8,} {median * 1e3:>10.1f} {high * 1e3:>9.1f} "
            f"{lags[-1] * 1e3:>9.1f} {raw * 1e3:>11.1f}"
        )
    for each in sorted(told, key=lambda each: -each["late"])[:10]:
        phase = next((name for name, (begin, end) in phases.items() if begin <= each["at"] <= end), "?")
        print(f"\n{each['late'] * 1e3:.0f} ms late ({phase}):")
        for thread in each["threads"]:
            print(
                f"  {thread['thread']}:\n" + "".join(f"    {line}" for line in thread["stack"][-options.frames :]),
                end="",
            )
    if options.most is not None and worst > options.most:
        raise SystemExit(f"The event loop waited for {worst * 1e3:.0f} ms, more than {options.most * 1e3:.0f} ms.")


if __name__ == "__main__":
    main()

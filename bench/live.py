"""Compares batchd's live calls with other ways to make them, with a server that is not the bottleneck.

The callers share one core, the server has another. Four parts:

1. Calls a second of a core, without start-up, at 64 in flight: batchd's caller with its journal, the typed SDK, aiohttp
   alone.
2. Whole tools, a CSV of 20,000 rows to a CSV of answers, with start-up: `batchd once`, and flexllm from the package
   index, which is installed into an environment of its own (.flexllm).
3. How late the daemon's event loop is at 500 calls a second.
4. With --memory: the peak memory of the caller with 10,000 and with a million rows at 1,024 in flight.

Processor time counts, so that other programs on the machine matter less. The ratios are the result.

    python bench/live.py [--calls 8000] [--rows 20000] [--seconds 20] [--memory] [--check]
"""

from __future__ import annotations

import argparse
import compileall
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loop_lag import OBSERVER
from throughput import write_reviews

HERE = Path(__file__).parent
PEER = HERE.parent / ".flexllm"
FLEXLLM = "flexllm==0.17.10"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
AT_ONCE = 64
MANY_AT_ONCE = 1_024
A_SECOND = 500

CONFIG = """
plugin_dir = "plugins.d"

[intake]
settle = "1ms"  # the file is complete
rescan = "100ms"

[providers.bench]
plugin = "openai"
mode = "live"
base_url = "{url}"
api_key = "none"
calls_at_once = {at_once}
{limit}

[routes.reviews]
provider = "bench"
model = "bench"

[routes.reviews.params]
max_tokens = 50
temperature = 0

[routes.reviews.prompt]
plugin = "template"
system = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."
user = "Review: {{{{ review }}}}"
columns = ["sentiment", "punctuality", "quality"]
separator = "|"
"""


@dataclass(frozen=True)
class Goal:
    """A measurement and its goal: at least `wanted` times, or at most `wanted` of the unit. None: not measured."""

    what: str
    measured: float | None
    wanted: float
    unit: str

    @property
    def is_reached(self) -> bool:
        """Whether the measurement reaches the goal."""
        if self.measured is None:
            return False
        return self.measured >= self.wanted if self.unit == "times" else self.measured <= self.wanted

    def __str__(self) -> str:
        least = "at least" if self.unit == "times" else "at most"
        measured = "not measured" if self.measured is None else f"{self.measured:.1f} {self.unit}"
        return f"{'reached' if self.is_reached else 'MISSED '}  {self.what}: {measured} (goal: {least} {self.wanted:g})"


def cores() -> tuple[set[int], set[int]]:
    """The core of the callers, and that of the server; the same core if there is only one."""
    ours = sorted(os.sched_getaffinity(0))
    return {ours[0]}, {ours[-1]}


@contextmanager
def server(scratch: Path) -> Iterator[tuple[str, str]]:
    """Run the fastest server available, on its core; yield its address and its language."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    command, what = [sys.executable, str(HERE / "live_server.py")], "in Python, for want of a C compiler: ratios suffer"
    if compiler is not None:
        program = scratch / "live_server"
        subprocess.run([compiler, "-O2", "-o", program, HERE / "live_server.c"], check=True)
        command, what = [str(program)], "in C"
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, cores()[1])
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", what
    finally:
        process.communicate("")


def run(command: Sequence[str | Path], *, cwd: Path | None = None) -> tuple[str, float, float]:
    """Run a program on the callers' core. Return its output, its processor seconds with all children, its seconds."""
    before, began = os.times(), os.times().elapsed
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
        preexec_fn=lambda: os.sched_setaffinity(0, cores()[0]),  # no threads here
    )
    output, _ = process.communicate()
    after = os.times()
    if process.returncode not in {0, 3}:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}:\n{output}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return output, used, after.elapsed - began


def one_caller(name: str, url: str, calls: int, at_once: int) -> dict[str, float]:
    """Run a caller; return what it took."""
    output, _, _ = run([sys.executable, HERE / "live_contenders.py", name, url, str(calls), str(at_once)])
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    return result


def callers(url: str, calls: int, rounds: int) -> float:
    """Part 1: return how many times as many calls a core makes with the caller as with the typed SDK."""
    print(f"\n{AT_ONCE} calls in flight, without start-up, the best of {rounds} rounds in turns:")
    print(f"{'':14} {'calls':>8} {'ms CPU a call':>14} {'a second of a core':>19} {'peak MB':>8}")
    # The typed SDK makes fewer calls: it is so slow that they are enough to measure it.
    numbers = {"caller": calls, "typed SDK": max(500, calls // 10), "raw aiohttp": calls}
    costs, peaks = dict.fromkeys(numbers, math.inf), dict.fromkeys(numbers, 0.0)
    for _ in range(rounds):
        for name, number in numbers.items():
            taken = one_caller(name, url, number, AT_ONCE)
            costs[name] = min(costs[name], taken["cpu"] / number)
            peaks[name] = max(peaks[name], taken["peak"])
    for name, number in numbers.items():
        cost = costs[name]
        print(f"{name:14} {number:>8,} {cost * 1e3:>14.3f} {1 / cost:>19,.0f} {peaks[name] / 1e6:>8.0f}")
    ratio = costs["typed SDK"] / costs["caller"]
    print(f"The caller makes {ratio:.1f} times as many calls with a core as the typed SDK.")
    return ratio


def flexllm() -> Path | None:
    """A Python that has flexllm; None if flexllm cannot be installed."""
    python = PEER / "bin" / "python"
    if not python.exists():
        venv.create(PEER, with_pip=True)
    asked = [str(python), "-c", "import flexllm"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        install = [str(python), "-m", "pip", "install", "--quiet", FLEXLLM]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode or subprocess.run(asked, capture_output=True, check=False).returncode:
            print(f"flexllm is missing, since {FLEXLLM} cannot be installed: {done.stderr.strip()[-300:]}")
            return None
    return python


def batchd(folder: Path, url: str, source: Path, *, at_once: int, limit: str = "") -> tuple[float, float]:
    """Run `batchd once` on a file; return processor seconds and seconds."""
    (folder / "config.toml").write_text(CONFIG.format(url=url, at_once=at_once, limit=limit))
    for name in ("inbox/reviews", "outbox", "archive", "rejected", "plugins.d"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / "inbox" / "reviews" / "may.csv")
    output, used, seconds = run([sys.executable, "-m", "batchd", "--config", folder / "config.toml", "once"])
    check(folder / "outbox" / "reviews" / "may.results.csv", source, output)
    return used, seconds


def check(results: Path, source: Path, output: str) -> None:
    """Raise SystemExit if rows have no answer."""
    answered = results.read_text().count(",ok") if results.exists() else 0
    expected = source.read_text().count("\n") - 1
    if answered != expected:
        raise SystemExit(f"{results}: {answered} of {expected} rows are answered\n{output[-3000:]}")


def tools(url: str, scratch: Path, rows: int, rounds: int) -> float | None:
    """Part 2: return how many times as much processor time flexllm takes as batchd."""
    source = scratch / "reviews.csv"
    write_reviews(source, rows)
    peer = flexllm()
    print(f"\nA CSV of {rows:,} rows, {AT_ONCE} calls in flight, with start-up, the best of {rounds} rounds in turns:")
    print(f"{'':14} {'CPU s':>8} {'ms CPU a row':>14} {'seconds':>8}")
    target = scratch / "peer" / "results.csv"
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(batchd(fresh(scratch / "whole"), url, source, at_once=AT_ONCE))
        if peer is not None:
            fresh(target.parent)
            output, used, seconds = run([peer, HERE / "live_flexllm.py", source, target, url])
            check(target, source, output)
            theirs.append((used, seconds))
    for name, taken in {"batchd once": ours, "flexllm": theirs}.items():
        if taken:
            used, seconds = (min(each) for each in zip(*taken, strict=True))
            print(f"{name:14} {used:>8.1f} {used / rows * 1e3:>14.3f} {seconds:>8.1f}")
    if not theirs:
        return None
    ratio = min(used for used, _ in theirs) / min(used for used, _ in ours)
    times = min(seconds for _, seconds in theirs) / min(seconds for _, seconds in ours)
    print(f"flexllm takes {ratio:.1f} times the processor time, {times:.1f} times as long.")
    return ratio


def loop(url: str, scratch: Path, seconds: float) -> float:
    """Part 3: return the 99th percentile of the delay of the daemon's loop, in seconds."""
    folder = fresh(scratch / "loop")
    (folder / "plugins.d").mkdir()
    observer = OBSERVER.format(target=str(folder / "lags"), stacks=str(folder / "stacks"), late=9.0)
    (folder / "plugins.d" / "lag.py").write_text(observer)
    source = folder / "source.csv"
    write_reviews(source, int(A_SECOND * seconds))
    limit = f"rpm = {A_SECOND * 60}"
    more = "\n[observers.lag]\n"
    used, took = batchd(folder, url, source, at_once=MANY_AT_ONCE, limit=limit + more)
    lags = sorted(float(line.split()[2]) for line in (folder / "lags").read_text().splitlines())
    high = lags[int(len(lags) * 0.99)]
    print(f"\n{A_SECOND} calls a second for {took:.0f} s, whole daemon, with start-up and delivery, {used:.1f} s CPU:")
    print(f"The loop is late by {lags[len(lags) // 2] * 1e3:.1f} ms (median), {high * 1e3:.1f} ms (99 %).")
    return high


def memory() -> float:
    """Part 4: return how many bytes more a million rows take than ten thousand."""
    print(f"\n{MANY_AT_ONCE:,} calls in flight, answers that take a while, no network:")
    peaks: dict[int, float] = {}
    for rows in (10_000, 1_000_000):
        peaks[rows] = one_caller("memory", "", rows, MANY_AT_ONCE)["peak"]
        print(f"{rows:>9,} rows: {peaks[rows] / 2**20:.0f} MiB")
    more = peaks[1_000_000] - peaks[10_000]
    print(f"A million rows take {more / 2**20:.0f} MiB more than ten thousand.")
    return more


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=8_000, help="of each caller but the SDK's, which makes a tenth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of 500 calls each")
    parser.add_argument("--only", choices=("callers", "tools", "loop", "memory"), action="append")
    parser.add_argument("--memory", action="store_true", help="measure memory, too, which takes minutes")
    parser.add_argument("--check", action="store_true", help="fail if a goal is missed")
    options = parser.parse_args()
    parts = options.only or ["callers", "tools", "loop", *(["memory"] if options.memory else [])]
    goals: list[Goal] = []
    # Compiled like an installed package, since pip has compiled what the others import.
    for folder in ("daemon", "plugins"):
        compileall.compile_dir(HERE.parent / folder, quiet=2)
    with tempfile.TemporaryDirectory(prefix="batchd-live-") as place:
        scratch = Path(place)
        with server(scratch) as (url, what):
            print(f"The server is {what}.")
            if "callers" in parts:
                times = callers(url, options.calls, options.rounds)
                goals.append(Goal("calls of the caller for one of the typed SDK", times, 10, "times"))
            if "tools" in parts:
                ratio = tools(url, scratch, options.rows, options.rounds)
                goals.append(Goal("processor time of flexllm for that of batchd once", ratio, 2, "times"))
            if "loop" in parts:
                late = loop(url, scratch, options.seconds) * 1e3
                goals.append(Goal(f"delay of the loop at {A_SECOND} calls a second, 99 %", late, 100, "ms"))
    if "memory" in parts:
        goals.append(Goal("a million rows more than ten thousand", memory() / 2**20, 60, "MiB"))
    print("\nThe goals, by processor time:")
    for goal in goals:
        print(f"  {goal}")
    if options.check and not all(goal.is_reached for goal in goals):
        raise SystemExit("A goal was missed, or could not be measured.")


if __name__ == "__main__":
    main()

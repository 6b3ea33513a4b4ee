"""Sends one file of N rows through the whole daemon, beside a server that answers at once.

Prints rows per second, the peak memory of all batchd processes together and the bytes that they write a row, and the
ratios to a plain script with the openai package and to `cp` of the same bytes. The ratios are the result: absolute
numbers depend on the machine.

    python bench/throughput.py [--rows 10000 100000]
"""

from __future__ import annotations

import argparse
import compileall
import csv
import math
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from measuring import Measured, measure

HERE = Path(__file__).parent
WORDS = ["good", "bad", "late", "early", "broken", "giao", "hàng", "nhanh", "chậm", "tốt", "hỏng", "the", "box", "was"]

CONFIG = """
[intake]
settle = "1ms"  # the file is complete
rescan = "100ms"

[providers.sandbox]
plugin = "openai"
base_url = "{url}"
api_key = "none"
poll = "100ms"
linger = "0s"

[routes.reviews]
provider = "sandbox"
model = "sandbox-small"

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


def write_reviews(path: Path, rows: int) -> None:
    """Write a file of made-up reviews, the same each time."""
    chance = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "product", "stars", "review"])
        for number in range(rows):
            text = " ".join(chance.choices(WORDS, k=chance.randint(8, 40)))
            writer.writerow([number, f"product {number % 97}", chance.randint(1, 5), f'{text}, "{number}"'])


@contextmanager
def server() -> Iterator[str]:
    """Run a server with batches for one contender; yield its base URL."""
    process = subprocess.Popen([sys.executable, HERE / "batch_server.py"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"http://\S+", line)
        if match is None:
            raise SystemExit(f"The server did not start: {line}")
        yield match[0]
    finally:
        process.terminate()
        process.wait()


def batchd(folder: Path, source: Path, *, watched: bool) -> Measured:
    """Run `batchd once` on the file."""
    with server() as url:
        measured = measure(once(folder, source, url), watched=watched)
    check(folder / "outbox" / "reviews" / "may.results.csv", source, measured)
    return measured


def once(folder: Path, source: Path, url: str) -> list[str | Path]:
    """Put the file into an inbox in this folder; return the command."""
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=url))
    for name in ("inbox/reviews", "outbox", "archive", "rejected"):
        (folder / name).mkdir(parents=True)
    shutil.copyfile(source, folder / "inbox" / "reviews" / "may.csv")
    return [sys.executable, "-m", "batchd", "--config", config, "once"]


def straight(folder: Path, source: Path, *, watched: bool) -> Measured:
    """Run the plain script on the file."""
    with server() as url:
        results = folder / "results.csv"
        measured = measure([sys.executable, HERE / "straight_script.py", source, results, url], watched=watched)
    check(results, source, measured)
    return measured


def check(results: Path, source: Path, measured: Measured) -> None:
    """Raise SystemExit if a contender lost rows."""
    if not results.exists():
        raise SystemExit(f"{results} is missing\n{measured.output}")
    with results.open(newline="", encoding="utf-8-sig") as output, source.open(newline="", encoding="utf-8") as dropped:
        rows = list(csv.DictReader(output))
        expected = sum(1 for _ in csv.DictReader(dropped))
    answered = sum(row["status"] == "ok" for row in rows)
    if len(rows) != expected or answered < expected:
        raise SystemExit(f"{results}: {len(rows)} rows, {answered} answered, {expected} expected\n{measured.output}")


def fresh(scratch: str) -> Path:
    """An empty folder, in place of the previous one."""
    folder = Path(scratch, "work")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3, help="rounds for each contender, in turns; the best counts")
    options = parser.parse_args()
    # Compiled like an installed package, since pip has compiled what the plain script imports.
    for folder in ("daemon", "plugins"):
        compileall.compile_dir(HERE.parent / folder, quiet=2)
    print(f"{'rows':>9} {'':12} {'seconds':>8} {'rows/s':>8} {'cpu s':>6} {'peak MB':>8} {'kB/row':>7}")
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as scratch:
            source = Path(scratch, "reviews.csv")
            write_reviews(source, rows)
            best: dict[str, Measured] = {}
            # Watched in a separate round, since watching slows down a contender with more processes more.
            for contender in (batchd, straight):
                watched = contender(fresh(scratch), source, watched=True)
                best[contender.__name__] = replace(watched, seconds=math.inf)
            for _ in range(options.rounds):
                for contender in (batchd, straight):
                    timed = contender(fresh(scratch), source, watched=False)
                    previous = best[contender.__name__]
                    best[contender.__name__] = replace(previous, seconds=min(previous.seconds, timed.seconds))
            best["cp"] = measure(["cp", source, Path(scratch, "copy.csv")])
        for name, measured in best.items():
            print(
                f"{rows:>9,} {name:12} {measured.seconds:>8.2f} {rows / measured.seconds:>8,.0f} "
                f"{measured.processor:>6.1f} {measured.peak / 1e6:>8.0f} {measured.written / rows / 1e3:>7.2f}"
            )
        ours = best["batchd"]
        script, copy = best["straight"], best["cp"]
        print(
            f"{rows:>9,} ratio        batchd takes {ours.seconds / script.seconds:.2f} of the plain script's time, "
            f"{ours.peak / script.peak:.2f} of its memory; {ours.seconds / copy.seconds:,.0f} × cp"
        )


if __name__ == "__main__":
    main()

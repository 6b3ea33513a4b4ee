"""Measures `batchd once` from its start to its first upload, compared with the straight script on the same file.

Prints seconds, and the processor seconds of all processes until then: the least of several rounds, in turns. The
result is the ratio of the processor seconds, which depends little on what else the machine does. Both import the openai
package.

    python bench/start.py [--rows 10000] [--rounds 5] [--within 1.5]
"""

from __future__ import annotations

import argparse
import compileall
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

from throughput import HERE, fresh, once, server, write_reviews

GOAL = 2.0
"""Times the processor seconds of the script, which has one process and keeps no state."""

Contender = Callable[[Path, Path, str], list[str | Path]]


def script(folder: Path, source: Path, url: str) -> list[str | Path]:
    """The command of the plain script."""
    return [sys.executable, HERE / "straight_script.py", source, folder / "results.csv", url]


def first_upload(folder: Path, source: Path, contender: Contender) -> tuple[float, float]:
    """Seconds until the first upload, and processor seconds."""
    with server() as url:
        command = [str(word) for word in contender(folder, source, url)]
        here = url.removesuffix("/v1")
        began = time.time()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        urlopen(Request(f"{here}/watch/{process.pid}", method="POST")).close()  # our own server
        if process.wait() != 0:
            raise SystemExit(f"{command} ended with status {process.returncode}")
        with urlopen(f"{here}/first") as answer:  # our own server
            first = json.load(answer)
    return first["at"] - began, first["processor"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--within", type=float, help="fail if the ratio is above the goal by more than this factor")
    options = parser.parse_args()
    for folder in ("daemon", "plugins"):
        compileall.compile_dir(HERE.parent / folder, quiet=2)
    contenders: dict[str, Contender] = {"batchd": once, "script": script}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    processor: dict[str, list[float]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "reviews.csv")
        write_reviews(source, options.rows)
        for _ in range(options.rounds):
            for name, contender in contenders.items():
                wall, used = first_upload(fresh(scratch), source, contender)
                seconds[name].append(wall)
                processor[name].append(used)
    for name in contenders:
        print(f"{name:8} {min(seconds[name]):6.2f} s  {min(processor[name]):6.2f} s of a processor")
    ratio = min(processor["batchd"]) / min(processor["script"])
    print(f"ratio    {ratio:6.2f}, goal {GOAL}")
    if options.within is not None and ratio > GOAL * options.within:
        raise SystemExit(f"A start takes {ratio:.2f} times the processor time of the script, more than it should.")


if __name__ == "__main__":
    main()

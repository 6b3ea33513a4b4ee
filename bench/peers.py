"""Sends the same rows through batchd, the straight script and Parasail's openai-batch, each to the same kind of server.

Each peer runs in a venv of its own and polls as often as batchd; each output is checked row by row. Prints seconds,
processor time and peak memory of the best round, and how many times as fast as each peer batchd is. The ratios are the
result.

    python bench/peers.py [--rows 10000 50000 1000000] [--rounds 3] [--venvs FOLDER]
"""

from __future__ import annotations

import argparse
import compileall
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import leather
from measuring import Measured, measure
from throughput import HERE, batchd, check, fresh, server, straight, write_reviews

PARASAIL = ("openai-batch==0.3.4", "httpx")
"""openai-batch imports httpx, which the openai package brought along when openai-batch was released."""
POLL = "0.1"
"""Seconds, as in throughput.CONFIG and straight_script.py."""

Contender = Callable[..., Measured]


def venv(folder: Path, *packages: str) -> Path:
    """The Python of a venv with the packages. The venv is made if it does not exist."""
    python = folder / packages[0].partition("=")[0] / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def parasail(python: Path) -> Contender:
    """A contender that runs openai-batch on the file."""

    def run(folder: Path, source: Path, *, watched: bool) -> Measured:
        with server() as url:
            results = folder / "results.csv"
            measured = measure([python, HERE / "peer_parasail.py", source, results, url, POLL], watched=watched)
        check(results, source, measured)
        return measured

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--rounds", type=int, default=3, help="rounds for each contender, in turns; the best counts")
    parser.add_argument("--chart", type=Path, help="write an SVG of the seconds here")
    parser.add_argument("--venvs", type=Path, help="where the venvs of peers are kept; else they are made anew")
    options = parser.parse_args()
    for folder in ("daemon", "plugins"):
        compileall.compile_dir(HERE.parent / folder, quiet=2)
    with tempfile.TemporaryDirectory() as scratch:
        venvs = options.venvs or Path(scratch, "venvs")
        contenders: dict[str, Contender] = {"batchd": batchd, "script": straight}
        try:
            contenders["openai-batch"] = parasail(venv(venvs, *PARASAIL))
        except subprocess.CalledProcessError as error:
            print(f"Without openai-batch, which cannot be installed: {error}", file=sys.stderr)
        bars: list[tuple[float, str]] = []
        print(f"{'rows':>9} {'':13} {'seconds':>8} {'rows/s':>8} {'cpu s':>6} {'peak MB':>8}  batchd is")
        for rows in options.rows:
            source = Path(scratch, "reviews.csv")
            write_reviews(source, rows)
            # Watched in a separate round: watching slows down a contender more if it has more processes.
            best = {name: run(fresh(scratch), source, watched=True) for name, run in contenders.items()}
            seconds: dict[str, list[float]] = {name: [] for name in contenders}
            for _ in range(options.rounds):
                for name, run in contenders.items():
                    seconds[name].append(run(fresh(scratch), source, watched=False).seconds)
            best = {name: replace(each, seconds=min(seconds[name])) for name, each in best.items()}
            for name, each in best.items():
                bars.append((rows / each.seconds, f"{name}, {rows:,} rows"))
                print(
                    f"{rows:>9,} {name:13} {each.seconds:>8.2f} {rows / each.seconds:>8,.0f} "
                    f"{each.processor:>6.1f} {each.peak / 1e6:>8.0f}  "
                    f"{each.seconds / best['batchd'].seconds:.2f} times as fast"
                )
        if options.chart is not None:
            draw(bars, options.chart)


def draw(bars: list[tuple[float, str]], target: Path) -> None:
    """Draw the rows a second of each contender as bars."""
    chart = leather.Chart("Rows a second, from the file to the results")
    chart.add_bars(bars[::-1])
    chart.add_x_scale(0, max(speed for speed, _ in bars))
    target.write_text(chart.to_svg(width=800, height=60 + 40 * len(bars)), "utf-8")


if __name__ == "__main__":
    main()

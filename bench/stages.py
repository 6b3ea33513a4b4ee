"""Compares stages of the work on a large file with a lean loop that writes the same bytes.

A stage and its lean loop run in processes of their own, in turns, on the same rows. The result is the ratio of their
processor time (user and system, without imports), the best of several rounds each. The written bytes are compared.

    python bench/stages.py [--rows 100000] [--rounds 3] [--stage read+plan]
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

JOB, MODEL = "k3j9x2ab", "gpt-4o-mini"
PART_ROWS = 10_000
COMMON = {"model": MODEL, "max_tokens": 50, "temperature": 0}
SYSTEM = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."
PROMPT = {
    "system": SYSTEM,
    "user": "Review: {{ review }}",
    "columns": ["sentiment", "punctuality", "quality"],
    "separator": "|",
}
TEXT = (
    "the a of and to in is it was for on that with this but not good bad late early broken box ordered never arrived "
    "giao hàng nhanh chậm tốt hỏng đẹp quá rất hài lòng sản phẩm đúng mô tả"
)
WORDS = TEXT.split()


def write_reviews(path: Path, rows: int) -> None:
    """A file of reviews of about 170 bytes each in two languages: some with quotes, some of two lines. No two equal."""
    chance = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "product", "stars", "review"])
        for number in range(rows):
            text = " ".join(chance.choices(WORDS, k=chance.randint(8, 45)))
            kind = chance.random()
            text += f' "{number}"' if kind < 0.15 else f"\nsaid {number}" if kind < 0.27 else f" {number}"
            writer.writerow([number, f"product {number % 97}", chance.randint(1, 5), text])


# --- read + plan -----------------------------------------------------------------------------------------------------


def read_and_plan(source: Path, folder: Path) -> None:
    """Read and plan as the daemon's workers do, one part after the other; then compare the parts."""
    from batchd.domain.routing import PluginSpec
    from batchd.work.planning.identical_rows import CompareTask, Planned, compare
    from batchd.work.planning.plan import PlanTask, plan
    from batchd.work.planning.reuse import Reuse
    from batchd.work.reading.read import ReadTask, read

    builder, rows, planned = PluginSpec("template", PROMPT), str(folder / "rows.jsonl"), []
    done = read(ReadTask(str(source), source.name, rows, PART_ROWS, PluginSpec(""), builder))
    for first, number, offset, length in done.parts:
        names = [str(folder / f"{first:09}.{kind}") for kind in ("keys", "follows", "prints", "requests")]
        planned.append(Planned(first, number, *names))
        plan(
            PlanTask(
                job=JOB,
                first=first,
                offset=offset,
                length=length,
                columns=done.columns,
                rows=rows,
                requests=str(folder / f"{first:09}.requests"),
                settled=None,
                failures=str(folder / f"{first:09}.results"),
                builder=builder,
                common=COMMON,
                endpoint="/v1/chat/completions",
                max_line_bytes=200_000_000,
                model=MODEL,
                # As for every route with `temperature` 0: rows that ask the same are asked once.
                reuse=Reuse("openai", str(folder / f"{first:09}.keys"), prints=str(folder / f"{first:09}.prints")),
                skip_empty=True,
            )
        )
    compare(CompareTask(planned, str(folder / "leaders"), provider="openai", endpoint="/v1/chat/completions"))


def lean_read_and_plan(source: Path, folder: Path) -> None:
    """Write the same requests with csv and msgspec, in one pass, without anything else that batchd promises."""
    encode = msgspec.json.Encoder().encode
    body = {
        **COMMON,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Review: <text>"}],
    }
    ahead, behind = encode(body).split(b"<text>")
    frame = b'","method":"POST","url":"/v1/chat/completions","body":' + ahead
    start, behind = b'{"custom_id":"%b-' % JOB.encode(), behind + b"}\n"
    with source.open(newline="", encoding="utf-8") as file, (folder / "all.requests").open("wb") as target:
        records = csv.reader(file)
        place = next(records).index("review")
        write = target.write
        for number, record in enumerate(records):
            write(b"%b%d%b%b%b" % (start, number, frame, encode(record[place])[1:-1], behind))


def requests(folder: Path) -> bytes:
    """The requests that were written for the service."""
    return b"".join(file.read_bytes() for file in sorted(folder.glob("*.requests")))


# --- all stages ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: batchd's way and the lean loop, each from a source into a folder, and what both must have written there.

    `source` writes the file that both work on. `goal` is the ratio to reach.
    """

    goal: float
    source: Callable[[Path, int], None]
    ours: Callable[[Path, Path], None]
    lean: Callable[[Path, Path], None]
    written: Callable[[Path], bytes]


STAGES: Mapping[str, Stage] = {
    "read+plan": Stage(1.8, write_reviews, read_and_plan, lean_read_and_plan, requests),
}


def _prepared() -> None:
    # The imports of a worker process, and what it does before its first task.
    from batchd.money import tokens
    from batchd.workers.worker_plugins import prepare

    tokens.load(tokens.vocabulary(MODEL) or "")
    prepare()


def _run(work: Callable[[Path, Path], None], source: Path, folder: Path, small: Path) -> float:
    warm = folder / "warm"
    warm.mkdir()
    _prepared()
    work(small, warm)  # the plugins and modules are loaded
    shutil.rmtree(warm)
    begun = time.process_time()
    work(source, folder)
    return time.process_time() - begun


def seconds(work: Callable[[Path, Path], None], source: Path, folder: Path, small: Path) -> float:
    """The processor seconds of the work in a fresh process, which writes to `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (work, source, folder, small))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--within", type=float, help="end with 1 if a ratio is above its goal times this")
    options = parser.parse_args()
    above = []
    print(f"{'':12} {'batchd µs/row':>14} {'lean µs/row':>12} {'ratio':>6} {'goal':>6}")
    for name in [options.stage] if options.stage else STAGES:
        stage = STAGES[name]
        with tempfile.TemporaryDirectory() as scratch:
            source, small = Path(scratch, "reviews.csv"), Path(scratch, "small.csv")
            stage.source(source, options.rows)
            stage.source(small, 20)
            ours = lean = float("inf")
            for _ in range(options.rounds):
                ours = min(ours, seconds(stage.ours, source, Path(scratch, "ours"), small))
                lean = min(lean, seconds(stage.lean, source, Path(scratch, "lean"), small))
            if stage.written(Path(scratch, "ours")) != stage.written(Path(scratch, "lean")):
                raise SystemExit(f"{name}: the two wrote different bytes.")
        ratio = ours / lean
        print(
            f"{name:12} {ours / options.rows * 1e6:>14.2f} {lean / options.rows * 1e6:>12.2f} "
            f"{ratio:>6.2f} {stage.goal:>6.1f}"
        )
        if options.within is not None and ratio > stage.goal * options.within:
            above.append(name)
    if above:
        raise SystemExit(f"Slower than it should be: {', '.join(above)}")


if __name__ == "__main__":
    main()

"""Sends many files of a few rows each through the whole daemon, beside a server that answers at once.

Prints files per second, and the processor time of the main process for each file: in milliseconds, and as a ratio to a
lean loop that does only what is necessary, with one SQLite file and plain Python. It moves the file, commits four
changes, and writes questions, results and a report that survive a power cut. The ratio is the result.

    python bench/small_files.py [--files 1000] [--rows 10]
"""

from __future__ import annotations

import argparse
import compileall
import csv
import io
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from measuring import Measured, measure
from throughput import CONFIG, HERE, check, fresh, server, write_reviews

LINGER = 'linger = "0s"\n'


def batchd(folder: Path, sources: list[Path], *, linger: str | None) -> Measured:
    """`batchd once` on all files at once."""
    with server() as url:
        config = folder / "config.toml"
        config.write_text(CONFIG.format(url=url).replace(LINGER, f'linger = "{linger}"\n' if linger else ""))
        for name in ("inbox/reviews", "outbox", "archive", "rejected"):
            (folder / name).mkdir(parents=True)
        for source in sources:
            shutil.copyfile(source, folder / "inbox" / "reviews" / source.name)
        measured = measure([sys.executable, "-m", "batchd", "--config", config, "once"])
    for source in sources:
        check(folder / "outbox" / "reviews" / f"{source.stem}.results.csv", source, measured)
    return measured


def lean(folder: Path, sources: list[Path]) -> Measured:
    """The lean loop, in a process of its own."""
    (folder / "inbox").mkdir()
    for source in sources:
        shutil.copyfile(source, folder / "inbox" / source.name)
    return measure([sys.executable, __file__, "--lean", folder])


def run_lean(folder: Path) -> None:
    """For each file: move it, write questions, results and report, and commit four times."""
    for name in ("spool", "outbox", "archive"):
        (folder / name).mkdir()
    database = sqlite3.connect(folder / "state.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL").fetchall()
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE jobs (name TEXT PRIMARY KEY, state TEXT, rows INTEGER) STRICT")
    for source in sorted((folder / "inbox").iterdir()):
        claimed = folder / "spool" / source.name
        source.replace(claimed)
        database.execute("INSERT INTO jobs VALUES (?, 'claimed', 0)", (source.name,))
        rows = list(csv.DictReader(io.StringIO(claimed.read_text("utf-8"))))
        questions = "".join(
            json.dumps({"custom_id": f"{source.stem}-{number}", "method": "POST", "body": {"user": row["review"]}})
            + "\n"
            for number, row in enumerate(rows)
        )
        _write(folder / "spool" / f"{source.stem}.jsonl", questions)
        database.execute("UPDATE jobs SET state = 'planned', rows = ? WHERE name = ?", (len(rows), source.name))
        text = io.StringIO()
        writer = csv.DictWriter(text, [*rows[0], "answer"])
        writer.writeheader()
        writer.writerows({**row, "answer": "positive"} for row in rows)
        database.execute("UPDATE jobs SET state = 'delivering' WHERE name = ?", (source.name,))
        _write(folder / "outbox" / f"{source.stem}.results.csv", text.getvalue())
        _write(folder / "outbox" / f"{source.stem}.report.json", json.dumps({"rows": len(rows)}))
        claimed.replace(folder / "archive" / source.name)
        database.execute("UPDATE jobs SET state = 'done' WHERE name = ?", (source.name,))


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=10, help="of each file")
    parser.add_argument(
        "--linger", help="how long a small file waits for others, such as 0s; the default is batchd's own"
    )
    parser.add_argument("--lean", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lean is not None:
        run_lean(options.lean)
        return
    for folder in ("daemon", "plugins"):
        compileall.compile_dir(HERE.parent / folder, quiet=2)
    with tempfile.TemporaryDirectory() as scratch:
        stock = Path(scratch, "sources")
        stock.mkdir()
        sources = [stock / f"file {number:05}.csv" for number in range(options.files)]
        write_reviews(sources[0], options.rows)
        text = sources[0].read_text("utf-8")
        for number, source in enumerate(sources):
            source.write_text(text.replace("product ", f"product {number}."), "utf-8")
        ours = batchd(fresh(scratch), sources, linger=options.linger)
        plain = lean(fresh(scratch), sources)
    for name, measured in (("batchd", ours), ("lean loop", plain)):
        main, everything = (1000 * each / options.files for each in (measured.main, measured.processor))
        print(
            f"{name:10} {measured.seconds:7.1f} s {options.files / measured.seconds:7.1f} files/s "
            f"{main:6.1f} ms of main, {everything:6.1f} ms of all a file, {measured.peak / 2**20:4.0f} MiB"
        )
    print(f"main: {ours.main / plain.main:.1f} times the lean loop")


if __name__ == "__main__":
    main()

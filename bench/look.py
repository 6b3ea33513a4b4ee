"""Measures how long the daemon takes to look for work, with many parts, batches or jobs that have none.

A look finds what is due. It happens after each action, and once a second. For each case, one real job is brought to its
state and then copied in the database. Prints the processor time of a look in milliseconds, the best of several, and the
ratio to a look with a single job in the same run.

    python bench/look.py [--parts 100000] [--batches 20000] [--jobs 500]
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from batchd import Limits
from batchd.domain import lifecycle
from batchd.testing.household import Household, Living

ROUNDS = 20
FULL = Limits(max_enqueued_tokens=20)
"""Limits with which no second batch is sent beside the first."""


def copies(path: Path, table: str, number: int, **changed: str) -> None:
    """Copy the last row of a table `number` times. `changed` are columns as SQL, in which `n` counts the copies."""
    with sqlite3.connect(path) as database:
        names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(changed.get(name, f'"{name}"') for name in names)
        columns = ", ".join(f'"{name}"' for name in names)
        # The table of parts has no rowid.
        last = "job DESC, first DESC" if table == "parts" else "rowid DESC"
        database.execute(
            f"WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {number}) "
            f"INSERT INTO {table} ({columns}) "
            f"SELECT {values} FROM counted, (SELECT * FROM {table} ORDER BY {last} LIMIT 1)"
        )


async def until(daemon: Living, kind: type[lifecycle.Action]) -> None:
    """Carry out actions up to the first of this kind."""
    while not isinstance(await daemon.step(), kind):
        pass


async def drop(household: Household, name: str, *, to: type[lifecycle.Action]) -> None:
    """Drop a file, and work up to this action."""
    household.drop(f"reviews/{name}.csv", f"review\n{name}\n")
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, to)


async def looked(household: Household, *, most: int, polled: Sequence[str] = ()) -> float:
    """Seconds of a look, the best of several. Raise SystemExit if more than `most` actions are due.

    The batches in `polled` are taken as just polled.
    """
    async with household.living() as daemon:
        for key in polled:
            daemon.engine.retry_clock.pause(lifecycle.Poll(key), 3_600.0)
        await daemon.engine.look()
        best = float("inf")
        for _ in range(ROUNDS):
            started = time.process_time()
            outlook = await daemon.engine.look()
            best = min(best, time.process_time() - started)
            if len(outlook.due) > most:
                raise SystemExit(f"{len(outlook.due)} actions are due, at most {most} should be: {outlook.due[0]}")
        return best


async def waiting_parts(folder: Path, number: int) -> float:
    """One job with `number` parts that wait since no more fits into their model's limits."""
    household = Household(folder, limits=FULL)
    await drop(household, "first", to=lifecycle.Submit)
    await drop(household, "second", to=lifecycle.Admit)
    database = folder / "state" / "batchd.db"
    copies(database, "parts", number, first='"first" + n')
    with sqlite3.connect(database) as opened:
        opened.execute("UPDATE jobs SET rows = ? WHERE state = 'running' AND source LIKE '%second%'", (number + 1,))
    return await looked(household, most=1)


async def waiting_jobs(folder: Path, number: int) -> float:
    """`number` jobs of one part that wait since no more fits into their model's limits."""
    household = Household(folder, limits=FULL)
    await drop(household, "first", to=lifecycle.Submit)
    await drop(household, "second", to=lifecycle.Admit)
    database = folder / "state" / "batchd.db"
    with sqlite3.connect(database) as opened:
        [job] = opened.execute("SELECT id FROM jobs WHERE source LIKE '%second%'").fetchone()
    copies(database, "jobs", number, id="'copy' || n", claimed_at="claimed_at + n", outbox_stem="NULL", sha256="NULL")
    with sqlite3.connect(database) as opened:
        names = [row[1] for row in opened.execute("PRAGMA table_info(parts)")]
        values = ", ".join("jobs.id" if name == "job" else f'parts."{name}"' for name in names)
        columns = ", ".join(f'"{name}"' for name in names)
        opened.execute(
            f"INSERT INTO parts ({columns}) SELECT {values} FROM jobs, parts "
            "WHERE jobs.id LIKE 'copy%' AND parts.job = ?",
            (job,),
        )
    return await looked(household, most=1)


async def open_batches(folder: Path, number: int) -> float:
    """`number` batches at their provider, none of which is due to be polled."""
    household = Household(folder, poll=3_600.0)
    household.service.polls = 1_000_000
    await drop(household, "first", to=lifecycle.Submit)
    copies(folder / "state" / "batchd.db", "batches", number, key="'copy' || n", remote="'copy' || n")
    return await looked(household, most=1, polled=[f"copy{place}" for place in range(1, number + 1)])


async def jobs_in_work(folder: Path, number: int) -> float:
    """`number` jobs that wait to be read."""
    household = Household(folder)
    await drop(household, "first", to=lifecycle.Claim)
    copies(folder / "state" / "batchd.db", "jobs", number, id="'copy' || n", claimed_at="claimed_at + n")
    return await looked(household, most=number + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=100_000)
    parser.add_argument("--batches", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=500)
    options = parser.parse_args()
    trials: list[tuple[str, Callable[[Path, int], object], int]] = [
        ("waiting parts of one job", waiting_parts, options.parts),
        ("waiting jobs of one part", waiting_jobs, options.parts),
        ("open batches", open_batches, options.batches),
        ("jobs to be read", jobs_in_work, options.jobs),
    ]
    for name, trial, number in trials:
        times = []
        for size in (1, number):
            with tempfile.TemporaryDirectory() as folder:
                times.append(asyncio.run(trial(Path(folder), size)) * 1000)  # type: ignore[arg-type]
        print(f"{number:>7,} {name:26} {times[1]:9.2f} ms a look, {times[1] / times[0]:7.1f} times that of one")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

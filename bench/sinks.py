"""Measures the sinks that send rows elsewhere: rows a second, compared with the fastest plain way to the same place.

    python bench/sinks.py [ROWS]

The places are a table of SQLite, a table of a PostgreSQL server that is started for this (left out if none is
installed), and a receiver of posts on this machine, in a process of its own. The plain ways keep no key of a row, no
signature and no receipt. A sink should reach half the speed of the plain way. The best of three rounds in turns counts,
by the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from files import ANSWERS, NAMES, finished, results

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
ROUNDS, PAGE = 3, 500
Way = Callable[[], Coroutine[Any, Any, object]]
COLUMNS = ["job", "row", "file", *NAMES, *ANSWERS, "status", "error"]


def records(rows: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The records of the table, for the plain ways."""
    for row, cells in zip(rows, finished(rows), strict=True):
        yield ("job", row.number, "may.csv", *cells)


def through(make: Callable[[], Any], rows: Sequence[Any]) -> Way:
    """The way through a new sink, called as the daemon calls it."""
    from batchd.testing.outbox import FakeRows, MemoryOutbox, sample_job

    async def publish() -> None:
        sink = make()
        await sink.publish(sample_job(MemoryOutbox()), FakeRows(NAMES, ANSWERS, lambda: iter(rows)))
        await sink.aclose()

    return publish


def sqlite_ways(folder: Path, rows: Sequence[Any]) -> tuple[Way, Way]:
    """The plain way and batchd's, into new files."""
    from batchd_sinks.sqlite_sink import SqliteSink

    async def plain() -> None:
        path = folder / "plain.db"
        path.unlink(missing_ok=True)
        marks = ", ".join("?" * len(COLUMNS))
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"CREATE TABLE results ({', '.join(COLUMNS)}, PRIMARY KEY (job, row))")
            database.executemany(f"INSERT INTO results VALUES ({marks})", records(rows))  # ours

    async def ours() -> None:
        path = folder / "ours.db"
        path.unlink(missing_ok=True)
        await through(lambda: SqliteSink(SqliteSink.Settings(path=path)), rows)()

    return plain, ours


def postgres_ways(address: str, rows: Sequence[Any]) -> tuple[Way, Way]:
    """The plain way and batchd's, into new tables."""
    import asyncpg

    from batchd import Secret
    from batchd_sinks.postgres_sink import PostgresSink

    async def dropped(table: str) -> Any:
        there = await asyncpg.connect(address)
        await there.execute(f"DROP TABLE IF EXISTS {table}")
        return there

    async def plain() -> None:
        there = await dropped("plain")
        await there.execute(
            f"CREATE TABLE plain (job text, row bigint, {', '.join(f'{name} text' for name in COLUMNS[2:])}, "
            "PRIMARY KEY (job, row))"
        )
        written = (
            (job, row, *(None if cell is None else str(cell) for cell in rest)) for job, row, *rest in records(rows)
        )
        await there.copy_records_to_table("plain", records=written)
        await there.close()

    async def ours() -> None:
        await (await dropped("results")).close()
        await through(lambda: PostgresSink(PostgresSink.Settings(url=Secret(address))), rows)()

    return plain, ours


def webhook_ways(address: str, rows: Sequence[Any]) -> tuple[Way, Way]:
    """The plain way and batchd's, to a receiver that takes everything."""
    import aiohttp
    import msgspec

    from batchd import Secret
    from batchd_sinks.webhook_sink import WebhookSink

    async def plain() -> None:
        objects = (dict(zip(COLUMNS, record, strict=True)) for record in records(rows))
        async with aiohttp.ClientSession() as session:
            while page := list(islice(objects, PAGE)):
                async with session.post(address, data=msgspec.json.encode(page)) as answer:
                    answer.raise_for_status()

    settings = WebhookSink.Settings(url=address, secret=Secret("s3cret"))
    return plain, through(lambda: WebhookSink(settings), rows)


def receive(port: Any) -> None:
    """Take posts, in a process of its own."""
    from aiohttp import web

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    async def serve() -> None:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_post("/", take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


@contextmanager
def receiver() -> Iterator[str]:
    """Run the receiver; yield its address."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}/"
    finally:
        process.kill()


def compare(kind: str, plain: Way, ours: Way, rows: int) -> bool:
    """Print a line; return whether the sink reaches half of the plain way."""
    seconds: dict[Way, list[float]] = {plain: [], ours: []}
    for _ in range(ROUNDS):
        for way, took in seconds.items():
            began = time.perf_counter()
            asyncio.run(way())
            took.append(time.perf_counter() - began)
    plainly, by_sink = (rows / min(took) for took in seconds.values())
    print(f"{kind:10} {plainly:>12,.0f} {by_sink:>14,.0f} {by_sink / plainly:>6.2f}", flush=True)
    return by_sink >= 0.5 * plainly


def main() -> int:
    """Measure all, and say what is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=100_000)
    count = parser.parse_args().rows
    from tests.sinks_plugin.postgres_server import postgres_server

    rows = list(results(count))
    print(f"{'sink':10} {'plain rows/s':>12} {'batchd rows/s':>14} {'share':>6}")
    fast = {}
    with tempfile.TemporaryDirectory() as name:
        fast["sqlite"] = compare("sqlite", *sqlite_ways(Path(name), rows), count)
    try:
        with postgres_server() as address:
            fast["postgres"] = compare("postgres", *postgres_ways(address, rows), count)
    except BaseException as error:  # pytest's Skipped is no Exception
        if type(error).__name__ != "Skipped":
            raise
        print(f"postgres   {error}")
    with receiver() as address:
        fast["webhook"] = compare("webhook", *webhook_ways(address, rows), count)
    slow = [kind for kind, enough in fast.items() if not enough]
    if slow:
        print(f"Below half of the plain way: {', '.join(slow)}.")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())

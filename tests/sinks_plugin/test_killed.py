"""A daemon killed with SIGKILL in the middle of deliveries: each row arrives once, and no place has half of a job."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ..durability.rig import put_echo_house, run_once_in
from .receiver import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.field("results")]

DYING = """
import os
import signal
from pathlib import Path

from batchd import hookimpl
from batchd_sinks.sqlite_sink import SqliteSink
from batchd_sinks.webhook_sink import WebhookSink


def die_once(where):
    mark = Path(f"died-{where}")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


class Rows:
    def __init__(self, rows):
        self.rows = rows

    def __getattr__(self, name):
        return getattr(self.rows, name)

    def __iter__(self):
        for row in self.rows:
            if row.number == 3:
                die_once("reading")
            yield row


class DyingFile(SqliteSink):
    async def publish(self, job, rows):
        receipt = await super().publish(job, Rows(rows))
        die_once("written")
        return receipt


class DyingPost(WebhookSink):
    async def send(self, page):
        await super().send(page)
        if page.number == 2:
            die_once("sent")


@hookimpl
def register_sinks(register):
    register("dying_file", DyingFile)
    register("dying_post", DyingPost)
"""
MORE = """\
sinks = ["same", "dying_file", "dying_post"]

[sinks.dying_file]
path = "results.db"

[sinks.dying_post]
url = "{url}"
secret = "s3cret-of-the-house"
page_rows = 4
"""


def test_killed_in_the_middle_of_deliveries_every_row_arrives_once(tmp_path: Path) -> None:
    receiver = Receiver()
    rows = "".join(f"{number},review {number}\n" for number in range(10))
    put_echo_house(tmp_path, DYING, MORE.format(url=receiver.url), rows)
    kills, seen = 0, set()
    while run_once_in(tmp_path) == -signal.SIGKILL:
        kills += 1
        seen.add(in_the_table(tmp_path))
    seen.add(in_the_table(tmp_path))
    receiver.close()
    assert kills == 3, "while rows are read, after they are written, and between two pages"
    assert seen <= {0, 10}, "all rows of a job, or none"
    assert in_the_table(tmp_path) == 10
    assert sorted(row["row"] for row in receiver.rows) == list(range(10))
    assert len(receiver.pages) == 3
    assert len(receiver.requests) > 3, "some came twice, with the same key"


def in_the_table(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "results.db")) as database:
        there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'dying_file' OR name = 'results'").fetchone()
        count: int = database.execute("SELECT count(*) FROM results").fetchone()[0] if there else 0
    return count

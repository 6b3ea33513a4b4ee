"""A daemon killed with SIGKILL while an observer is told: no committed event is lost to it."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from pathlib import Path

import pytest

from ..durability.rig import put_echo_house, run_once_in

pytestmark = pytest.mark.slow

TELLTALE = """
import os
import signal
from pathlib import Path

from batchd import Observer, Settings, hookimpl


class Telltale(Observer):
    class Settings(Settings):
        dies: str

    async def notice(self, event):
        if self.settings.dies == "before":
            die_once(event)
        with Path("heard").open("a") as file:
            file.write(f"{event.id} {event.kind}\\n")
        if self.settings.dies == "after":
            die_once(event)


def die_once(event):
    mark = Path(f"died-{event.id}")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@hookimpl
def register_observers(register):
    register("telltale", Telltale)
"""
MORE = """
[observers.telltale]
events = ["JobAccepted", "done"]
dies = "{dies}"
"""


@pytest.mark.parametrize(("dies", "times"), [("before", 1), ("after", 2)])
def test_killed_over_each_event_it_hears_them_all(tmp_path: Path, dies: str, times: int) -> None:
    """Between the commit and the observer's first statement, and between its last one and the cursor."""
    put_echo_house(tmp_path, TELLTALE, MORE.format(dies=dies), "1,good\n")
    kills = 0
    while run_once_in(tmp_path) == -signal.SIGKILL:
        kills += 1
        assert kills <= 2
    assert kills == 2
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "batchd.db")) as database, database:
        query = "SELECT id, kind FROM events WHERE kind IN ('JobAccepted', 'JobFinished') ORDER BY id"
        committed = [f"{number} {kind}" for number, kind in database.execute(query)]
    database.close()
    assert [line.split()[1] for line in committed] == ["JobAccepted", "JobFinished"]
    assert (tmp_path / "heard").read_text().splitlines() == [line for line in committed for _ in range(times)]

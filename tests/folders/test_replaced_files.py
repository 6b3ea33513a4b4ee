"""Files that are replaced, written over and deleted in the very moments in which they are taken."""

from __future__ import annotations

import contextlib
import csv
import os
import random
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from batchd.intake.plain_files import stamp_of
from batchd.testing.fakes import InlineExecutor
from batchd.values import replace
from batchd.work.reading.read import ReadTask

from ..engine.conftest import MakeHousehold, csv_of
from ..engine.conftest import make_household as make_household
from .conftest import Shared, rows_of, size, until

pytestmark = pytest.mark.slow

NAMES = 12


def storm(shared: Shared, seconds: float, seed: int) -> dict[str, str]:
    """Replace and delete files under a few names without a pause; the last version under each name that stayed."""
    chance = random.Random(seed)
    reviews, aside = shared.inbox / "reviews", shared.folder / "aside"
    aside.mkdir(exist_ok=True)
    last: dict[str, str] = {}
    version, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        name, version = f"file{chance.randrange(NAMES)}", version + 1
        tag = f"{name}v{version}s{seed}"
        target = reviews / f"{name}.csv"
        match chance.randrange(4):
            case 0:
                with contextlib.suppress(FileNotFoundError):
                    target.unlink()
                last.pop(name, None)
                continue
            case 1:
                # In place, as editors do: a program that has it open sees it change.
                target.write_text("\n".join(rows_of(tag, 5)) + "\n")
            case _:
                (aside / name).write_text("\n".join(rows_of(tag, 5)) + "\n")
                (aside / name).rename(target)
        last[name] = tag
        time.sleep(chance.uniform(0, 0.03))
    return last


def test_what_is_taken_is_one_version_and_the_last_one_always(shared: Shared) -> None:
    shared.configure(settle='"20ms"', rescan='"20ms"')
    daemon = shared.start()
    lasts: list[dict[str, str]] = []
    # One storm after the other: versions of two at once would be mixed by those who write, not by us.
    for seed in range(size(1, 20)):
        thread = threading.Thread(target=lambda seed=seed: lasts.append(storm(shared, 2.5, seed)))
        thread.start()
        thread.join()
        until(lambda: not list((shared.inbox / "reviews").iterdir()), "what is left was taken")
    shared.quiet()
    shared.stop(daemon)
    seen: set[str] = set()
    for path in (shared.folder / "outbox" / "reviews").glob("*.results.csv"):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        [tag] = {row["id"].rpartition("-")[0] for row in rows}
        assert [row["id"] for row in rows] == [f"{tag}-{number}" for number in range(5)], path.name
        assert {row["status"] for row in rows} == {"ok"}
        assert tag not in seen, f"{tag} came back twice"
        seen.add(tag)
    assert seen, "nothing was taken in the storm: it was none"
    for last in lasts:
        assert set(last.values()) <= seen, "a file that nobody took away again is missing"
    # Nothing hidden is left of claims that came to nothing.
    assert not list(shared.inbox.rglob(".*"))
    jobs = {row["id"] for row in shared.ask("SELECT id FROM jobs")}
    assert {path.name for path in (shared.folder / "state" / "jobs").iterdir()} <= jobs


async def test_a_file_that_grows_while_it_is_read_is_read_again(make_household: MakeHousehold) -> None:
    """Taking the name does not stop a writer on another machine, whom no lease tells of."""
    household = make_household()
    path = household.drop("reviews/may.csv", csv_of(["one", "two"]))
    writer = path.open("a")  # it goes on when the file has another name
    late = ["three", "four", "five"]

    class Reading(InlineExecutor):
        """After each reading, as long as there is something, the writer adds a row."""

        async def run(self, function: Any, task: Any) -> Any:
            done = await super().run(function, task)
            if isinstance(task, ReadTask) and late:
                writer.write(f"9,{late.pop(0)}\n")
                writer.flush()
                done = replace(done, stamp=tuple(stamp_of(Path(task.source))))
            return done

    household.executor = Reading()
    # The lease would tell of this one, since it is on this machine.
    household.held_open = lambda _: False
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    writer.close()
    rows = household.outbox()["reviews/may.results.csv"].decode().splitlines()
    assert [line.split(",")[1] for line in rows[1:]] == ["one", "two", "three", "four", "five"]
    assert household.service.executed.total() == 5


async def nothing_is_committed(*_: object, **__: object) -> None:
    """In the place of a commit that the process did not live to make."""
    raise sqlite3.OperationalError("killed")


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed once it is archived"])
@pytest.mark.parametrize("added", ["", "3,three\n"], ids=["only its time", "more rows"])
async def test_a_file_that_is_written_to_after_it_was_read_is_told_of(
    make_household: MakeHousehold, added: str, killed: bool
) -> None:
    """Its writer stood still for longer than anybody waits, and has it open under whatever name it has by now."""
    household = make_household()
    path = household.drop("reviews/may.csv", csv_of(["one", "two"]))
    size = path.stat().st_size
    household.held_open = lambda _: False
    with path.open("a") as writer:
        async with household.living() as daemon:
            await daemon.take_in()
            while household.service.creates < 1:
                await daemon.step()
            writer.write(added)
            writer.flush()
            os.utime(writer.fileno(), ns=(1, 1))
            archived = household.folders.archive / "reviews" / "may.csv"
            if killed:
                jobs = daemon.context.store.jobs
                jobs.finished = nothing_is_committed  # type: ignore[method-assign]
                while not archived.exists():
                    await daemon.step()
            else:
                await daemon.drain()
        if killed:
            async with household.living() as daemon:
                await daemon.drain()
    told = [event for event in household.events if event.kind == "SourceChanged"]
    if not added:
        assert told == []
        return
    assert [event.severity for event in told] == ["warning"]
    assert f"({size} bytes then, {size + len(added)} now)" in told[0].sentence
    assert household.folders.archive / told[0].data()["archived"] == archived
    assert archived.read_text() == csv_of(["one", "two"]) + added
    assert household.service.executed.total() == 2

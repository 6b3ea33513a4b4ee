"""What batchd put into the folders of people is removed once it is old, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchd.app.retaining import remove_old_files
from batchd.app.stopping import Stopping
from batchd.config.tables import RetentionTable
from batchd.testing.household import Household, Living

from ..engine.conftest import MakeHousehold, csv_of, make_household, route

__all__ = ["make_household"]

pytestmark = pytest.mark.field("files")
DAY = 86_400.0
ALL = {"outbox": 30 * DAY, "archive": 30 * DAY, "rejected": 30 * DAY}


def files(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def as_if_written_at(folder: Path, at: float, *names: str) -> None:
    """The household's clock is not that of the file system."""
    for each in folder.rglob("*"):
        if each.is_file() and any(each.name.startswith(Path(name).stem) for name in names):
            os.utime(each, (at, at))


async def ended(household: Household, daemon: Living, *names: str) -> None:
    for name in names:
        household.drop(name, csv_of(["one", "two"]) if "good" in name else "")
    await daemon.take_in()
    await daemon.drain()
    for folder in (household.folders.outbox, household.folders.archive, household.folders.rejected):
        as_if_written_at(folder, household.clock.wall, *names)


async def test_old_files_of_ours_go_and_nothing_else(make_household: MakeHousehold) -> None:
    household = make_household(routes=(route(sinks=("csv", "jsonl"), review=1),))
    outbox, archive, rejected = household.folders.outbox, household.folders.archive, household.folders.rejected
    async with household.living() as daemon:
        await ended(household, daemon, "reviews/good-april.csv", "reviews/bad.csv")
        household.clock.advance(20 * DAY)
        await ended(household, daemon, "reviews/good-may.csv")
        theirs = outbox / "reviews" / "plan.txt"
        theirs.write_text("mine")
        os.utime(theirs, (0, 0))
        edited = outbox / "reviews" / "good-april.results.csv"
        edited.write_text("corrected by hand")
        os.utime(edited, (household.clock.wall, household.clock.wall))
        before = (files(outbox), files(archive), files(rejected))
        stopping = Stopping(household.clock)
        daemon.reconfigure(retention={})
        await remove_old_files(daemon.context, stopping)
        household.clock.advance(11 * DAY)
        await remove_old_files(daemon.context, stopping)
        assert (files(outbox), files(archive), files(rejected)) == before, "it is off by default"
        daemon.reconfigure(retention=ALL)
        await remove_old_files(daemon.context, stopping)
        await remove_old_files(daemon.context, stopping)
    left = {name for name in files(outbox) if "april" in name}
    assert left == {"reviews/good-april.results.csv"}
    assert {"reviews/plan.txt", "reviews/good-may.results.csv", "reviews/good-may.report.json"} <= files(outbox)
    assert files(archive) == {"reviews/good-may.csv"}
    assert files(rejected) == set()
    told = {event.data()["folder"]: event for event in household.events if event.kind == "FilesRemoved"}
    assert sorted(told) == ["archive", "outbox", "rejected"]
    assert told["outbox"].data()["kept"] == ["reviews/good-april.results.csv"]
    assert told["rejected"].sentence == (
        "Removed 2 files of reviews/bad.csv from rejected, by [retention]: reviews/bad.csv, reviews/bad.csv.why.txt."
    )


async def test_a_folder_that_is_not_there_is_looked_at_again(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        await ended(household, daemon, "reviews/good.csv")
        household.clock.advance(31 * DAY)
        daemon.reconfigure(retention={"outbox": 30 * DAY})
        away = household.folders.outbox.rename(household.folder / "away")
        with pytest.raises(FileNotFoundError):
            await remove_old_files(daemon.context, Stopping(household.clock))
        away.rename(household.folders.outbox)
        await remove_old_files(daemon.context, Stopping(household.clock))
    assert files(household.folders.outbox) == set()


async def test_the_name_of_a_file_that_came_again_is_that_of_the_later_one(make_household: MakeHousehold) -> None:
    household = make_household(duplicates="process")
    async with household.living() as daemon:
        await ended(household, daemon, "reviews/good.csv")
        for folder in (household.folders.outbox, household.folders.archive):
            for each in folder.rglob("*.*"):
                each.unlink()
        household.clock.advance(31 * DAY)
        await ended(household, daemon, "reviews/good.csv")
        daemon.reconfigure(retention=ALL)
        await remove_old_files(daemon.context, Stopping(household.clock))
    assert "reviews/good.results.csv" in files(household.folders.outbox)
    assert files(household.folders.archive) == {"reviews/good.csv"}


def test_less_than_an_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="less than an hour"):
        RetentionTable.model_validate({"outbox": "30s"})
    assert RetentionTable.model_validate({"outbox": "90d"}).outbox == 90 * DAY

"""What batchd put into the folders of people is removed once it is old, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from batchd.app.retaining import AT_A_TIME, FAILED_TOLD, remove_old_files
from batchd.app.stopping import Stopping
from batchd.config.tables import RetentionTable
from batchd.testing.household import Household, Living

from ..durability.disks import require_mounting
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


async def swept(daemon: Living) -> None:
    """What is done every hour."""
    await remove_old_files(daemon.context, daemon.engine.conditions, Stopping(daemon.household.clock))


async def told(daemon: Living) -> dict[str, str]:
    """The conditions, as `batchd status` shows them."""
    return {str(subject): text for subject, text in (await daemon.context.store.event_log.conditions()).items()}


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
        await remove_old_files(daemon.context, daemon.engine.conditions, stopping)
        household.clock.advance(11 * DAY)
        await remove_old_files(daemon.context, daemon.engine.conditions, stopping)
        assert (files(outbox), files(archive), files(rejected)) == before, "it is off by default"
        daemon.reconfigure(retention=ALL)
        await remove_old_files(daemon.context, daemon.engine.conditions, stopping)
        await remove_old_files(daemon.context, daemon.engine.conditions, stopping)
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
        away = household.folders.outbox.rename(household.folder / "away")
        daemon.reconfigure(retention=ALL)
        await swept(daemon)
        assert (await told(daemon))["old files in outbox"] == (
            f"{household.folders.outbox}: the folder is not there (is its share mounted?). So nothing is removed "
            "there, as [retention] says. Trying again every hour."
        )
        assert files(household.folders.archive) == set(), "the other folders are there"
        away.rename(household.folders.outbox)
        await swept(daemon)
        assert await told(daemon) == {}
    assert files(household.folders.outbox) == set()


async def test_a_file_that_cannot_be_removed_stops_no_other_and_is_told_once(
    make_household: MakeHousehold, caplog: pytest.LogCaptureFixture
) -> None:
    household = make_household()
    outbox, archive = household.folders.outbox, household.folders.archive
    async with household.living() as daemon:
        await ended(household, daemon, "reviews/a/good-april.csv")
        household.clock.advance(DAY)
        await ended(household, daemon, "reviews/good-may.csv")
        household.clock.advance(31 * DAY)
        away = (outbox / "reviews" / "a").rename(household.folder / "away")
        (outbox / "reviews" / "a").symlink_to("a")  # to look for a file there is an error, even for root
        daemon.reconfigure(retention=ALL)
        await swept(daemon)
        assert (files(outbox), files(archive)) == (set(), set()), "the job after it, and the folder after its own"
        [said] = (await told(daemon)).items()
        assert said[0] == "old files in outbox"
        assert "reviews/a/good-april.results.csv (Too many levels of symbolic links); reviews/a/good-april" in said[1]
        await swept(daemon)
        assert [event.kind for event in household.events].count("ConditionRaised") == 1
        assert not [each for each in caplog.records if "old files" in each.getMessage()], "an event tells it already"
        (outbox / "reviews" / "a").unlink()
        away.rename(outbox / "reviews" / "a")
        await swept(daemon)
        assert (files(outbox), await told(daemon)) == (set(), {})
    assert [event.kind for event in household.events].count("ConditionCleared") == 1


@pytest.mark.slow
async def test_more_jobs_than_are_read_at_a_time_may_have_files_that_cannot_be_removed(
    make_household: MakeHousehold,
) -> None:
    household = make_household()
    number = AT_A_TIME + 1
    archive = household.folders.archive
    async with household.living() as daemon:
        await ended(household, daemon, *(f"reviews/a/bad-{each}.csv" for each in range(number)))
        household.clock.advance(DAY)
        await ended(household, daemon, "reviews/bad.csv")
        household.clock.advance(31 * DAY)
        rejected = household.folders.rejected / "reviews"
        (rejected / "a").rename(household.folder / "away")
        (rejected / "a").symlink_to("a")
        daemon.reconfigure(retention=ALL)
        await swept(daemon)
        assert files(rejected) == set()
        [text] = (await told(daemon)).values()
    assert f"; and {number - FAILED_TOLD} more. All others go" in text
    assert files(archive) == set()


@pytest.mark.slow
async def test_what_is_removed_of_a_job_is_told_though_a_file_of_it_cannot_be_removed(
    make_household: MakeHousehold,
) -> None:
    require_mounting()
    household = make_household()
    results = household.folders.outbox / "reviews" / "good.results.csv"
    async with household.living() as daemon:
        await ended(household, daemon, "reviews/good.csv")
        household.clock.advance(31 * DAY)
        daemon.reconfigure(retention=ALL)
        subprocess.run(["mount", "--bind", results, results], check=True)
        try:
            await swept(daemon)
            await swept(daemon)
        finally:
            subprocess.run(["umount", "--lazy", results], check=True)
        assert files(household.folders.outbox) == {"reviews/good.results.csv"}
        assert "reviews/good.results.csv (Device or resource busy)" in (await told(daemon))["old files in outbox"]
        await swept(daemon)
    removed = [event.data()["files"] for event in household.events if event.kind == "FilesRemoved"]
    assert removed == [["reviews/good.report.json"], ["reviews/good.csv"], ["reviews/good.results.csv"]]


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
        await swept(daemon)
    assert "reviews/good.results.csv" in files(household.folders.outbox)
    assert files(household.folders.archive) == {"reviews/good.csv"}


def test_less_than_an_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="less than an hour"):
        RetentionTable.model_validate({"outbox": "30s"})
    assert RetentionTable.model_validate({"outbox": "90d"}).outbox == 90 * DAY

"""The original of a job lies in the archive under the name that the job has, however often the job comes to its end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from batchd.domain.records import Job
from batchd.status.overview import JobDetails
from batchd.status.places import Places
from batchd.testing.household import Household, Living

from .conftest import MakeHousehold, csv_of, stops
from .test_faults import order

FILE = csv_of(["one", "unaskable"])
MAY, SECOND = "reviews/may.csv", "reviews/may (2).csv"


async def ended(daemon: Living, text: str = FILE) -> Job:
    """The job of a file that is dropped now, at its end."""
    store = daemon.context.store
    before = await store.jobs.ids()
    daemon.household.drop("reviews/may.csv", text)
    await daemon.work()
    [name] = await store.jobs.ids() - before
    return await store.jobs.get(name)


async def retried(daemon: Living, job: Job) -> str | None:
    """The name of its original after another end."""
    await order(daemon, "retry", job.id)
    await daemon.drain()
    after = await daemon.context.store.jobs.get(job.id)
    assert after.retry_round > job.retry_round
    return after.archive_name


async def named(daemon: Living, job: Job, name: str) -> None:
    """As earlier versions named the original of a job that was retried."""
    now = await daemon.context.store.jobs.get(job.id)
    await daemon.context.store.jobs.archive_elsewhere(now, name)


def archive(household: Household) -> dict[str, str]:
    folder = household.folders.archive
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


async def test_the_original_of_a_retried_job_keeps_its_name(make_household: MakeHousehold) -> None:
    household = make_household()
    folders = household.folders
    async with household.living() as daemon:
        job = await ended(daemon)
        assert [await retried(daemon, job), await retried(daemon, job)] == [MAY, MAY]
        await order(daemon, "purge", job.id)
        await daemon.drain()
    assert archive(household) == {MAY: FILE}
    state = household.folder / "state"
    places = Places(state.parent / "c", state, folders.outbox, folders.archive, folders.rejected, "USD")
    assert JobDetails.take(places, job.id).original() == str(folders.archive / MAY)
    [purged] = [event.data() for event in household.events if event.kind == "JobPurged"]
    assert str(folders.archive / MAY) in purged["yours"]


@pytest.mark.slow
async def test_stopped_after_any_action_of_a_retry_it_keeps_its_name(make_household: MakeHousehold) -> None:
    for stop in stops():
        household = make_household()
        async with household.living() as daemon:
            job = await ended(daemon)
            await order(daemon, "retry", job.id)
            done = await daemon.steps(stop)
        async with household.at_rest() as daemon:
            after = await daemon.context.store.jobs.get(job.id)
        assert (after.state, after.retry_round, after.archive_name) == ("done", 2, MAY)
        assert archive(household) == {MAY: FILE}
        if done < stop:
            return


async def test_it_keeps_its_name_if_its_retry_was_delivered_since_a_copy(
    make_household: MakeHousehold, tmp_path: Path
) -> None:
    household = make_household()
    state = household.folder / "state"
    async with household.living() as daemon:
        job = await ended(daemon)
        await order(daemon, "retry", job.id)
    shutil.copytree(state, tmp_path / "copy")
    await household.work()
    outbox = household.outbox()
    shutil.rmtree(state)
    shutil.copytree(tmp_path / "copy", state)
    async with household.at_rest() as daemon:
        assert (await daemon.context.store.jobs.get(job.id)).archive_name == MAY
    assert (household.outbox(), archive(household)) == (outbox, {MAY: FILE})


async def test_a_name_that_a_later_file_has_is_left_to_it(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        first = await ended(daemon)
        (household.folders.archive / MAY).unlink()
        later = await ended(daemon, csv_of(["two"]))
        assert later.archive_name == MAY
        assert await retried(daemon, first) != MAY
    assert archive(household) == {MAY: csv_of(["two"])}


async def test_an_original_that_was_written_to_since_it_was_read_keeps_its_name(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        job = await ended(daemon)
        (household.folders.archive / MAY).write_text(FILE + "2,more\n")
        assert await retried(daemon, job) == MAY
    assert not [event for event in household.events if event.kind == "SourceChanged"], "that is told at its first end"


async def test_an_original_that_is_not_under_its_name_since_before_is_found(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        job = await ended(daemon)
        await named(daemon, job, SECOND)
        assert await retried(daemon, job) == MAY
        # A later file has taken the name, which was free among the files.
        await named(daemon, job, SECOND)
        later = await ended(daemon, csv_of(["two"]))
        assert later.archive_name == SECOND
        assert await retried(daemon, job) == MAY
    assert archive(household) == {MAY: FILE, SECOND: csv_of(["two"])}


async def test_of_two_files_with_the_same_bytes_each_job_has_its_own(make_household: MakeHousehold) -> None:
    household = make_household(duplicates="process")
    async with household.living() as daemon:
        first, second = await ended(daemon), await ended(daemon)
        assert (first.archive_name, second.archive_name) == (MAY, SECOND)
        await named(daemon, second, "reviews/may (3).csv")
        assert await retried(daemon, second) == SECOND
        assert await retried(daemon, first) == MAY

"""Whose original a name stands for: a name in the archive is not the same name in the rejected folder."""

from __future__ import annotations

import pytest

from batchd.domain.records import JobState
from batchd.store.tables.retention import Folder

from .conftest import Opened, job

NAME = "reviews/may.csv"


async def old_originals(store: Opened, folder: Folder) -> list[str]:
    return [each.job for each in await store.retention.old(folder, before=100.0, most=10)]


@pytest.mark.parametrize(
    ("folder", "first", "later", "ended_at", "is_old"),
    [
        # The later job's original is in the other folder, or will be.
        ("archive", JobState.DONE, JobState.REJECTED, 200.0, True),
        ("archive", JobState.CANCELLED, JobState.REJECTING, None, True),
        ("rejected", JobState.REJECTED, JobState.DONE, 200.0, True),
        ("rejected", JobState.REJECTED, JobState.DELIVERING, None, True),
        # It has taken the name in the same folder, or will: also if it is stopped, or asked again.
        ("archive", JobState.DONE, JobState.CANCELLED, 200.0, False),
        ("archive", JobState.DONE, JobState.DELIVERING, None, False),
        ("archive", JobState.DONE, JobState.FAILED, None, False),
        ("archive", JobState.DONE, JobState.PLANNING, None, False),
        ("rejected", JobState.REJECTED, JobState.REJECTED, 200.0, False),
        ("rejected", JobState.REJECTED, JobState.REJECTING, None, False),
    ],
)
async def test_a_name_belongs_to_the_last_job_of_its_folder(
    store: Opened, folder: Folder, first: JobState, later: JobState, ended_at: float | None, is_old: bool
) -> None:
    await store.put(
        job(first, "first", archive_name=NAME, finished_at=50.0),
        job(later, "later", archive_name=NAME, finished_at=ended_at),
    )
    assert await old_originals(store, folder) == (["first"] if is_old else [])

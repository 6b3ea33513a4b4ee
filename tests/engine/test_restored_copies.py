"""A copy of the state folder of before is put back: what was delivered since keeps its names, and comes once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from batchd.store.spool import Spool
from batchd.testing.household import Household

from .conftest import MakeHousehold, csv_of, route
from .test_faults import order

pytestmark = pytest.mark.field("state")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def delivered_since_a_copy(household: Household, copy: Path, *, until: str) -> dict[str, bytes]:
    """The outbox after a whole job, whose state is then again what it was when this was said."""
    household.drop("reviews/may.csv", csv_of(["one", "two", "three", "four"]))
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(200):
            if any(event.kind == until for event in household.events):
                break
            await daemon.step()
    shutil.copytree(household.folder / "state", copy)
    async with household.living() as daemon:
        await daemon.drain()
    outbox = tree(household.folders.outbox)
    assert "reviews/may.report.json" in outbox
    shutil.rmtree(household.folder / "state")
    shutil.copytree(copy, household.folder / "state")
    return outbox


@pytest.mark.parametrize("until", ["JobAccepted", "BatchSubmitted", "BatchDownloaded", "JobDelivered"])
async def test_what_was_delivered_since_is_not_delivered_again(
    make_household: MakeHousehold, tmp_path: Path, until: str
) -> None:
    household = make_household(routes=(route(sinks=("csv", "jsonl"), review=2),))
    outbox = await delivered_since_a_copy(household, tmp_path / "copy", until=until)
    archive = tree(household.folders.archive)
    async with household.living() as daemon:
        await daemon.drain()
        [job] = await daemon.context.store.jobs.ids()
        assert (await daemon.context.store.jobs.get(job)).state == "done"
        assert (tree(household.folders.outbox), tree(household.folders.archive)) == (outbox, archive)
        # A file of the same name, and a retry, are new work and get names of their own.
        household.drop("reviews/may.csv", csv_of(["five"]))
        await daemon.work()
    now = tree(household.folders.outbox)
    assert outbox.items() <= now.items()
    assert "reviews/may (2).report.json" in now


async def test_a_retry_after_that_is_delivered(make_household: MakeHousehold, tmp_path: Path) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(["one", "unaskable"]))
    async with household.at_rest() as daemon:
        [job] = await daemon.context.store.jobs.ids()
        before = tree(household.folders.outbox)
        await order(daemon, "retry", job)
        await daemon.drain()
    assert before.items() < tree(household.folders.outbox).items()
    assert Spool(household.folder / "state").name(job).read_bytes() == b"reviews/may.csv"

"""The original of a job that was retried is removed as any other."""

from __future__ import annotations

from batchd.app.retaining import remove_old_files
from batchd.app.stopping import Stopping

from ..engine.conftest import MakeHousehold, csv_of, make_household
from ..engine.test_faults import order
from .test_retaining import ALL, DAY, files

__all__ = ["make_household"]


async def test_the_original_of_a_job_that_was_retried_goes(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(["one", "unaskable"]))
    async with household.at_rest() as daemon:
        [job] = await daemon.context.store.jobs.ids()
        await order(daemon, "retry", job)
        await daemon.drain()
        assert files(household.folders.archive) == {"reviews/may.csv"}
        household.clock.advance(31 * DAY)
        daemon.reconfigure(retention=ALL)
        await remove_old_files(daemon.context, daemon.engine.conditions, Stopping(household.clock))
    assert files(household.folders.archive) == set()

"""A file in the rejected folder keeps no original of its name in the archive."""

from __future__ import annotations

from batchd.app.retaining import remove_old_files
from batchd.app.stopping import Stopping

from ..engine.conftest import MakeHousehold, make_household
from .test_retaining import ALL, DAY, ended, files

__all__ = ["make_household"]


async def test_a_broken_file_that_comes_later_keeps_no_original_in_the_archive(make_household: MakeHousehold) -> None:
    household = make_household()
    archive, rejected = household.folders.archive, household.folders.rejected
    async with household.living() as daemon:
        await ended(household, daemon, "reviews/good.csv")
        household.clock.advance(20 * DAY)
        household.drop("reviews/good.csv", "")
        await daemon.take_in()
        await daemon.drain()
        assert files(rejected) == {"reviews/good.csv", "reviews/good.csv.why.txt"}
        household.clock.advance(11 * DAY)
        daemon.reconfigure(retention=ALL)
        await remove_old_files(daemon.context, daemon.engine.conditions, Stopping(household.clock))
    assert files(archive) == set()
    assert files(rejected) == {"reviews/good.csv", "reviews/good.csv.why.txt"}

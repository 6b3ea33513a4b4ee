"""What a look has in memory is what is stored, however it came there."""

from __future__ import annotations

import pytest

from batchd.engine.looks.in_work import MANY, VIEWS_AT_A_TIME, InWork
from batchd.store.database import Database
from batchd.store.store import Store
from batchd.testing.household import Living

from .conftest import MakeHousehold, csv_of, route


async def all_of(in_work: InWork) -> object:
    """Everything that a look takes from it."""
    views = await in_work.views(resting=(), only=None)
    waiting = {key: list(line.places) for key, line in in_work.waiting(None).items()}
    return in_work.batches, views, waiting, in_work.has_jobs(but=()), in_work.held


async def fresh(daemon: Living) -> object:
    """The same, read anew from the file by another connection."""
    database = await Database.open(daemon.context.spool.database, now=daemon.context.clock.now)
    try:
        in_work = InWork(Store(database))
        await in_work.refresh()
        return await all_of(in_work)
    finally:
        await database.close()


@pytest.mark.slow
@pytest.mark.parametrize("many", [0, MANY])
async def test_it_is_up_to_date_after_each_step(make_household: MakeHousehold, many: int) -> None:
    household = make_household(routes=(route(part_rows=2),))
    for name, rows in (("one", ["a", "b", "c"]), ("two", ["unaskable"]), ("one again", ["a", "b", "c"])):
        household.drop(f"reviews/{name}.csv", csv_of(rows))
    async with household.living() as daemon:
        await daemon.take_in()
        in_work = daemon.engine.in_work
        in_work.many = many
        steps = 0
        while await daemon.step() is not None:
            steps += 1
            await in_work.refresh()
            assert await all_of(in_work) == await fresh(daemon), f"after step {steps}"
    assert steps > 20


async def test_so_many_of_a_state_are_looked_at_the_oldest_first(make_household: MakeHousehold) -> None:
    household = make_household()
    for number in range(VIEWS_AT_A_TIME + 6):
        household.drop(f"reviews/{number:03}.csv", csv_of([f"review {number}"]))
    async with household.living() as daemon:
        await daemon.take_in()
        in_work = InWork(daemon.context.store)
        await in_work.refresh()
        views = await in_work.views(resting=(), only=None)
        assert len(views) == VIEWS_AT_A_TIME
        # Those that rest make room for the next in the line.
        resting = {view.job.id for view in views[:4]}
        others = await in_work.views(resting=resting, only=None)
        assert [view.job.id for view in others[:-4]] == [view.job.id for view in views[4:]]
        [only] = await in_work.views(resting=(), only={views[1].job.id})
        assert only == views[1]

"""Rows are counted before they are delivered: what does not add up is said loudly, and nothing of it goes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batchd.domain.lifecycle import Close, Collect, Deliver
from batchd.domain.records import JobState
from batchd.engine.context import Context
from batchd.testing.household import Living

from ..engine.conftest import MakeHousehold, csv_of
from ..engine.conftest import make_household as make_household
from ..engine.test_faults import order

pytestmark = pytest.mark.slow

NINE = [f"review {number}" for number in range(9)]


async def database(context: Context, query: str) -> None:
    """Somebody, or a fault of ours, changes the database."""

    def change(tx: object) -> None:
        tx.connection.execute(query)  # type: ignore[attr-defined]

    await context.store.database.write(change)


async def a_part_is_lost(context: Context, job: str) -> None:
    await database(context, f"DELETE FROM parts WHERE job = '{job}' AND first = 3")


async def a_part_is_doubled(context: Context, job: str) -> None:
    columns = 'rows, "offset", length, state, attempt, results, ok, failed'
    query = f"INSERT INTO parts (job, first, {columns}) SELECT job, 100, {columns} FROM parts WHERE job = '{job}'"
    await database(context, f"{query} AND first = 3")


async def an_outcome_is_not_counted(context: Context, job: str) -> None:
    await database(context, f"UPDATE parts SET ok = ok - 1 WHERE job = '{job}' AND first = 0")


async def more_outcomes_than_rows(context: Context, job: str) -> None:
    await database(context, f"UPDATE parts SET failed = failed + 1 WHERE job = '{job}' AND first = 0")


async def the_count_of_the_file_is_changed(context: Context, job: str) -> None:
    await database(context, f"UPDATE jobs SET rows = 10 WHERE id = '{job}'")


def of_the_spool(change: Callable[[Path], None], *, name: str) -> Callable[[Context, str], object]:
    """A change of one file of the job in the spool, and of what was made of it already."""

    async def tamper(context: Context, job: str) -> None:
        folder = context.spool.job(job)
        [path] = [path for path in folder.rglob("*") if path.name.startswith(name)]
        change(path)
        context.pieces.clear()  # as after a restart

    return tamper


def drop_last_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))


def double_last_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[-1]]))


COUNTED = [
    a_part_is_lost,
    a_part_is_doubled,
    an_outcome_is_not_counted,
    more_outcomes_than_rows,
    the_count_of_the_file_is_changed,
]
SPOOLED = {
    "an outcome is missing": of_the_spool(drop_last_line, name="3.results"),
    "an outcome is there twice": of_the_spool(double_last_line, name="3.results"),
    "a row is missing": of_the_spool(drop_last_line, name="rows.jsonl"),
}


async def until(daemon: Living, kind: type[object], times: int = 1) -> None:
    """Work up to and with so many actions of a kind."""
    while times:
        action = await daemon.step()
        assert action is not None
        times -= isinstance(action, kind)


async def stands_still(daemon: Living, job: str) -> str:
    """Everything that can be done is done; the job stands still, and nothing has gone out. Why it says it does."""
    await daemon.drain()
    found = await daemon.context.store.jobs.get(job)
    assert (found.state, found.reason_code) == (JobState.FAILED, "rows_do_not_add_up")
    household = daemon.household
    assert household.outbox() == {}
    assert not list(household.folders.archive.rglob("*.csv"))
    assert daemon.context.spool.source(job).read_text() == csv_of(NINE)
    told = [event for event in household.events if event.kind == "JobFailed"]
    assert len(told) == 1
    assert told[0].severity == "error"
    assert "Nothing is delivered" in told[0].sentence
    assert f"batchd retry {job}" in told[0].sentence
    return str(found.reason)


@pytest.mark.parametrize("tamper", COUNTED)
async def test_numbers_that_do_not_add_up(
    make_household: MakeHousehold, tamper: Callable[[Context, str], object]
) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, Collect, 3)
        [job] = await daemon.context.store.jobs.ids()
        await tamper(daemon.context, job)  # type: ignore[misc]
        reason = await stands_still(daemon, job)
    assert "came in with" in reason


@pytest.mark.parametrize("tamper", SPOOLED.values(), ids=SPOOLED)
async def test_files_that_do_not_add_up(
    make_household: MakeHousehold, tamper: Callable[[Context, str], object]
) -> None:
    """The numbers in the database are right; what would go out is not."""
    household = make_household()
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, Close)
        [job] = await daemon.context.store.jobs.ids()
        await tamper(daemon.context, job)  # type: ignore[misc]
        await stands_still(daemon, job)


async def test_once_it_is_mended_it_goes_on(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, Collect, 3)
        [job] = await daemon.context.store.jobs.ids()
        await an_outcome_is_not_counted(daemon.context, job)
        await stands_still(daemon, job)
        await database(daemon.context, f"UPDATE parts SET ok = ok + 1 WHERE job = '{job}' AND first = 0")
        await order(daemon, "retry", job)
        await daemon.drain()
    assert household.report("reviews/may.report.json")["rows"] == {
        "total": 9,
        "ok": 9,
        "failed": 0,
        "skipped": 0,
        "reused": 0,
    }
    assert household.service.executed.total() == 9


@pytest.mark.parametrize("damage", ["removed", "cut"])
async def test_a_piece_of_the_output_that_is_damaged_is_made_again(make_household: MakeHousehold, damage: str) -> None:
    """Pieces are made ahead, and put together later; they are not trusted to be still what they were."""
    undisturbed = make_household()
    undisturbed.drop("reviews/may.csv", csv_of(NINE))
    async with undisturbed.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    household = make_household()
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await until(daemon, Close)
        [job] = await daemon.context.store.jobs.ids()
        pieces = list(daemon.context.spool.pieces(job))
        assert pieces
        if damage == "removed":
            pieces[0].unlink()
        else:
            pieces[0].write_bytes(pieces[0].read_bytes()[:-20])
        await until(daemon, Deliver)
        await daemon.drain()
    results = "reviews/may.results.csv"
    assert household.outbox()[results] == undisturbed.outbox()[results]

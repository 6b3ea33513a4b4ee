"""What keeps us waiting is said where people look, also when the place where it is noted is what is in trouble."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from batchd.domain.subjects import DISK, INBOX, Subject, SubjectKind
from batchd.errors import FileRefused
from batchd.testing.fakes import InlineExecutor
from batchd.testing.household import Living
from batchd.work.reading.read import ReadTask

from .conftest import MakeHousehold, csv_of
from .test_faults import order, statuses

if TYPE_CHECKING:
    import pytest


async def pragma(daemon: Living, statement: str) -> Any:
    """Ask SQLite for something."""
    connection = daemon.context.store.database.connection
    return list(await connection.execute_fetchall(f"PRAGMA {statement}"))


async def fill(daemon: Living) -> None:
    """Let the database find no room for one page more."""
    [[pages]] = await pragma(daemon, "page_count")
    await pragma(daemon, f"max_page_count={pages}")


async def test_a_condition_that_finds_no_room_in_the_database_is_logged_once_and_noted_later(
    make_household: MakeHousehold, caplog: pytest.LogCaptureFixture
) -> None:
    household = make_household()
    async with household.living() as daemon:
        conditions, text = daemon.engine.conditions, "It is full. " * 1_000
        await fill(daemon)
        for _ in range(3):
            await conditions.say(DISK, text)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "cannot be noted in the database: database or disk is full" in caplog.text
        await pragma(daemon, "max_page_count=1000000")
        await conditions.say(DISK, text)
        assert await daemon.context.store.event_log.conditions() == {DISK: text}
        await conditions.all_well(DISK)
        assert await daemon.context.store.event_log.conditions() == {}


async def test_what_cannot_be_cleared_now_goes_with_the_next(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        conditions = daemon.engine.conditions
        await conditions.say(Subject.job("one"), "It waits.")
        await pragma(daemon, "query_only=1")
        await conditions.all_well(Subject.job("one"))
        await pragma(daemon, "query_only=0")
        assert await daemon.context.store.event_log.conditions() == {Subject.job("one"): "It waits."}
        await conditions.all_well(Subject.job("two"))
        assert await daemon.context.store.event_log.conditions() == {}


async def test_a_condition_of_an_earlier_life_is_cleared(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        await daemon.engine.conditions.say(INBOX, "It is not there.")
    async with household.living() as daemon:
        await daemon.engine.conditions.all_well(INBOX)
        assert await daemon.context.store.event_log.conditions() == {}


async def test_the_log_of_each_life_tells_once_what_keeps_it_waiting(
    make_household: MakeHousehold, caplog: pytest.LogCaptureFixture
) -> None:
    household = make_household()
    async with household.living() as daemon:
        await daemon.engine.conditions.say(Subject.provider("fake"), "The key is refused.", cause="rejected")
    caplog.clear()
    async with household.living() as daemon:
        for _ in range(3):
            await daemon.engine.conditions.say(Subject.provider("fake"), "The key is refused.", cause="rejected")
        [record] = caplog.records
        assert (record.levelname, record.getMessage()) == ("WARNING", "provider fake: The key is refused.")


async def test_a_key_that_is_refused_after_an_outage_is_told_of_in_the_log(
    make_household: MakeHousehold, caplog: pytest.LogCaptureFixture
) -> None:
    household = make_household()
    async with household.living() as daemon:
        conditions = daemon.engine.conditions
        await conditions.say(Subject.provider("fake"), "It cannot be reached.", cause="passing")
        await conditions.say(Subject.provider("fake"), "It answers with status 503.", cause="passing")
        caplog.clear()
        await conditions.say(Subject.provider("fake"), "The key is refused.", cause="rejected")
        await conditions.say(Subject.provider("fake"), "It cannot be reached.", cause="passing")
        assert [record.getMessage() for record in caplog.records] == ["provider fake: The key is refused."]


class Full(InlineExecutor):
    """Has no room while `full`."""

    full = False

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device", "/spool/0.results.2.jsonl")
        return await super().run(function, task)


async def test_an_order_that_finds_no_room_is_said_and_carried_out_later_and_stops_nothing_else(
    make_household: MakeHousehold,
) -> None:
    household = make_household()
    household.executor = executor = Full()
    household.drop("reviews/may.csv", csv_of(["unaskable", "two"]))
    async with household.at_rest() as daemon:
        [job] = await daemon.context.store.jobs.ids()
        await order(daemon, "retry", job)
        executor.full = True
        outlook = await daemon.engine.look()
        assert outlook.again_at is not None
        [(subject, text)] = (await daemon.context.store.event_log.conditions()).items()
        assert subject.kind is SubjectKind.ORDER
        assert text.startswith("No space left on device (/spool/0.results.2.jsonl). Make room on its disk.")
        for _ in range(10):
            await daemon.engine.look()
        assert daemon.engine.retry_clock.failures(subject) == 1, "it is not tried at every look"
        executor.full = False
        await daemon.drain()
        assert await daemon.context.store.event_log.conditions() == {}
    assert statuses(household, "reviews/may (2).results.csv") == ["failed", "ok"]


async def test_no_file_is_rejected_for_a_worker_that_lacks_a_reader(make_household: MakeHousehold) -> None:
    class Forgetful(InlineExecutor):
        tries = 0

        async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
            if isinstance(task, ReadTask):
                self.tries += 1
                if self.tries <= 4:
                    raise FileRefused("suffix", "Its name ends in .csv, and batchd does not know how to read that.")
            return await super().run(function, task)

    household = make_household()
    household.executor = executor = Forgetful()
    household.drop("reviews/may.csv", csv_of(["one"]))
    household.drop("reviews/may.odd", "no reader takes this")
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(50):
            if executor.tries < 4:
                await daemon.step()
        assert executor.tries == 4, "the file was given up"
        [text] = (await daemon.context.store.event_log.conditions()).values()
        assert text.startswith(
            "A worker process does not find the reader for .csv files, though batchd itself has one."
        )
        await daemon.drain()
        assert await daemon.context.store.event_log.conditions() == {}
    assert statuses(household) == ["ok"]
    assert [path.name for path in (household.folders.rejected / "reviews").iterdir()] == ["may.odd", "may.odd.why.txt"]

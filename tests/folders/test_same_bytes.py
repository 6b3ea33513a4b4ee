"""The same bytes under many names, across kills: paid once, delivered every time."""

from __future__ import annotations

import os
import signal

import pytest

from ..engine.conftest import MakeHousehold, csv_of
from ..engine.conftest import make_household as make_household
from ..engine.test_faults import order
from .conftest import Shared, rows_of, size, until

pytestmark = pytest.mark.slow

ROWS = 7
TEXT = "\n".join(rows_of("same", ROWS)) + "\n"


def test_fifty_names_across_restarts_are_paid_once(shared: Shared) -> None:
    number, lives = 50, size(2, 10)
    daemon = shared.start()
    for each in range(number):
        shared.drop(f"reviews/copy{each:02d}.csv", TEXT)
        if each % (number // lives) == 7:
            # In the middle of whatever it is at.
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
            daemon = shared.start()
    until(lambda: len(shared.reports()) == number, "all are delivered")
    shared.stop(daemon)
    ledger = shared.ledger()
    assert ledger["requests_executed"] == ROWS
    assert ledger["executed_twice"] == []
    reports = shared.reports().values()
    [first] = {report["redelivered_from"] for report in reports} - {None}
    paid = [report for report in reports if report["redelivered_from"] is None]
    assert [report["job"] for report in paid] == [first]
    receipts = [report for report in reports if report["redelivered_from"] == first]
    assert len(receipts) == number - 1
    assert {report["rows"]["reused"] for report in receipts} == {ROWS}
    assert {report["tokens"]["output"] for report in receipts} == {0}
    outbox = shared.folder / "outbox" / "reviews"
    assert len({path.read_bytes() for path in outbox.glob("*.results.csv")}) == 1


def test_rejected_or_processed_if_the_operator_wants_it_so(shared: Shared) -> None:
    shared.configure(duplicates='"reject"')
    daemon = shared.start()
    shared.drop("reviews/first.csv", TEXT)
    until(lambda: "first" in shared.reports(), "the first is through")
    for each in range(3):
        shared.drop(f"reviews/copy{each}.csv", TEXT)
    rejected = shared.folder / "rejected" / "reviews"
    # The reason comes first, then the file.
    until(lambda: len(list(rejected.glob("copy?.csv"))) == 3, "the others come back")
    why = (rejected / "copy0.csv.why.txt").read_text()
    assert "reviews/first.csv" in why
    assert "reviews/first.results" in why
    assert (rejected / "copy0.csv").read_text() == TEXT
    assert shared.ledger()["requests_executed"] == ROWS
    shared.stop(daemon)
    shared.configure(duplicates='"process"')
    daemon = shared.start()
    shared.drop("reviews/again.csv", TEXT)
    until(lambda: "again" in shared.reports(), "it is asked about anew")
    assert shared.reports()["again"]["redelivered_from"] is None
    assert shared.ledger()["requests_executed"] == 2 * ROWS
    shared.stop(daemon)


async def test_when_the_first_comes_to_nothing_one_of_the_others_is_asked(make_household: MakeHousehold) -> None:
    household = make_household()
    nine = csv_of([f"review {number}" for number in range(9)])
    async with household.living() as daemon:
        for name in ("first", *(f"copy{number}" for number in range(6))):
            household.drop(f"reviews/{name}.csv", nine)
            await daemon.take_in()
            for _ in range(2):  # taken and read, in the order in which they came
                await daemon.step()
        first, *_ = sorted(await daemon.context.store.jobs.ids())
        await order(daemon, "cancel", first)
        await daemon.drain()
    reports = [household.report(f"reviews/copy{number}.report.json") for number in range(6)]
    assert [report["rows"]["ok"] for report in reports] == [9] * 6
    assert household.service.executed.total() == 9, "more than one of them was paid for"
    assert [report["redelivered_from"] for report in reports] == [None, *[reports[0]["job"]] * 5]

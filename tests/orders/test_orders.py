"""What people order: as values, as it is stored, and what comes of it where no daemon answers."""

from __future__ import annotations

import os
import pwd
import time
from decimal import Decimal
from pathlib import Path

import pytest

from batchd.errors import StateUnusable
from batchd.orders.leaving import Sender, leave_orders
from batchd.orders.values import Approve, Cancel, Order, Resolve, Retry, amount, from_stored
from batchd.store.database import Database
from batchd.store.spool import Spool
from batchd.store.tables.event_log import EventLog
from batchd.store.tables.orders import Door, answer_to
from batchd.testing.empty_database import put_empty_database

SENDER = Sender("ann", Door.COMMAND_LINE)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with an empty database."""
    put_empty_database(Spool(tmp_path).database)
    return tmp_path


@pytest.mark.parametrize(
    "order",
    [Approve("job"), Approve("job", "12.50"), Cancel("job"), Retry("job"), Resolve("key", "b-1"), Resolve("key", None)],
)
def test_each_is_read_as_it_was_stored(order: Order) -> None:
    assert from_stored(order.kind, order.target, order.data()) == order


def test_one_of_a_newer_batchd_is_not_known() -> None:
    assert from_stored("skip", "job", {}) is None


@pytest.mark.parametrize(
    "text", ["", "much", "-1", "inf", "nan", "1e30", "1e18", "1234567890123456789", "9999999999999999999.5"]
)
def test_what_is_no_amount_of_money(text: str) -> None:
    with pytest.raises(ValueError, match="Write an amount of money such as 12.50."):
        amount(text)


@pytest.mark.parametrize("text", ["0", "12.50", "123456789012345678", "999999999999999999.99", "0.0000001"])
def test_an_amount_has_up_to_18_digits_before_the_point(text: str) -> None:
    assert Decimal(amount(text)) == Decimal(text)


async def test_who_gave_it_how_and_when_is_kept(state: Path) -> None:
    before = time.time()
    leave_orders(state, [Retry("one"), Resolve("two", "b-1")], SENDER)
    database = await Database.open(Spool(state).database, now=time.time)
    one, two = await EventLog(database).orders()
    await database.close()
    assert (one.kind, one.target, one.who, one.door) == ("retry", "one", "ann", "command line")
    assert before <= one.at <= two.at <= time.time()
    assert from_stored(two.kind, two.target, two.data) == Resolve("two", "b-1")


def test_on_the_command_line_it_is_the_user_of_the_process() -> None:
    assert Sender.on_the_command_line() == Sender(pwd.getpwuid(os.geteuid()).pw_name, Door.COMMAND_LINE)


async def test_without_a_daemon_nobody_waits(state: Path) -> None:
    began = time.monotonic()
    [outcome] = leave_orders(state, [Cancel("one")], SENDER, answer_within=60.0)
    assert time.monotonic() - began < 30
    assert (outcome.answered, outcome.refused) == (False, False)
    assert outcome.text.startswith("No daemon is running. It will cancel job one when it is started")


async def test_a_daemon_that_does_not_answer_in_time(state: Path) -> None:
    with Spool(state).locked():
        outcomes = leave_orders(state, [Cancel("one"), Resolve("two", None)], SENDER, answer_within=0.0)
    assert [outcome.text for outcome in outcomes] == [
        "The daemon has not answered within 0 s. It will cancel job one as soon as it can.",
        "The daemon has not answered within 0 s. It will resolve batch two as soon as it can.",
    ]


async def test_an_answer_is_given_once_it_is_there(state: Path) -> None:
    leave_orders(state, [Cancel("one"), Retry("one")], SENDER)
    assert answer_to(state, 1) is None
    database = await Database.open(Spool(state).database, now=time.time)
    first, second = await EventLog(database).orders()
    await EventLog(database).answer(first, "It is cancelled.")
    await EventLog(database).answer(second, "There is nothing to retry.", refused=True)
    await database.close()
    answers = [answer_to(state, number) for number in (1, 2)]
    assert [(each.text, each.refused) for each in answers if each is not None] == [
        ("It is cancelled.", False),
        ("There is nothing to retry.", True),
    ]


def test_without_a_database_there_is_nothing_to_order(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="There is no database"):
        leave_orders(tmp_path / "state", [Cancel("one")], SENDER)
    assert not (tmp_path / "state").exists()

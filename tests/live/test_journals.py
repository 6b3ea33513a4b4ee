"""What a power cut leaves in a journal: lines that cannot be read, with lines after them that can."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections import Counter
from pathlib import Path

import pytest

from batchd import Failure, LiveAnswer
from batchd.live.journal import JournalState, copy_outcomes, create, line_of, outcomes, read
from batchd.live.lanes import LiveTerms
from batchd.testing.household import Household

from ..engine.conftest import MakeHousehold, csv_of, route
from .conftest import LiveService, said
from .test_live_calls import NINE, house, rows

HEAD = {"model": "small", "endpoint": "/v1/chat/completions", "requests": 4}
GARBAGE = [
    b"\0\0\0\n",
    b"?\xff\xfe\n",
    b"-\xff\n",
    b"~\xff\n",
    b"~small123-2\0\0\n",
    b"?\n",
    b"!\0\0\n",
    b'!{"model":"other","endpoint":"/v1/other","requests":1}\n',
    b'{"custom_id":"\xff","response":null}\n',
    b'{"custom_id":"small123-2","resp\0\0\0\n',
    b'{"custom_id":"small123-2","response":{"status_code":200,"body":{"choices":[\0\0\0\n',
    b'{"custom_id":"small123-2","response":{"status_code":200,"body":{"choices":[0123-9","response":null}\n',
]


def line(row: int, answer: LiveAnswer) -> bytes:
    """The outcome of a row."""
    return line_of(f"small123-{row}", answer, 1.0)


def journal(path: Path, *lines: bytes) -> JournalState:
    """What a journal with these lines says."""
    create(path, HEAD)
    with path.open("ab") as file:
        file.writelines(lines)
    past = read(path)
    assert past is not None
    return past


@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_follows_an_unreadable_line_counts(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "journal"
    answered, failed = line(0, said()), line(1, LiveAnswer(failure=Failure("refused", "No.")))
    before = (b"?small123-0\n", b"?small123-1\n", b"?small123-2\n", answered)
    after = (failed, b"?small123-3\n", b"-small123-3\n", b"?small123-3\n", b"!cancel\n")
    past = journal(path, *before, garbage, *after)
    assert past.head == HEAD
    assert (past.answered, past.failed) == ({"small123-0", "small123-1"}, 1)
    assert past.open == {"small123-2", "small123-3"}
    assert (past.unsure, dict(past.over), past.cancelled) == (set(), {"small123-3": 1}, True)
    assert (past.size, past.unreadable) == (path.stat().st_size, 1)
    assert list(outcomes(path)) == [answered, failed]
    copy = io.BytesIO()
    copy_outcomes(path, copy)
    assert copy.getvalue() == answered + failed


@pytest.mark.parametrize("first", [b"!\0\0\n", b"!\xff\n", b'!["small"]\n', b"!7\n", b'!{"model":"\xff"}\n', b"\0\0\n"])
def test_a_journal_without_its_first_line_is_begun_anew(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(first)
    assert read(path) is None
    assert journal(path).head == HEAD


def test_an_answer_of_too_many_levels_to_read_counts(tmp_path: Path) -> None:
    levels = 100_000
    deep = line(0, LiveAnswer(200, b"{}")).replace(b"{}", b"[" * levels + b"]" * levels)
    past = journal(tmp_path / "journal", deep)
    assert (past.answered, past.unreadable) == ({"small123-0"}, 0)


@pytest.mark.slow
async def test_after_a_power_cut_each_call_that_may_be_paid_is_told(
    make_household: MakeHousehold, caplog: pytest.LogCaptureFixture
) -> None:
    def power_cut(household: Household) -> None:
        [path] = household.folder.glob("state/batches/*/journal.jsonl")
        lines = path.read_bytes().splitlines(keepends=True)
        begun = [number for number, each in enumerate(lines) if each.startswith(b"?")]
        came = [number for number, each in enumerate(lines) if each.startswith(b"{")]
        # The note on the first row's call, and the second row's answer.
        lines[begun[0]], lines[came[1]] = b"?\xff\xfe\n", b"{\0\0\0\n"
        path.write_bytes(b"".join(lines))
        answered = [json.loads(lines[number])["custom_id"] for number in came if number != came[1]]
        assert len(answered) == 4

    async def gate() -> None:
        if len(service.asked) > 5:
            await hold.wait()

    hold, service = asyncio.Event(), LiveService()
    service.gate = gate
    household = house(make_household, service, routes=(route(part_rows=9),), live=LiveTerms(at_once=1))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with asyncio.timeout(120), household.living() as daemon:
        await daemon.take_in()
        while len(service.asked) < 6:
            assert await daemon.step() is not None
    hold.set()
    power_cut(household)
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(120), household.living() as daemon:
            await daemon.drain()
    assert [row["answer"] for row in rows(household)] == [f"answer to {review}" for review in NINE]
    again = [NINE[1], NINE[5]]
    assert Counter(service.asked) == dict.fromkeys(NINE, 1) | dict.fromkeys(again, 2)
    [batch] = household.report("reviews/may.report.json")["batches"]
    assert batch["possibly_paid_twice"] == {"rows": 2, "examples": [2, 6]}
    assert "journal.jsonl cannot be read, as after a power cut: 2." in caplog.text

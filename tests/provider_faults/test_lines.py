"""Lines of answers as services write them: out of order, twice, not at all, for nobody, broken, or refusals."""

from __future__ import annotations

from collections import Counter

import pytest

from batchd.answers.meaning import outcome
from batchd.contracts import encode_result
from batchd.model import Response, Result

from ..cases import share
from .conftest import MakePair

pytestmark = [pytest.mark.slow, pytest.mark.field("answers")]

READ_AS_THEY_ARE = [
    "line:shuffled",
    "line:double:lines=5",
    "line:double:fraction=1",
    "line:unknown",
    "line:crlf",
    "line:separators:fraction=1",
    "line:nan:lines=5",
    "line:half-pair:lines=5",
]
SEPARATORS = str.maketrans("", "", "\u2028\u2029\u0085")


@pytest.mark.parametrize("fault", share(READ_AS_THEY_ARE))
async def test_lines_that_can_be_read_are_asked_for_once(make_pair: MakePair, fault: str) -> None:
    pair = await make_pair(fault)
    await pair.ask()
    ledger = await pair.all_well()
    assert ledger["create_calls"] == 1
    answers = [row["answer"] for row in pair.rows()]
    for number, answer in enumerate(answers):
        assert answer.startswith(f"You wrote: review {number}"), "the row's own answer, in the order of the file"
    [downloaded] = [event for event in pair.household.events if event.kind == "BatchDownloaded"]
    assert downloaded.data()["strays"] == ("unknown" in fault)
    assert all(("\u2028" in answer and "\u0085" in answer) is ("separators" in fault) for answer in answers)
    assert [answer.endswith("\ufffd") for answer in answers].count(True) == ("half-pair" in fault)


async def test_a_line_that_is_missing_is_asked_for_again(make_pair: MakePair) -> None:
    pair = await make_pair("line:missing:lines=5+9")
    await pair.ask()
    ledger = await pair.all_well()
    assert sum(batch["requests"] for batch in ledger["batches"]) == 9 + 2
    assert reasons_of(pair.household.events) == {"no_answer": 2}


async def test_a_line_that_nobody_can_read_is_asked_for_again_and_no_other(make_pair: MakePair) -> None:
    pair = await make_pair("line:not-json:lines=5")
    await pair.ask()
    assert pair.statuses() == ["ok"] * 9
    # It was billed and arrived as nonsense: the one case in which a row has to be paid a second time.
    [job] = {event.job for event in pair.household.events if event.job}
    ledger = await pair.paid(twice=[f"{job}-4"])
    assert ledger["requests_executed"] == 10
    assert reasons_of(pair.household.events) == {"unreadable_line": 1}


PASSING = {
    "line:408": "request_timeout",
    "line:409": "conflict",
    "line:425": "error",
    "line:429": "rate_limit_exceeded",
    "line:500": "server_error",
    "line:503": "server_error",
    "line:529": "error",
    "line:0": "http_0",
    "line:error": "server_error",
    "line:http-error-without-error-field:status=429": "rate_limit_exceeded",
}


async def test_a_row_whose_failure_may_pass_is_asked_again_whatever_its_status(make_pair: MakePair) -> None:
    faults = [
        f"{fault}{',' if fault.count(':') > 1 else ':'}lines={number}" for number, fault in enumerate(PASSING, start=1)
    ]
    pair = await make_pair(*faults)
    await pair.ask([f"review {number}" for number in range(12)])
    ledger = await pair.all_well(12)
    assert sum(batch["requests"] for batch in ledger["batches"]) == 12 + len(PASSING)
    assert reasons_of(pair.household.events) == Counter(PASSING.values())


LASTING = {
    "line:400": "invalid_request",
    "line:401": "invalid_api_key",
    "line:403": "permission_denied",
    "line:404": "invalid_request_error",
    "line:413": "error",
    "line:422": "error",
    "line:http-error-without-error-field": "invalid_request",
}


async def test_a_row_that_is_refused_for_good_fails_by_name_and_is_not_asked_again(make_pair: MakePair) -> None:
    pair = await make_pair(*(f"{fault}:lines={number}" for number, fault in enumerate(LASTING, start=1)))
    await pair.ask()
    ledger = await pair.paid()
    assert pair.statuses() == ["failed"] * 7 + ["ok"] * 2
    assert all(row["error"] for row in pair.rows()[:7])
    assert (ledger["create_calls"], ledger["requests_executed"]) == (1, 2)
    failures = pair.household.report("reviews/may.report.json")["failures"]
    assert {each["code"]: each["rows"] for each in failures} == Counter(LASTING.values())
    failed = pair.household.outbox()["reviews/may.failed.csv"].decode().splitlines()
    assert failed == ["id,review", *(f"{number},review {number}" for number in range(7))]


def reasons_of(events: list[object]) -> Counter[str]:
    """Why rows were asked again, with how many for each reason."""
    reasons: Counter[str] = Counter()
    for event in events:
        if type(event).__name__ == "RowsReturned":
            reasons.update(event.data()["reasons"])  # type: ignore[attr-defined]
    return reasons


def test_a_plugin_that_hands_over_half_a_pair_gets_its_answer_delivered() -> None:
    # Python's own json reads it, so a plugin of a few lines will come across one.
    body = {"choices": [{"message": {"content": "half \ud83d"}}]}
    [line] = encode_result(Result("j-1", Response(body))).splitlines()
    said = outcome(line)
    assert isinstance(said, Response)
    assert said.text == "half \ufffd"

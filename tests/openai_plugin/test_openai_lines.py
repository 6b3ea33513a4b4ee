"""One output line: which request it belongs to, and whether it is an answer, a refusal or neither."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchd import Failure, Response
from batchd_openai.lines import result_of

CHAT = {"choices": [{"message": {"content": "yes"}}]}


def outcome_of(**record: Any) -> Any:
    result = result_of(json.dumps({"custom_id": "j-1", **record}).encode())
    assert result is not None
    assert result.custom_id == "j-1"
    return result.outcome


@pytest.mark.parametrize(
    "body",
    [
        CHAT,
        {"output": [{"content": [{"text": "yes"}]}], "status": "completed"},
        {"data": [{"embedding": [0.1]}]},
        {"results": [{"flagged": False}]},
    ],
)
def test_answers_of_every_endpoint(body: dict[str, Any]) -> None:
    assert outcome_of(response={"status_code": 200, "body": body}, error=None) == Response(body, 200)


def test_a_missing_status_is_taken_from_the_body() -> None:
    assert outcome_of(response={"body": CHAT}) == Response(CHAT, 200)
    assert outcome_of(response={"body": {}}).transient


def test_an_answer_that_was_cut_is_an_answer() -> None:
    body = {"choices": [{"message": {"content": "ye"}, "finish_reason": "length"}]}
    assert isinstance(outcome_of(response={"status_code": 200, "body": body}), Response)


@pytest.mark.parametrize(
    ("record", "code", "transient"),
    [
        # The error of an HTTP failure is in the body, and `error` beside it is null.
        (
            {"response": {"status_code": 400, "body": {"error": {"code": "context_length_exceeded"}}}, "error": None},
            "context_length_exceeded",
            False,
        ),
        ({"response": {"status_code": 404, "body": None}, "error": "no such model"}, "http_404", False),
        ({"response": {"status_code": 429, "body": {"error": {"type": "rate_limit"}}}}, "rate_limit", True),
        ({"response": {"status_code": 500, "body": {}}}, "http_500", True),
        ({"response": {"status_code": 408, "body": {}}}, "http_408", True),
        # Seen in error files of batches whose counts said "0 failed".
        ({"response": {"status_code": 0, "request_id": "", "body": {}}, "error": None}, "http_0", True),
        ({"response": {"status_code": 200, "body": {"choices": []}}}, "empty_answer", True),
        ({"response": {"status_code": 200, "body": {"error": {"code": "overloaded"}}}}, "overloaded", True),
        ({"response": {"status_code": 200, "body": "text"}}, "empty_answer", True),
        ({"response": None, "error": {"code": "batch_expired", "message": "Late."}}, "batch_expired", True),
        ({"response": None, "error": {"code": None, "message": "You can retry."}}, "no_answer", True),
        ({"response": None, "error": None}, "no_answer", True),
        ({}, "no_answer", True),
    ],
)
def test_failures_and_whether_a_retry_may_help(record: dict[str, Any], code: str, transient: bool) -> None:
    outcome = outcome_of(**record)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.transient) == (code, transient)
    assert outcome.message


@pytest.mark.parametrize(
    "line", [b"", b"null", b"[]", b'{"custom_id": 5}', b'{"response": {}}', b'{"custom_id": "j-1"', b"\xff\xfe{}"]
)
def test_a_line_without_a_custom_id_is_skipped(line: bytes) -> None:
    assert result_of(line) is None

"""Which lines of a batch's output are refusals, by the same reading that decides what is an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchd.sending.whose_fault import ServiceRefusal
from batchd.work.collecting.collect import refusal_of

pytestmark = pytest.mark.field("account refusals")

ERROR = {"error": {"code": "insufficient_quota", "message": "Used up.", "param": "model"}}
QUOTA = ServiceRefusal("insufficient_quota", "Used up.", 429, "model")


def line(**record: Any) -> bytes:
    return json.dumps({"custom_id": "a-1", **record}).encode()


@pytest.mark.parametrize(
    ("refused", "refusal"),
    [
        (line(response={"status_code": 429, "body": ERROR}), QUOTA),
        # As gateways write them: the status as text or with a fraction, the body or the whole response as a text of JSON.
        (line(response={"status_code": "429", "body": ERROR}), QUOTA),
        (line(response={"status_code": 429.0, "body": ERROR}), QUOTA),
        (line(response={"status_code": 429, "body": json.dumps(ERROR)}), QUOTA),
        (line(response=json.dumps({"status_code": 429, "body": ERROR})), QUOTA),
        (line(response={"status_code": 500, "body": "oh"}), ServiceRefusal("http_500", "oh", 500)),
        (line(response={"status_code": 402, "body": {"msg": "No credit."}}), ServiceRefusal("http_402", "No credit.", 402)),
        (line(response=None, error={"code": "batch_expired", "message": "late"}), ServiceRefusal("batch_expired", "late")),
        # The status of a success is a lie, and what is said counts.
        (line(response={"status_code": 200, "body": {"code": 1113, "msg": "欠费"}}), ServiceRefusal("1113", "欠费")),
        (
            line(response={"status_code": 200, "body": {"error": "The model x does not exist"}}),
            ServiceRefusal("http_200", "The model x does not exist", 400),
        ),
        # What is no refusal: answers, successes without one, and what cannot be read.
        (line(response={"status_code": 200, "body": {"choices": [{"message": {"content": "hi"}}]}}), None),
        (line(response={"status_code": 201, "body": {"choices": []}}), None),
        (line(response=None, error=None), None),
        (b"not json", None),
        (b"[]", None),
    ],
)  # fmt: skip
def test_a_refusal_is_known_in_each_form(refused: bytes, refusal: ServiceRefusal | None) -> None:
    assert refusal_of(refused) == refusal

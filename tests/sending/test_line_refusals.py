"""Lines that a service refused in a batch that has ended: whose fault, and what is to be changed."""

from __future__ import annotations

from typing import Any

import pytest

from batchd.domain.routing import PluginSpec, Route
from batchd.sending.line_refusals import (
    MAX_REST,
    SYSTEM_ROLE,
    LineRefusals,
    LineVerdict,
    RouteRefused,
    rest_after,
    what_to_change,
)
from batchd.sending.whose_fault import MONEY, ServiceRefusal

KEYS = ("max_tokens", "temperature", "response_format", "messages", "model")


def line(status: int | None, code: str | None, message: str, param: str | None = None) -> ServiceRefusal:
    return ServiceRefusal(code or "invalid_request_error", message, status, param)


def answer() -> None:
    return None


def judged(*lines: ServiceRefusal | None, proven: bool = False, batch_answered: bool = False) -> LineVerdict:
    refusals = LineRefusals()
    for row, each in enumerate(lines):
        refusals.add(row, [each])
    return refusals.judge(body_keys=KEYS, proven=proven, batch_answered=batch_answered)


@pytest.mark.field("account refusals")
def test_rows_that_meet_an_empty_account_are_held_and_others_are_not() -> None:
    empty = line(429, "insufficient_quota", "You exceeded your current quota, check your plan and billing.")
    verdict = judged(empty, answer(), empty)
    assert verdict.held == {0, 2}
    assert verdict.account is not None
    assert verdict.account.advice == MONEY
    assert verdict.route is None
    assert judged(empty, empty, empty).held == {0, 1, 2}


@pytest.mark.field("account refusals")
def test_what_one_row_may_not_ask_is_its_own_fault_where_others_were_answered() -> None:
    forbidden = line(403, "permission_denied", "Not for you.")
    assert judged(forbidden, answer()).held == frozenset()
    assert judged(forbidden, forbidden).held == {0, 1}


@pytest.mark.field("account refusals")
@pytest.mark.parametrize("status", [429, 500, 503, 529, 408])
def test_rows_that_meet_a_fault_of_the_service_are_given_time(status: int) -> None:
    assert judged(line(status, None, "Busy."), answer()).rest
    assert not judged(line(400, None, "No."), answer()).rest


def test_the_rest_grows_up_to_an_hour() -> None:
    rests = [rest_after(attempt) for attempt in range(1, 12)]
    assert rests == sorted(rests)
    assert rests[:3] == [15, 45, 135]
    assert rests[-1] == MAX_REST == 3_600


@pytest.mark.field("route refusals")
@pytest.mark.parametrize(
    ("refused", "key"),
    [
        (
            line(400, "unsupported_parameter", "'max_tokens' is not supported with this model.", "max_tokens"),
            "max_tokens",
        ),
        (line(400, "unsupported_value", "'temperature' does not support 0.", "temperature"), "temperature"),
        (line(400, None, "Unsupported parameter: temperature"), "temperature"),
        (line(422, "unknown", "body.max_tokens: extra fields not permitted", "body.max_tokens"), "max_tokens"),
        (line(400, "invalid_request_error", "This response_format type is not available."), "response_format"),
        (
            line(400, "invalid", "Invalid schema for response_format 'answer'.", "response_format.json_schema"),
            "response_format",
        ),
        (line(400, "unsupported_value", "messages[0].role does not support system.", "messages[0].role"), SYSTEM_ROLE),
        (line(400, None, "Role 'system' is not allowed for this model"), SYSTEM_ROLE),
        (line(400, None, "System messages are not supported."), SYSTEM_ROLE),
        (line(404, "model_not_found", "The model `x` does not exist."), "model"),
    ],
)
def test_all_rows_refused_for_one_key_are_a_fault_of_the_route(refused: ServiceRefusal, key: str) -> None:
    for lines in ([refused], [refused] * 4):
        verdict = judged(*lines)
        assert verdict.route is not None
        assert verdict.route.key == key
    assert judged(refused, answer()).route is None
    assert judged(refused, refused, proven=True).route is None


@pytest.mark.field("route refusals")
def test_a_few_rows_that_are_all_refused_without_a_key_fail_by_themselves_and_many_are_a_fault_of_none() -> None:
    refused = line(400, "invalid_request", "No.")
    assert judged(refused, refused).route is None
    assert judged(refused, refused).held == frozenset()
    assert judged(*[refused] * 20).route == RouteRefused("No.", None)
    assert judged(*[refused] * 20, answer()).route is None
    assert judged(*[refused] * 20, line(400, "invalid_request", "Never.")).route is None
    assert judged(*[refused] * 20, proven=True).route is None


@pytest.mark.field("account refusals")
@pytest.mark.parametrize(
    ("status", "code", "message", "locked"),
    [
        (401, "invalid_api_key", "Incorrect API key provided: ***.", False),
        (403, "permission_denied", "Your account does not have access to this resource.", False),
        (403, None, "You are not authorized to use this image.", False),
        (403, None, "Your organization must be verified to use this model.", True),
        (401, "account_deactivated", "Sorry.", True),
        (403, None, "Your account has been suspended.", True),
    ],
)
def test_a_part_whose_every_row_is_not_allowed_tells_of_the_account_unless_its_batch_has_answers(
    status: int, code: str | None, message: str, locked: bool
) -> None:
    refused = line(status, code, message)
    assert judged(refused, refused).held == {0, 1}
    assert judged(refused, refused, batch_answered=True).held == ({0, 1} if locked else frozenset())
    assert judged(refused, line(429, None, "Busy.")).held == {0}
    assert judged(refused, line(400, "invalid_request", "No.")).held == frozenset()


@pytest.mark.parametrize(
    "refused",
    [
        line(400, "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
        line(400, "content_policy_violation", "Your request was rejected by our safety system."),
        line(429, "rate_limit_exceeded", "Slow down."),
        line(None, "batch_expired", "This request could not be executed in time."),
    ],
)
def test_what_is_about_rows_or_passes_stops_no_job(refused: ServiceRefusal) -> None:
    assert judged(refused, refused, refused).route is None


@pytest.mark.field("route refusals")
@pytest.mark.parametrize(
    ("refused", "params", "schema", "words"),
    [
        (
            line(400, "x", "Use 'max_completion_tokens'.", "max_tokens"),
            {"max_tokens": 5},
            False,
            "to `max_completion_tokens`",
        ),
        (
            line(400, "x", "Not supported.", "temperature"),
            {"temperature": 0},
            False,
            "or take it out, in [routes.r.params]",
        ),
        (line(400, "x", "Not supported.", "response_format"), {}, True, 'Set `schema_mode = "json_object"`'),
        (line(400, "x", "No system.", "messages[0].role"), {}, False, 'Set `system_role = "user"`'),
        (line(404, "model_not_found", "No such model."), {}, False, "Change `model` in [routes.r]"),
    ],
)
def test_it_is_said_which_key_to_change(
    refused: ServiceRefusal, params: dict[str, Any], schema: bool, words: str
) -> None:  # a parameter of a test
    prompt = PluginSpec("template", {"schema": {}} if schema else {})
    route = Route(name="r", match=(), provider="p", model="m", prompt=prompt, params=params)
    verdict = judged(refused)
    assert verdict.route is not None
    assert words in what_to_change(route, verdict.route)

"""What a provider's words about a batch as a whole mean: each code and message that was seen in the wild."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.model import Failure, Problem
from batchd.sending.named_limits import LimitKind
from batchd.sending.refusal_policy import (
    AccountRefused,
    BadLines,
    Bisect,
    RefusalDecision,
    SmallerBatches,
    WaitForQuota,
    WrongSetting,
    decide_refusal,
)
from batchd.sending.whose_fault import MONEY

OPENAI_QUOTA = (
    "Enqueued token limit reached for gpt-4o-mini in organization org-1. Limit: 2,000,000 enqueued tokens. "
    "Please try again once some in_progress batches have been completed."
)
AZURE_QUOTA = "The number of enqueued tokens has surpassed the configured limit of 30K for the deployment gpt."
MISMATCH = "The model 'x' for this request does not match the rest of the batch."
DOUBLE = "The custom_id 'x' for this request is a duplicate of another request."
TOO_BIG = "The batch input file is larger than the 209715200 maximum for the gpt-4o model."


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (Problem("token_limit_exceeded", OPENAI_QUOTA), WaitForQuota(OPENAI_QUOTA, 2_000_000)),
        (Problem("token_limit_exceeded", AZURE_QUOTA), WaitForQuota(AZURE_QUOTA, 30_000)),
        # The same by its words, where a gateway has lost the code; and by the code, where there are no words.
        (Problem("", OPENAI_QUOTA), WaitForQuota(OPENAI_QUOTA, 2_000_000)),
        (Problem("invalid_request_error", AZURE_QUOTA), WaitForQuota(AZURE_QUOTA, 30_000)),
        (Problem("token_limit_exceeded", ""), WaitForQuota("", None)),
        # A quota is a quota even if a line is named.
        (Problem("token_limit_exceeded", OPENAI_QUOTA, line=1), WaitForQuota(OPENAI_QUOTA, 2_000_000)),
        (Problem("mismatched_model", MISMATCH, line=3), BadLines({3: Failure("mismatched_model", MISMATCH)})),
        (Problem("model_mismatch", MISMATCH), Bisect(MISMATCH, "model_mismatch")),
        (Problem("duplicate_custom_id", DOUBLE, line=2), BadLines({2: Failure("duplicate_custom_id", DOUBLE)})),
        (Problem("duplicate_custom_id", DOUBLE), Bisect(DOUBLE, "duplicate_custom_id")),
        (
            Problem("invalid_json_line", "This line is not parseable as valid JSON.", line=7),
            BadLines({7: Failure("invalid_json_line", "This line is not parseable as valid JSON.")}),
        ),
        (
            Problem("missing_required_parameter", "Missing 'body'.", line=1),
            BadLines({1: Failure("missing_required_parameter", "Missing 'body'.")}),
        ),
        (
            Problem("invalid_method", "Invalid value: 'GET'. Supported values are: 'POST'", line=4),
            BadLines({4: Failure("invalid_method", "Invalid value: 'GET'. Supported values are: 'POST'")}),
        ),
        (Problem("streaming_unsupported", "No.", line=9), BadLines({9: Failure("streaming_unsupported", "No.")})),
        (Problem("", "Odd.", line=9), BadLines({9: Failure("refused", "Odd.")})),
        # A wrong model or address is wrong for every row, whichever line it is said of.
        (Problem("model_not_found", "No such model."), WrongSetting("No such model.")),
        (Problem("model_not_found", "No such model.", line=1), WrongSetting("No such model.")),
        (Problem("invalid_url", "No such url.", line=1), WrongSetting("No such url.")),
        (Problem("url_mismatch", "Not the same url."), WrongSetting("Not the same url.")),
        (Problem("billing_hard_limit_reached", "Pay first."), AccountRefused("Pay first.", MONEY)),
        # Whatever else there is, batchd finds the row by halving.
        (Problem("empty_file", "The input file is empty."), Bisect("The input file is empty.", "empty_file")),
        (Problem("", TOO_BIG), SmallerBatches(TOO_BIG, LimitKind.BYTES, 209_715_200)),
        (Problem("invalid_request", "No."), Bisect("No.", "invalid_request")),
        (Problem("never_seen", "?"), Bisect("?", "never_seen")),
        # Lines count from 1; anything else names none.
        (Problem("invalid_json_line", "Bad.", line=0), Bisect("Bad.", "invalid_json_line")),
        (Problem("invalid_json_line", "Bad.", line=-1), Bisect("Bad.", "invalid_json_line")),
    ],
)
def test_what_a_problem_means(problem: Problem, expected: RefusalDecision) -> None:
    assert decide_refusal([problem]) == expected


def test_without_a_reason_halves_are_tried() -> None:
    assert decide_refusal([]) == Bisect("the provider gave no reason")


def test_every_named_line_is_struck_and_what_names_none_is_passed_over() -> None:
    problems = [Problem("a", "One.", line=1), Problem("b", "All."), Problem("c", "Five.", line=5)]
    assert decide_refusal(problems) == BadLines({1: Failure("a", "One."), 5: Failure("c", "Five.")})


def test_a_quota_anywhere_in_the_list_comes_first() -> None:
    assert decide_refusal([Problem("a", "One.", line=1), Problem("token_limit_exceeded", "Wait.")]) == WaitForQuota(
        "Wait."
    )


def test_a_setting_anywhere_in_the_list_comes_before_lines() -> None:
    assert decide_refusal([Problem("a", "One.", line=1), Problem("model_not_found", "No.")]) == WrongSetting("No.")


def test_three_reasons_are_enough() -> None:
    assert decide_refusal([Problem("a", f"{number}.") for number in range(9)]) == Bisect("0.; 1.; 2.", "a")


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("Limit: 90,000 enqueued tokens", 90_000),
        ("limit: 90000", 90_000),
        ("Limit 1.5M enqueued tokens", 1_500_000),
        ("limit of 30k enqueued tokens.", 30_000),
        ("the enqueued token limit of 2,000,000.", 2_000_000),
        ("You have hit the enqueued token limit. Limit: 2,000,000 enqueued tokens.", 2_000_000),
        ("enqueued token limit, which is high", None),
        ("enqueued token limit: none", None),
        ("enqueued token limit: 0", None),
        ("enqueued token limit: 1.2.3", None),
        ("enqueued token Limit: 5 minutes", 5),  # a number is a number; `Quotas` does not take it below a share
    ],
)
def test_the_limit_that_a_message_names(message: str, limit: int | None) -> None:
    assert decide_refusal([Problem("token_limit_exceeded", message)]) == WaitForQuota(message, limit)


PROBLEMS = st.lists(
    st.builds(
        Problem,
        st.sampled_from(["", "token_limit_exceeded", "model_not_found", "invalid_json_line", "odd"]),
        st.text(alphabet="Limit: of0123456789.,KkMm enqueued token", max_size=30),
        st.none() | st.integers(-1, 5),
    ),
    max_size=4,
)


@given(PROBLEMS)
def test_any_list_of_problems_has_a_verdict_in_words(problems: list[Problem]) -> None:
    found = decide_refusal(problems)
    if isinstance(found, BadLines):
        assert found.lines
        assert all(number > 0 for number in found.lines)
    if isinstance(found, WaitForQuota):
        assert found.limit is None or found.limit > 0


def test_what_is_too_large_though_it_is_little_is_no_fault_of_size() -> None:
    refused = [Problem("http_413", "Request Entity Too Large.")]
    little = decide_refusal(refused, requests=9, size=2_000)
    assert isinstance(little, AccountRefused)
    assert "Look at base_url" in little.advice
    assert isinstance(decide_refusal(refused, requests=9, size=2_000_000), SmallerBatches)
    named = [Problem("file_too_large", "The file is larger than the maximum of 1000 bytes.")]
    assert isinstance(decide_refusal(named, requests=9, size=2_000), SmallerBatches)

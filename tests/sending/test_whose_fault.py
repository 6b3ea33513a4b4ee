"""Whose fault a refusal is: the words and codes of many services, each with its siblings."""

from __future__ import annotations

import pytest

from batchd.sending.whose_fault import ACCESS, MONEY, STORAGE, Blame, ServiceRefusal, advice_on_account, fault_of

pytestmark = pytest.mark.field("account refusals")

ACCOUNT = [
    (MONEY, "insufficient_quota", "You exceeded your current quota, please check your plan and billing details."),
    (MONEY, "insufficient_quota", "The current quota is used up, check plan and billing."),
    (MONEY, "billing_hard_limit_reached", "Billing hard limit has been reached."),
    (MONEY, "Arrearage", "Access denied: the account is not in good standing."),
    (MONEY, "AccountOverdueError", "The request failed because your account has an overdue balance."),
    (MONEY, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
    (MONEY, "unknown_error", "Insufficient Balance"),
    (MONEY, "exceeded_current_quota_error", "Your account is suspended, please check your plan and billing details."),
    (MONEY, "1113", "您的账户已欠费，请充值后重试。"),
    (MONEY, "", "余额不足，请及时充值"),
    (MONEY, "insufficient_user_quota", "用户额度不足"),
    (
        MONEY,
        "permission-denied",
        "Your team has either used all available credits or reached its monthly spending limit.",
    ),
    (MONEY, "http_402", "no reason given."),
    (MONEY, "RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    (MONEY, "budget_exceeded", "Budget has been exceeded! Current cost: 10.2, Max budget: 10.0"),
    (STORAGE, "invalid_request_error", "File storage of this organisation is full (100 GB). Delete old files."),
    (STORAGE, "quotaExceeded", "No more files without an expiry: 500 at most."),
    (STORAGE, "quotaExceeded", "You've exceeded the maximum number of files."),
    (STORAGE, "", "You have exceeded your file storage quota. Organizations are limited to 100 GB of files."),
    (STORAGE, "", "存储空间已满"),
    (ACCESS, "unsupported_value", "The organisation must be verified before it can use this model."),
    (ACCESS, "model_not_available", "Your organization is not verified. Please verify organization to use the model."),
    (ACCESS, "account_deactivated", "Your account was deactivated."),
    (ACCESS, "access_terminated", "Your access was terminated."),
    (ACCESS, "", "This organization has been disabled."),
    (ACCESS, "", "账号状态异常，请联系客服"),
    (ACCESS, "", "请先完成实名认证"),
    (ACCESS, "http_403", "No."),
]


@pytest.mark.parametrize(("advice", "code", "message"), ACCOUNT, ids=[f"{each[1]} {each[2]}"[:50] for each in ACCOUNT])
def test_an_account_is_at_fault_and_it_is_said_who_must_do_what(advice: str, code: str, message: str) -> None:
    refusal = ServiceRefusal(code, message)
    assert advice_on_account(refusal) == advice
    assert fault_of(refusal) is Blame.ACCOUNT


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        (
            Blame.ROUTE,
            ServiceRefusal("model_not_found", "The model `x` does not exist or you do not have access to it.", 404),
        ),
        (Blame.ROUTE, ServiceRefusal("", "The model gpt-9 does not exist.")),
        (Blame.ROUTE, ServiceRefusal("invalid_value", "Supported values are '24h'.", 400, "completion_window")),
        (
            Blame.ROW,
            ServiceRefusal("context_length_exceeded", "This model's maximum context length is 8192 tokens.", 400),
        ),
        (Blame.ROW, ServiceRefusal("content_policy_violation", "Your request was rejected by our safety system.", 400)),
        (Blame.ROW, ServiceRefusal("DataInspectionFailed", "Input data may contain inappropriate content.", 400)),
        (Blame.ROW, ServiceRefusal("http_403", "The prompt was flagged by our content filter.", 403)),
        (Blame.PASSING, ServiceRefusal("rate_limit_exceeded", "Rate limit reached for requests.", 429)),
        (Blame.PASSING, ServiceRefusal("server_error", "Sorry about that!")),
        (Blame.PASSING, ServiceRefusal("http_529", "Overloaded.", 529)),
        (Blame.UNKNOWN, ServiceRefusal("invalid_request", "No.", 400)),
        (Blame.UNKNOWN, ServiceRefusal("unsupported_parameter", "'max_tokens' is not supported.", 400, "max_tokens")),
        (Blame.UNKNOWN, ServiceRefusal("duplicate_custom_id", "The custom_id is a duplicate of another request.")),
        (Blame.UNKNOWN, ServiceRefusal("empty_file", "The input file is empty.")),
    ],
)
def test_what_is_not_about_the_account(fault: Blame, refusal: ServiceRefusal) -> None:
    assert fault_of(refusal) is fault


def test_refusals_that_differ_in_numbers_and_names_alone_are_the_same() -> None:
    one = ServiceRefusal("invalid", "Request req_81 of 'a' failed at 10:31.")
    assert one.signature == ServiceRefusal("Invalid", "request req_93 of 'b' failed at 11:02.").signature
    assert one.signature != ServiceRefusal("invalid", "Another request failed.").signature

"""Whose fault a refusal is: the words and codes of many services, each with its siblings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

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


OUTSIDE: Mapping[Blame, Sequence[tuple[str, str, int | None]]] = {
    Blame.ACCOUNT: (
        ("insufficient_quota", "You exceeded your current quota, please check your plan and billing details.", 429),
        (
            "exceeded_current_quota_error",
            "Your account org-x<ak-y> is suspended, please check your plan and billing details",
            429,
        ),
        ("1113", "您的账户已欠费，请充值后重试", 429),
        ("1112", "您的账户已被锁定，请联系客服", 429),
        ("invalid_request_error", "Your credit balance is too low to access the Anthropic API.", 400),
        ("Arrearage", "Access denied, please make sure your account is in good standing.", 400),
        ("403", "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", 403),
        (
            "402",
            "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 1225.",
            402,
        ),
        ("402", "Insufficient credits. Add more using https://openrouter.ai/settings/credits", 402),
        ("error", "Insufficient credits", None),
        ("new_api_error", "token quota is not enough, token remain quota: ¥0.01, need quota: ¥0.02", 403),
        ("pre_consume_token_quota_failed", "预扣费额度失败, 用户剩余额度: $0.1, 需要预扣费额度: $0.2", 403),
        ("insufficient_user_quota", "用户额度不足", 403),
        (
            "FreeTierOnly",
            "The free tier of the model has been exhausted. If you wish to continue access the model on a paid basis, please disable the 'use free tier only' mode in the management console.",
            403,
        ),
        (
            "SetLimitExceeded",
            "Your account [210] has reached the set inference limit for the [x] model, and the model service has been paused.",
            429,
        ),
        ("AccountOverdueError", "The request failed because your account has an overdue balance.", 403),
        (
            "RESOURCE_EXHAUSTED",
            "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.",
            429,
        ),
        ("FAILED_PRECONDITION", "Billing is disabled for project 123. Enable billing.", 400),
        ("billing_not_active", "Your account is not active, please check your billing details on our website.", 429),
        ("error", "Billing hard limit has been reached", 400),
        (
            "permission-denied",
            "Your newly created team doesn't have any credits or licenses yet. You can purchase those on https://console.x.ai/team/",
            403,
        ),
        ("unknown", "Your team has either used all available credits or reached its monthly spending limit.", 429),
        (
            "error",
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
            400,
        ),
        ("error", "This organization has been disabled.", 400),
        (
            "error",
            "Organization has been restricted. Please reach out to support if you believe this was in error.",
            400,
        ),
        ("organization_restricted", "Organization has been restricted.", 400),
        (
            "error",
            "Your organization must be verified to use the model `gpt-5`. Please go to: https://platform.openai.com/settings/organization/general and click on Verify Organization.",
            403,
        ),
        ("no_permission", "Project `proj_x` does not have access to model `gpt-4o`", 403),
        ("model_not_found", "Project `proj_x` does not have access to model `gpt-4o`", 403),
        ("quotaExceeded", "The maximum number of files has been reached.", 400),
        ("error", "You have exceeded the maximum file storage limit of 100 GB for your organization.", 400),
        ("storage", "Uploaded files exceed your storage quota", 400),
        ("error", "The workspace's spend limit has been reached", 400),
        ("error", "Budget has been exceeded! Current cost: 10.2, Max budget: 10.0", 400),
        ("budget_exceeded", "ExceededBudget: User=x over budget. Spend=2, Budget=1", 400),
        ("tier", "Your current tier does not allow batch jobs. Upgrade to tier 1", 403),
        ("error", "Batch API is not available on your current plan. Please upgrade your plan.", 403),
        ("error", "The Batch API is not enabled for your organization.", 403),
        ("error", "Batch API is available only to paid users", 400),
        ("30001", "Sorry, your account balance is insufficient", 403),
        ("error", "账户余额不足", 403),
        ("1308", "已达到 5 小时的使用上限。您的限额将在 2026-11-30 重置", 429),
        ("error", "模型未开通，请前往控制台开通服务", 404),
        (
            "ModelNotOpen",
            "Your account 2100 has not activated the model doubao-1-5-pro. Please activate the model service in the Ark Console.",
            404,
        ),
        (
            "error",
            "Data processing agreement not accepted. Accept the terms of service in the console to continue",
            403,
        ),
        ("error", "You must accept the terms before using this model", 403),
        ("error", "This API key has expired", 401),
        ("error", "Your subscription has expired. Please renew it.", 403),
        ("error", "Your trial has ended. Please add a payment method", 402),
        ("error", "Your card was declined", 402),
        ("error", "Please add a payment method to use the Batch API", 400),
        ("error", "Your prepaid balance is exhausted", 400),
        ("error", "Wallet balance too low to run this batch", 400),
        ("error", "Your wallet is empty", 400),
        ("error", "Not enough funds in your wallet", 400),
        ("error", "Votre solde est insuffisant", 402),
        ("error", "Guthaben aufgebraucht", 402),
        ("invalid_iam_token", "Access token expired", 401),
        ("error", "User location is not supported for the API use.", 400),
        ("error", "IP address not in the allowlist of this key", 403),
    ),
    Blame.PASSING: (
        ("error", "The model is overloaded. Please try again later.", 503),
        (
            "rate_limit",
            "Rate limit reached for gpt-4o in organization org on tokens per min (TPM): Limit 30000, Used 29000",
            429,
        ),
        ("ServiceUnavailable", "Too many requests in flight", None),
        ("UNAVAILABLE", "The model is overloaded", None),
        ("overloaded_error", "Overloaded", 529),
        ("api_error", "Internal server error", None),
        ("batch_expired", "This request could not be executed before the completion window expired.", None),
        ("DEADLINE_EXCEEDED", "x", None),
        ("resource_exhausted", "Resource has been exhausted (e.g. check quota).", 429),
        ("ServerOverloaded", "The service is currently unable to handle additional requests", 429),
        ("error", "Upstream request failed", 502),
    ),
    Blame.ROUTE: (
        ("model_not_found", "The model `x` does not exist", 404),
        ("invalid_model", "Invalid model: x", 400),
        ("InvalidParameter", "Model not exist.", 400),
        ("error", "The requested model is not available for batch", 400),
        ("model_decommissioned", "The model `x` has been decommissioned and is no longer supported.", 400),
        ("model_deprecated", "This model has been deprecated", 404),
        ("error", "is not a valid model ID", 400),
        ("error", "No endpoints found for foo/bar.", 404),
        ("error", "No allowed providers are available for the selected model.", 404),
        (
            "InvalidEndpointOrModel.NotFound",
            "The model or endpoint x does not exist or you do not have access to it.",
            404,
        ),
        ("1211", "模型不存在，请检查模型代码", 400),
        ("DeploymentNotFound", "The API deployment for this resource does not exist.", 404),
        ("error", "当前分组 default 下对于模型 gpt-5 无可用渠道", None),
        ("error", "The model gpt-4o is not supported for Batch API", 400),
        ("error", "Unsupported completion_window: 24h", 400),
    ),
    Blame.ROW: (
        ("content_filter", "The response was filtered", 400),
        ("1301", "系统检测到输入或生成内容可能包含不安全或敏感内容", 400),
        ("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum", 400),
        ("error", "This model's maximum context length is 8192 tokens. However, you requested 9000", 400),
        ("error", "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).", 400),
        ("InvalidParameter", "Range of input length should be [1, 30720]", 400),
        ("OversizeText", "Total tokens of image and text exceed max message tokens", 400),
        (
            "SensitiveContentDetected",
            "The request failed because the input text may contain sensitive information.",
            400,
        ),
        ("error", "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096", 422),
        ("error", "Content Exists Risk", 400),
        ("error", "Invalid prompt: your prompt was flagged as potentially violating our usage policy", 400),
        ("error", "Request blocked by safety filter", 400),
        ("error", "Your account has been flagged for potentially violating our usage policy", 400),
    ),
}
"""What services wrote to others, by whose fault it is."""


def test_refusals_that_outsiders_met() -> None:
    wrong = [
        f"{fault_of(ServiceRefusal(*each)).name}, not {fault.name}: {each}"
        for fault, refusals in OUTSIDE.items()
        for each in refusals
        if fault_of(ServiceRefusal(*each)) is not fault
    ]
    assert not wrong, "\n".join(wrong)


def test_refusals_in_many_words_and_languages() -> None:
    wrong = []
    for line in Path(__file__).with_name("service_refusals.tsv").read_text("utf-8").splitlines()[1:]:
        fault, status, code, message = line.split("\t")
        found = fault_of(ServiceRefusal(code, message, int(status) if status else None))
        if found is not Blame[fault]:
            wrong.append(f"{found.name}, not {line}")
    assert not wrong, "\n".join(wrong)

"""Refusals as real services write them: of an account that cannot or may not, and of a parameter that a model lacks."""

from __future__ import annotations

from .refusals import Refusal

ACCOUNT_REASONS: dict[str, Refusal] = {
    "insufficient-quota": Refusal(
        429, "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota", code="insufficient_quota",
    ),
    "hard-limit": Refusal(400, "Billing hard limit has been reached.", code="billing_hard_limit_reached"),
    "arrearage": Refusal(400, "Access denied, please make sure your account is in good standing.", code="Arrearage"),
    "overdue": Refusal(403, "The request failed: the account has an overdue balance.", code="AccountOverdueError"),
    "balance": Refusal(402, "Insufficient Balance", "unknown_error", code="invalid_request_error"),
    "credit": Refusal(400, "Your credit balance is too low to access the API."),
    "spending-limit": Refusal(403, "Your team has reached its monthly spending limit.", code="permission_denied"),
    "owed": Refusal(400, "您的账户已欠费，请充值后再试。", code="1113"),
    "storage": Refusal(400, "File storage of this organization is full (100 GB). Delete old files."),
    "files": Refusal(400, "No more files without an expiry: 500 at most.", code="quotaExceeded"),
    "unverified": Refusal(
        400, "Your organization must be verified before it can use this model.", param="model", code="unsupported_value"
    ),
    "terminated": Refusal(403, "Your access was terminated.", code="access_terminated"),
    "unexplained": Refusal(400, "This request cannot be processed at this time.", code="invalid_request_error"),
}  # fmt: skip


def refused_for(reason: str) -> Refusal:
    """A new refusal for this reason: an exception keeps its traceback, and is not raised twice."""
    known = ACCOUNT_REASONS[reason]
    return Refusal(known.status, known.message, known.type, known.param, known.code)


def refused_param(name: str) -> Refusal:
    """What a model says of a parameter that it does not have; `role` is the role of the first message."""
    if name == "role":
        message = "messages[0].role does not support system with this model."
        return Refusal(400, message, param="messages[0].role", code="unsupported_value")
    if name == "response_format":
        return Refusal(400, "This response_format type is unavailable now.", code="invalid_request_error")
    instead = ", use 'max_completion_tokens' instead" if name == "max_tokens" else ""
    message = f"Unsupported parameter: '{name}' is not supported with this model{instead}."
    return Refusal(400, message, param=name, code="unsupported_parameter")


def has_param(raw: bytes, name: str) -> bool:
    """Whether the request in a line has it."""
    if name == "role":
        return b'"role":"system"' in raw
    if name == "response_format":
        return b'"json_schema"' in raw
    return f'"{name}":'.encode() in raw

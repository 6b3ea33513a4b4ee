"""Error answers, with the messages and codes of the real service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(eq=False)
class Refusal(Exception):
    """An error answer for the client: `{"error": {message, type, param, code}}`.

    Not frozen, since Python sets the traceback on an exception.
    """

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON for the client."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None, code: str) -> Refusal:
    """A parameter is missing or has an invalid value."""
    return Refusal(400, message, param=param, code=code)


def missing_parameter(name: str) -> Refusal:
    """A required parameter is missing."""
    return invalid(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def invalid_value(name: str, value: object, supported: tuple[str, ...]) -> Refusal:
    """A parameter has a value that is not supported."""
    choices = ", ".join(f"'{one}'" for one in supported)
    return invalid(f"Invalid value: '{value}'. Supported values are: {choices}.", name, "invalid_value")


def no_such_file(file_id: str) -> Refusal:
    """The file is unknown or deleted."""
    return Refusal(404, f"No such File object: {file_id}", param="id")


def no_such_batch(batch_id: str) -> Refusal:
    """The batch is unknown."""
    return Refusal(404, f"No batch found with id '{batch_id}'.", code="batch_not_found")


def no_such_model(model: str) -> Refusal:
    """The model is not offered to this key."""
    return Refusal(404, f"The model `{model}` does not exist or you do not have access to it.", code="model_not_found")


def wrong_key(key: str) -> Refusal:
    """The key is wrong. Like the real service's, the message repeats both ends of the key and masks the rest."""
    masked = f"{key[:3]}{'*' * max(len(key) - 7, 4)}{key[-4:]}" if len(key) > 11 else "*" * 8
    return Refusal(401, f"Incorrect API key provided: {masked}.", code="invalid_api_key")


def no_key() -> Refusal:
    """The request has no key."""
    return Refusal(401, "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'.")


_BY_STATUS: dict[int, tuple[str, str, str | None]] = {
    400: ("The request was refused by the sandbox, as ordered.", "invalid_request_error", "invalid_request"),
    401: ("Incorrect API key provided: ********.", "invalid_request_error", "invalid_api_key"),
    403: ("Your account does not have access to this resource.", "permission_error", "permission_denied"),
    404: ("The requested resource does not exist.", "invalid_request_error", None),
    408: ("The request timed out before it could be processed.", "timeout", "request_timeout"),
    409: ("The request conflicts with another one in progress.", "conflict", "conflict"),
    429: ("Rate limit reached for requests. Please try again later.", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
    503: ("The server is currently overloaded with other requests. Please retry.", "server_error", None),
}


def ordered_refusal(status: int, *, code: str | None = None, retry_after: float | None = None) -> Refusal:
    """The error answer of a fault with a status; `code` replaces the default one."""
    message, kind, default = _BY_STATUS.get(status, (f"The request failed with status {status}.", "error", None))
    if code == "insufficient_quota":
        message, kind = "You exceeded your current quota, please check your plan and billing details.", code
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return Refusal(status, message, type=kind, code=code or default, headers=headers)


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
    """Return a new refusal for this reason: an exception keeps its traceback, so none is raised twice."""
    return replace(ACCOUNT_REASONS[reason])


def refused_param(name: str) -> Refusal:
    """The refusal of a parameter that the model does not support; `role` is the role of the first message."""
    if name == "role":
        message = "messages[0].role does not support system with this model."
        return Refusal(400, message, param="messages[0].role", code="unsupported_value")
    if name == "response_format":
        return Refusal(400, "This response_format type is unavailable now.", code="invalid_request_error")
    instead = ", use 'max_completion_tokens' instead" if name == "max_tokens" else ""
    message = f"Unsupported parameter: '{name}' is not supported with this model{instead}."
    return Refusal(400, message, param=name, code="unsupported_parameter")

"""Decides what to do after a provider has refused a whole batch: the cause, and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ..model import Failure, Problem

_QUOTA_CODES = frozenset({"token_limit_exceeded", "too_many_tokens", "enqueued_token_limit_exceeded"})
_QUOTA_WORDS = ("enqueued token", "number of enqueued tokens")
_SETTING_CODES = frozenset(
    {
        "model_not_found",
        "model_not_supported",
        "invalid_url",
        "url_mismatch",
        "invalid_endpoint",
        "invalid_completion_window",
        "billing_hard_limit_reached",
    }
)
_PASSING_CODES = frozenset(
    {
        "runner_lost",  # LiteLLM, when its proxy was restarted
        "server_error",
        "internal_error",
        "internal_server_error",
        "service_unavailable",
        "overloaded",
        "rate_limit_exceeded",
    }
)
_LIMIT = re.compile(r"[Ll]imit(?:\s+of|:)?\s*(\d[\d.,]*)\s*([KkMm])?\b")


@dataclass(frozen=True, slots=True)
class WaitForQuota:
    """Too much is enqueued at the provider. `limit` are the most input tokens that it allows, if it said so."""

    message: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class BadLines:
    """These lines (counted from 1) make the batch fail; the others are fine."""

    lines: Mapping[int, Failure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WrongSetting:
    """No row of the batch can run with these settings: a person must change the route or the account."""

    message: str


@dataclass(frozen=True, slots=True)
class RetryBatch:
    """The service failed, and the batch is not the cause: send it again later, unchanged."""

    message: str
    code: str


@dataclass(frozen=True, slots=True)
class Bisect:
    """The service refused something in the batch without saying what: send it in halves."""

    message: str
    code: str = "batch_refused"


RefusalDecision: TypeAlias = WaitForQuota | BadLines | WrongSetting | RetryBatch | Bisect


def decide_refusal(problems: Iterable[Problem]) -> RefusalDecision:
    """Decide by the codes and, since codes are not documented anywhere, by the words too."""
    problems = list(problems)
    for problem in problems:
        if problem.code in _QUOTA_CODES or any(words in problem.message.lower() for words in _QUOTA_WORDS):
            return WaitForQuota(problem.message, _limit(problem.message))
    lines = {
        problem.line: Failure(problem.code or "refused", problem.message)
        for problem in problems
        if problem.line is not None and problem.line > 0
    }
    if lines and not any(problem.code in _SETTING_CODES for problem in problems):
        return BadLines(lines)
    for problem in problems:
        if problem.code in _SETTING_CODES:
            return WrongSetting(problem.message)
    for problem in problems:
        if problem.code in _PASSING_CODES:
            return RetryBatch(problem.message, problem.code)
    if problems:
        return Bisect("; ".join(problem.message for problem in problems[:3]), problems[0].code or "batch_refused")
    return Bisect("the provider gave no reason")


def _limit(message: str) -> int | None:
    """`Limit: 2,000,000 enqueued tokens` or `configured limit of 30K`."""
    match = _LIMIT.search(message)
    if match is None:
        return None
    try:
        number = float(match[1].rstrip(".,").replace(",", ""))
    except ValueError:
        return None
    factor = {"k": 1_000, "m": 1_000_000}.get((match[2] or "").lower(), 1)
    return int(number * factor) or None

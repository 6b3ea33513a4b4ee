"""Decides what to do after a provider has refused an upload, a create or a whole batch: whose fault, and what next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from ..model import Failure, Problem
from .named_limits import LimitKind, named_limit
from .whose_fault import Blame, ServiceRefusal, advice_on_account, fault_of


class WaitForQuota(Struct, frozen=True):
    """Too much is enqueued at the provider. `limit` are the most input tokens that it allows, if it said so."""

    message: str
    limit: int | None = None


class SmallerBatches(Struct, frozen=True):
    """The batch has more requests or bytes than the provider takes: `limit`, if it said so."""

    message: str
    kind: LimitKind
    limit: int | None = None


class BadLines(Struct, frozen=True):
    """These lines (counted from 1) make the batch fail; the others are fine."""

    lines: Mapping[int, Failure] = field(default_factory=dict)


class AccountRefused(Struct, frozen=True):
    """The service refuses the account, for all models or for this one: no row is at fault, and all of them wait.

    `advice` says who has to do what. With `split`, the only evidence is that other rows got the very same refusal.
    """

    message: str
    advice: str
    model_only: bool = False
    split: bool = False


class WrongSetting(Struct, frozen=True):
    """No row of the batch can run with these settings: a person must change the route."""

    message: str


class RetryBatch(Struct, frozen=True):
    """The service failed, and the batch is not the cause: send it again later, unchanged."""

    message: str
    code: str


class Bisect(Struct, frozen=True):
    """The service refused something in the batch without saying what: send it in halves."""

    message: str
    code: str = "batch_refused"


RefusalDecision: TypeAlias = (
    WaitForQuota | SmallerBatches | BadLines | AccountRefused | WrongSetting | RetryBatch | Bisect
)

UNEXPLAINED = (
    "Different rows got the very same refusal, so no row is at fault. Look at the account there, and at the route's "
    "model and params."
)


LITTLE = 64_000
"""Bytes of a batch: the limit of every service is higher."""
TOO_LITTLE = (
    f"No limit is as small as {LITTLE // 1000} KB, so no row is at fault. Look at base_url, at any proxy in between, "
    "and at the account there."
)


def decide_refusal(
    problems: Iterable[Problem], *, requests: int | None = None, size: int | None = None, elsewhere: bool = False
) -> RefusalDecision:
    """Decide by the codes and, since codes are not documented anywhere, by the words; then by the evidence.

    `requests` and `size` are how many and how many bytes the batch has. `elsewhere` says that other rows were refused
    in the same way, and none was accepted since.
    """
    problems = list(problems)
    refusals = [ServiceRefusal(problem.code, problem.message, param=problem.param) for problem in problems]
    limits = [
        (refusal, limit)
        for problem, refusal in zip(problems, refusals, strict=True)
        if (limit := named_limit(refusal.code, refusal.message))
        and (limit.kind is LimitKind.TOKENS or problem.line is None)
    ]
    for refusal, limit in limits:
        if limit.kind is LimitKind.TOKENS:
            return WaitForQuota(refusal.message, limit.most)
    # The first of each kind.
    blamed = {fault_of(refusal): refusal for refusal in reversed(refusals)}
    if (refused := blamed.get(Blame.ACCOUNT)) is not None:
        return AccountRefused(refused.message, advice_on_account(refused) or "", model_only=_of_model(refused))
    if (refused := blamed.get(Blame.ROUTE)) is not None:
        return WrongSetting(refused.message)
    for refusal, limit in limits:
        if limit.kind is LimitKind.BYTES and limit.most is None and size is not None and size <= LITTLE:
            return AccountRefused(refusal.message, TOO_LITTLE)
        return SmallerBatches(refusal.message, limit.kind, limit.most)
    lines = {
        problem.line: Failure(problem.code or "refused", problem.message)
        for problem in problems
        if problem.line is not None and problem.line > 0
    }
    if lines and not _all_alike(lines, refusals, requests):
        return BadLines(lines)
    if lines:
        return WrongSetting(refusals[0].message)
    if (refused := blamed.get(Blame.PASSING)) is not None:
        return RetryBatch(refused.message, refused.code)
    message = "; ".join(problem.message for problem in problems[:3]) or "the provider gave no reason"
    if elsewhere:
        return AccountRefused(message, UNEXPLAINED, model_only=True, split=True)
    return Bisect(message, (problems[0].code if problems else "") or "batch_refused")


def signature(problems: Iterable[Problem], otherwise: str = "") -> str:
    """The same text for refusals that differ only in numbers and names."""
    signatures = {ServiceRefusal(problem.code, problem.message).signature for problem in problems}
    return "; ".join(f"{code} {words}" for code, words in sorted(signatures)) or otherwise


def _of_model(refusal: ServiceRefusal) -> bool:
    return refusal.param in {"model", "body.model"} or "this model" in refusal.message.lower()


def _all_alike(lines: Mapping[int, Failure], refusals: Iterable[ServiceRefusal], requests: int | None) -> bool:
    """Whether every line got one and the same refusal, which then is no row's fault."""
    if requests is None or requests < 2 or len(lines) < requests:
        return False
    return len({refusal.signature for refusal in refusals}) == 1 and all(
        fault_of(refusal) is Blame.UNKNOWN for refusal in refusals
    )

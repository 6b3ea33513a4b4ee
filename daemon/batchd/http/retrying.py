"""Retries calls that may be repeated, a few times within seconds. Longer waits are left to the daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity
from tenacity.wait import wait_base

from ..errors import TransientError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pacing:
    """How often a call is tried, and how long the pauses are. One value, so that a test can have short pauses."""

    tries: int = 3
    within: float = 10.0
    """Seconds after which a call is not tried again."""
    first_pause: float = 0.5
    longest_pause: float = 4.0
    """If the service asks for a longer pause, the call is left to the daemon."""


async def with_retries(pacing: Pacing, send: Callable[[], Awaitable[T]]) -> T:
    """Call `send` again, a few times, while it raises a `TransientError` that may pass soon."""
    tries = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(lambda error: soon_over(pacing, error)),
        wait=RetryPause(pacing),
        stop=tenacity.stop_after_attempt(pacing.tries) | tenacity.stop_before_delay(pacing.within),
        reraise=True,
    )

    async def once() -> T:
        # tenacity awaits only coroutine functions, which a lambda is not.
        return await send()

    return await tries(once)


def soon_over(pacing: Pacing, error: BaseException) -> bool:
    """Whether to retry at once rather than leave the call to the daemon."""
    return isinstance(error, TransientError) and (
        error.retry_after is None or error.retry_after <= pacing.longest_pause
    )


class RetryPause(wait_base):
    """The pause that the service asked for, else a random one with exponential backoff."""

    def __init__(self, pacing: Pacing) -> None:
        self._random = tenacity.wait_random_exponential(multiplier=pacing.first_pause, max=pacing.longest_pause)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome is not None else None
        if isinstance(error, TransientError) and error.retry_after is not None:
            return error.retry_after
        return self._random(retry_state)

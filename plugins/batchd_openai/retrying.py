"""Retries calls that may be repeated, a few times within seconds. Longer waits are left to the daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity
from tenacity.wait import wait_base

from batchd import TransientError

T = TypeVar("T")

TRIES = 3
WITHIN = 10.0
"""Seconds after which a call is not tried again."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 4.0


async def with_retries(send: Callable[[], Awaitable[T]]) -> T:
    """Call `send` again, up to TRIES times, while it raises a `TransientError` that may pass soon."""
    tries = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(soon_over),
        wait=Pause(),
        stop=tenacity.stop_after_attempt(TRIES) | tenacity.stop_before_delay(WITHIN),
        reraise=True,
    )

    async def once() -> T:
        # tenacity awaits only coroutine functions, which a lambda is not.
        return await send()

    return await tries(once)


def soon_over(error: BaseException) -> bool:
    """Whether to retry at once rather than leave it to the daemon."""
    return isinstance(error, TransientError) and (error.retry_after is None or error.retry_after <= LONGEST_PAUSE)


class Pause(wait_base):
    """The pause that the service asked for, else a random one with exponential backoff."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome is not None else None
        if isinstance(error, TransientError) and error.retry_after is not None:
            return error.retry_after
        return tenacity.wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)(retry_state)

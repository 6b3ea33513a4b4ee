"""Trying again, for calls that may be repeated: a few times within seconds. The daemon waits longer, and says so."""

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
    """Call it a few times, as long as it raises a `TransientError` that may soon be over."""
    tries = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(soon_over),
        wait=Pause(),
        stop=tenacity.stop_after_attempt(TRIES) | tenacity.stop_before_delay(WITHIN),
        reraise=True,
    )

    async def once() -> T:
        # tenacity awaits only what it can see to be a coroutine function; a lambda is not.
        return await send()

    return await tries(once)


def soon_over(error: BaseException) -> bool:
    """Whether it is worth trying again at once, rather than leaving it to the daemon."""
    return isinstance(error, TransientError) and (error.retry_after is None or error.retry_after <= LONGEST_PAUSE)


class Pause(wait_base):
    """What the service asked for, else a random time out of a range that doubles."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome is not None else None
        if isinstance(error, TransientError) and error.retry_after is not None:
            return error.retry_after
        return tenacity.wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)(retry_state)

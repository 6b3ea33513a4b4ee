"""A few quick retries for calls that may be repeated; longer waits are left to the daemon."""

from __future__ import annotations

from typing import Any

import pytest
import tenacity
from openai_support import Connect, FakeService, batch, hang_up, named, remote, reset

from batchd import NotSent, RejectedError, TransientError
from batchd.http import retrying
from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider

PACING = OpenAIPacing()
BATCH = "/batches/batch_1"


@pytest.mark.parametrize("fault", [500, 429, 408, 409, hang_up, reset, (200, "<html/>")], ids=named)
async def test_a_short_fault_is_retried(service: FakeService, provider: OpenAIProvider, fault: Any) -> None:
    service.on("GET", BATCH, fault, fault, batch())
    await provider.poll(remote())
    # aiohttp itself repeats a GET if its kept-alive connection was closed.
    assert service.count("GET", BATCH) >= 3


async def test_a_lasting_fault_is_left_to_the_daemon(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", BATCH, (503, {}, {"Retry-After": "0.01"}))
    with pytest.raises(TransientError) as raised:
        await provider.poll(remote())
    assert service.count("GET", BATCH) == PACING.tries
    assert raised.value.retry_after == 0.01


async def test_a_long_wait_is_left_to_the_daemon(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", BATCH, (429, {}, {"Retry-After": "3600"}))
    with pytest.raises(TransientError) as raised:
        await provider.poll(remote())
    assert service.count("GET", BATCH) == 1
    assert raised.value.retry_after == 3600


async def test_a_refusal_is_not_tried_again(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", BATCH, 401)
    with pytest.raises(RejectedError):
        await provider.poll(remote())
    assert service.count("GET", BATCH) == 1


async def test_a_slow_fault_leaves_no_time_for_retries(service: FakeService, connect: Connect) -> None:
    service.on("GET", BATCH, 500)
    with pytest.raises(TransientError):
        await connect(pacing=OpenAIPacing(within=0.0)).poll(remote())
    assert service.count("GET", BATCH) == 1


def pause_after(error: Exception, attempt: int) -> float:
    state = tenacity.RetryCallState(tenacity.AsyncRetrying(), None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(error), error, None))
    return retrying.RetryPause(PACING)(state)


def test_pauses_are_the_services_or_random_within_a_range_that_doubles() -> None:
    assert pause_after(TransientError("x", retry_after=3.0), 1) == 3.0
    first = [pause_after(NotSent("x"), 1) for _ in range(200)]
    third = [pause_after(NotSent("x"), 3) for _ in range(200)]
    assert 0 <= min(first) < max(first) <= 0.5
    assert 0.5 < max(third) <= 2.0
    assert max(pause_after(NotSent("x"), 30) for _ in range(50)) <= PACING.longest_pause


def test_which_errors_may_pass_soon() -> None:
    assert retrying.soon_over(PACING, TransientError("x"))
    assert retrying.soon_over(PACING, NotSent("x", retry_after=PACING.longest_pause))
    assert not retrying.soon_over(PACING, TransientError("x", retry_after=PACING.longest_pause + 1))
    assert not retrying.soon_over(PACING, RejectedError("x"))
    assert not retrying.soon_over(PACING, ValueError("x"))

"""A batch whose creation was not confirmed is found by its results, once it has ended; until then it is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from batchd import CannotFind, NotKnownYet, RemoteBatch, Submission, TransientError
from batchd_anthropic.provider import AnthropicProvider

if TYPE_CHECKING:
    from anthropic_support import Connect, FakeAnthropic

CREATE = ("POST", "/v1/messages/batches")
LIST = "/v1/messages/batches"
ONE = {"messages": [{"role": "user", "content": "One."}], "max_tokens": 5}
Make = Callable[..., Submission]

pytestmark = pytest.mark.field("creates of unknown outcome")


async def lost(service: FakeAnthropic, provider: AnthropicProvider, submission: Submission) -> str:
    """Create a batch and lose the answer. The id of it."""
    service.plan(*CREATE, "lose")
    with pytest.raises(TransientError):
        await provider.submit(submission)
    return list(service.batches)[-1]


async def test_it_is_not_known_until_it_has_ended_and_found_then(
    service: FakeAnthropic, connect: Connect, make_submission: Make
) -> None:
    submission = make_submission(ONE, ONE)
    remote = await lost(service, connect(), submission)
    for provider in (connect(), connect()):
        with pytest.raises(NotKnownYet, match="1 of the same size is under way"):
            await provider.find(submission)
    service.end(service.batches[remote])
    provider = connect()
    assert await provider.find(submission) == [remote]
    results = f"{LIST}/{remote}/results"
    assert await provider.find(submission) == [remote]
    assert service.count("GET", results) == 1, "what a batch holds does not change"


async def test_an_earlier_attempt_with_the_same_rows_is_not_taken_for_it(
    service: FakeAnthropic, connect: Connect, make_submission: Make
) -> None:
    earlier, later = make_submission(ONE, ONE), make_submission(ONE, ONE, key="zzzzzzzz")
    await connect().submit(earlier)
    service.end(next(iter(service.batches.values())))
    assert await connect().find(later) == []


async def test_batches_that_are_known_or_of_another_size_keep_nobody_waiting(
    service: FakeAnthropic, connect: Connect, make_submission: Make
) -> None:
    service.polls = 9
    provider = connect()
    mine = make_submission(ONE, ONE, key="aaaaaaaa")
    remote = await provider.submit(mine)
    service.add([{"custom_id": "theirs", "params": {}}])
    unsent = make_submission(ONE, ONE, key="bbbbbbbb")
    assert await provider.find(unsent) == []
    # After a restart it is known again from the first poll on.
    restarted = connect()
    with pytest.raises(NotKnownYet):
        await restarted.find(unsent)
    await restarted.poll(RemoteBatch(remote, mine.key, {}))
    assert await restarted.find(unsent) == []


async def test_it_is_found_on_the_last_page(service: FakeAnthropic, connect: Connect, make_submission: Make) -> None:
    submission = make_submission(ONE)
    remote = await lost(service, connect(), submission)
    service.end(service.batches[remote])
    for _ in range(5):
        service.end(service.add([{"custom_id": "theirs", "params": {}}]))
    service.page = 2
    assert await connect().find(submission) == [remote]
    assert service.count("GET", LIST) == 3


@pytest.mark.slow
async def test_a_list_that_cannot_be_read_is_no_empty_list(
    service: FakeAnthropic, connect: Connect, make_submission: Make
) -> None:
    submission = make_submission(ONE)
    provider = connect()
    service.plan("GET", LIST, (404, "no"))
    with pytest.raises(CannotFind):
        await provider.find(submission)
    service.plan("GET", LIST, (200, {"object": "thing"}))
    with pytest.raises(CannotFind):
        await provider.find(submission)
    service.plan("GET", LIST, (200, {"data": [], "has_more": True}))
    with pytest.raises(CannotFind, match="more batches"):
        await provider.find(submission)
    service.plan("GET", LIST, *[(503, "busy")] * 3)
    with pytest.raises(TransientError):
        await provider.find(submission)

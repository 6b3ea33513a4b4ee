"""Providers that break one promise each."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import IO, Any

from batchd import BatchPhase, BatchStatus, Body, Limits, RemoteBatch, RemoteMissing, Result, Settings, Submission
from batchd.values import replace

from .good_plugins import Echo, Shop


async def well_downloaded(self: Shop, batch: RemoteBatch, target: IO[bytes]) -> None:
    """As one whose results are right."""
    await Shop(self.settings).download(batch, target)


class Numbering(Shop):
    """Numbers its answers instead of using the custom_ids."""

    fails = "test_every_request_is_answered_by_its_custom_id"

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        for number, result in enumerate(self.batches[batch.id][1]):
            yield replace(result, custom_id=str(number))

    download = well_downloaded


class Losing(Shop):
    """Leaves out the last answer."""

    fails = "test_every_request_is_answered_by_its_custom_id"

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        for result in self.batches[batch.id][1][:-1]:
            yield result


class Stuttering(Shop):
    fails = "test_no_request_is_answered_twice"

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        for result in self.batches[batch.id][1]:
            yield result
            yield result


class Bare(Shop):
    """Yields the body of an answer without a Response."""

    fails = "test_an_outcome_is_a_response_or_a_failure"

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        for result in self.batches[batch.id][1]:
            yield replace(result, outcome=dict(result.outcome.body))  # type: ignore[union-attr, arg-type]

    download = well_downloaded


class Emptying(Shop):
    """Returns each answer only once."""

    fails = "test_results_can_be_fetched_again"

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        results = self.batches[batch.id][1]
        while results:
            yield results.pop(0)


class Unending(Shop):
    """Writes a download without its last newline."""

    fails = "test_a_download_is_lines_of_the_batch_format"

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        await super().download(batch, target)
        target.seek(-1, 2)
        target.truncate()


class Insisting(Shop):
    """Repeats the call that costs money."""

    fails = "test_a_submitted_batch_is_found_and_there_is_one"

    async def submit(self, submission: Submission) -> str:
        await super().submit(submission)
        return await super().submit(submission)


class Overlooking(Shop):
    """Never finds anything."""

    fails = "test_a_submitted_batch_is_found_and_there_is_one"

    async def find(self, submission: Submission) -> Sequence[str]:
        return []


class Imagining(Shop):
    """Finds a batch of another submission."""

    fails = "test_what_was_never_submitted_is_not_found"

    async def find(self, submission: Submission) -> Sequence[str]:
        return await super().find(submission) or list(self.batches)[:1]


class Alarmed(Shop):
    """Raises an error if there is nothing to find."""

    fails = "test_what_was_never_submitted_is_not_found"

    async def find(self, submission: Submission) -> Sequence[str]:
        [remote] = await super().find(submission)
        return [remote]


class Once(Shop):
    """Refuses the same file the second time."""

    fails = "test_an_upload_may_be_repeated"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.uploaded: set[str] = set()

    async def upload(self, submission: Submission) -> str:
        if submission.key in self.uploaded:
            raise FileExistsError(submission.key)
        self.uploaded.add(submission.key)
        return f"file-{submission.key}"


class Confusing(Shop):
    """Keeps the current batch on the object."""

    fails = "test_many_batches_at_a_time_do_not_mix"
    current: RemoteBatch

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        self.current = batch
        return await super().poll(batch)

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        current = getattr(self, "current", batch)
        for result in self.batches[current.id][1]:
            await asyncio.sleep(0)
            yield result


class Clinging(Shop):
    """Puts an object into the details."""

    fails = "test_a_status_can_be_stored"

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        return replace(await super().poll(batch), details={"shop": self})


class Assuring(Shop):
    """Reports any batch as in progress."""

    fails = "test_a_batch_that_is_not_there_is_missing"

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        try:
            return await super().poll(batch)
        except RemoteMissing:
            return BatchStatus(BatchPhase.IN_PROGRESS)


class Remembering(Shop):
    """Knows only the batches of its own object."""

    fails = "test_another_object_goes_on_where_one_left_off"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.batches = {}  # type: ignore[misc]


class Final(Shop):
    """Fails if `forget` is called twice."""

    fails = "test_a_cancelled_batch_can_still_be_polled_and_forgotten"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.known: set[str] = set()

    async def submit(self, submission: Submission) -> str:
        self.known.add(submission.key)
        return await super().submit(submission)

    async def forget(self, submission: Submission) -> None:
        self.known.remove(submission.key)


class Unstoppable(Shop):
    """Handles a cancellation like any other error."""

    fails = "test_a_cancellation_passes_through"

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        try:
            return await super().poll(batch)
        except asyncio.CancelledError:
            return BatchStatus(BatchPhase.IN_PROGRESS)


class Closed(Shop):
    fails = "test_its_limits_let_something_through"
    limits = Limits(max_requests=0)


class Terse(Shop):
    """Returns one sentence in place of a list."""

    fails = "test_a_check_says_what_is_wrong_in_sentences"

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        return "All is well."


# --- live ------------------------------------------------------------------------------------------------------


class Anonymous(Echo):
    """Answers under its own number."""

    fails = "test_an_answer_is_a_result_under_its_custom_id"
    numbers = itertools.count()

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        result = await super().complete(custom_id, body, endpoint=endpoint)
        return replace(result, custom_id=f"number {next(self.numbers)}")


class Mixing(Echo):
    """Keeps the current call on the object."""

    fails = "test_many_at_a_time_keep_their_own_answers"

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        self.custom_id = custom_id
        return replace(await super().complete(custom_id, body, endpoint=endpoint), custom_id=self.custom_id)


class Raising(Echo):
    """Raises an error that concerns only one row."""

    fails = "test_a_refused_request_is_a_failure"

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        assert body["messages"]
        return await super().complete(custom_id, body, endpoint=endpoint)


class Hoping(Echo):
    """Marks refused requests for a retry."""

    fails = "test_a_refused_request_is_a_failure"

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        result: Any = await super().complete(custom_id, body, endpoint=endpoint)
        return result if "messages" in body else replace(result, outcome=replace(result.outcome, transient=True))


class Deaf(Echo):
    """Continues when it is cancelled."""

    fails = "test_a_cancellation_passes_through"

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        while True:
            try:
                return await super().complete(custom_id, body, endpoint=endpoint)
            except BaseException:
                continue


class Mute(Echo):
    fails = "test_a_check_says_what_is_wrong_in_sentences"

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        return [""]

"""The tests of a BatchProvider. They need a service to test with: a sandbox, a recording, a fake."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

import msgspec

from ...answers.meaning import owner
from ...contracts import BatchProvider, Limits, RemoteBatch, Submission
from ...errors import CannotFind, NotKnownYet, RemoteMissing
from ...model import BatchPhase, BatchStatus, Body, Failure, Response, Result
from .plugin import PATIENCE, PluginConformance, explained, failure, no_json, passes_cancellation, sentences

NOBODYS = "batchd-conformance-no-such-batch"


class ProviderConformance(PluginConformance):
    """The tests that both kinds of providers share."""

    model: ClassVar[str] = "sandbox-small"
    endpoint: ClassVar[str] = "/v1/chat/completions"

    def make(self) -> Any:
        """A new provider object, connected to the test service."""
        raise NotImplementedError("Write make(self): it returns a new provider, connected to a service to test by.")

    def bodies(self) -> Sequence[Body]:
        """Bodies of requests that the service answers."""
        return [
            {"model": self.model, "messages": [{"role": "user", "content": text}], "max_tokens": 20}
            for text in ("Say one.", "Say two.\u2028Or three?", "Đẹp 👍🏽")
        ]

    async def test_a_check_says_what_is_wrong_in_sentences(self, provider: Any) -> None:
        """`check` returns a list, empty if all is well."""
        sentences(await provider.check([self.model]), "check()")


class BatchProviderConformance(ProviderConformance):
    """Inherit it and write `make`, which connects to a service that answers within seconds.

    class TestMyProvider(BatchProviderConformance):
        def make(self) -> MyProvider:
            return MyProvider(MyProvider.Settings(base_url=..., api_key="env:KEY"))

    A test calls `make` several times, and all these objects must use the same service, as a restarted daemon does.
    """

    pause: ClassVar[float] = 0.05
    """Seconds between two polls."""

    # --- results ---------------------------------------------------------------------------------------------

    async def test_every_request_is_answered_by_its_custom_id(self, provider: BatchProvider[Any]) -> None:
        """The answers are those to the requests, in any order, and no others."""
        submission, results = await self._answered(provider)
        custom_ids = {request["custom_id"] for request in submission.requests_in_file()}
        got = {result.custom_id for result in results}
        assert got == custom_ids, (
            f"Asked under {sorted(custom_ids)}, answered under {sorted(map(str, got))}. A Result carries the "
            "custom_id of its request in the file, never a number or an id of the service."
        )

    async def test_no_request_is_answered_twice(self, provider: BatchProvider[Any]) -> None:
        """One Result for each request."""
        _, results = await self._answered(provider)
        ids = [result.custom_id for result in results]
        doubles = sorted({each for each in ids if ids.count(each) > 1})
        assert not doubles, f"results() answers {doubles} more than once; the first would win, the rest is waste."

    async def test_an_outcome_is_a_response_or_a_failure(self, provider: BatchProvider[Any]) -> None:
        """Each outcome is a Response with the unchanged body, or a Failure."""
        _, results = await self._answered(provider)
        for result in results:
            outcome_is_sound(result)

    async def test_results_can_be_fetched_again(self, provider: BatchProvider[Any]) -> None:
        """batchd repeats a download that broke off, from its beginning."""
        submission, remote = await self._ended(provider)
        first = [result.custom_id async for result in provider.results(remote)]
        again = [result.custom_id async for result in provider.results(remote)]
        assert sorted(map(str, first)) == sorted(map(str, again)), (
            f"Fetched again, batch {remote.id} of {submission.requests} requests gave {len(again)} answers instead "
            f"of {len(first)}. Fetching must not use answers up."
        )

    async def test_a_download_is_lines_of_the_batch_format(self, provider: BatchProvider[Any]) -> None:
        """One JSON object a line, each with its newline and its custom_id."""
        submission, remote = await self._ended(provider)
        target = io.BytesIO()
        await provider.download(remote, target)
        content = target.getvalue()
        assert content.endswith(b"\n"), f"The download ends in {content[-20:]!r}; every line ends in a newline."
        custom_ids = {request["custom_id"] for request in submission.requests_in_file()}
        for line in content.splitlines():
            whose = owner(line)
            assert whose in custom_ids, (
                f"The custom_id {whose!r} of the downloaded line {line[:200]!r} is of no request."
            )

    # --- submitting and finding ------------------------------------------------------------------------------

    async def test_a_submitted_batch_is_found_and_there_is_one(self, provider: BatchProvider[Any]) -> None:
        """`find` returns the one batch that `submit` created, or raises CannotFind or NotKnownYet."""
        submission, batch = await self._submitted(provider)
        remote: object = batch.id
        assert isinstance(remote, str), f"submit() returned {remote!r}; it must return the provider's id, as text."
        assert remote, "submit() returned an empty id; nothing could be asked about the batch any more."
        remotes = await self._find(provider, submission)
        assert remotes is None or remotes == [remote], (
            f"submit() returned {remote!r}, find() looked up {remotes!r}. More than one id: submit() repeats the "
            "call that costs money. None: batchd would create the batch again, and it would be paid twice."
        )

    async def test_what_was_never_submitted_is_not_found(self, provider: BatchProvider[Any]) -> None:
        """An empty result means that there is none; CannotFind and NotKnownYet, that the service cannot tell."""
        await self._submitted(provider)
        submission = self._submission()
        submission = dataclasses.replace(submission, upload=await provider.upload(submission))
        with explained(
            "find() of a submission that has no batch raised",
            ". Return [] if there is none, raise CannotFind if the service cannot tell, NotKnownYet if it cannot tell "
            "yet.",
        ):
            remotes = await self._find(provider, submission)
        assert not remotes, f"find() of a submission that was never made into a batch returned {remotes!r}."

    async def test_an_upload_may_be_repeated(self, provider: BatchProvider[Any]) -> None:
        """The response may be lost: upload the same file again, then create the batch from the second upload."""
        submission = self._submission()
        uploads: list[Any] = [await provider.upload(submission)]
        with explained(
            "Uploading the same file a second time raised",
            ". The answer to an upload may be lost; `submission.attempt` counts them, in case names must differ.",
        ):
            uploads.append(await provider.upload(dataclasses.replace(submission, attempt=2)))
        for upload in uploads:
            assert upload is None or (isinstance(upload, str) and upload), (
                f"upload() returned {upload!r}; return the file's id as text, or None if there is nothing to keep."
            )
        submission = dataclasses.replace(submission, attempt=2, upload=uploads[1])
        remote = await provider.submit(submission)
        status = await provider.poll(RemoteBatch(remote, submission.key, {}))
        assert status.phase is not BatchPhase.FAILED, f"A batch of a file that was uploaded twice: {status!r}."

    async def test_many_batches_at_a_time_do_not_mix(self, provider: BatchProvider[Any]) -> None:
        """All methods may be called concurrently."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._answered(provider)) for _ in range(4)]
        for submission, results in (task.result() for task in running):
            strangers = [str(each.custom_id) for each in results if str(each.custom_id).startswith("batchd-")]
            mixed = [each for each in strangers if not each.startswith(submission.key)]
            assert not mixed, f"Of four batches at a time, {submission.key} was given the answers {mixed}."

    # --- polling ---------------------------------------------------------------------------------------------

    async def test_a_status_can_be_stored(self, provider: BatchProvider[Any]) -> None:
        """The phase is a BatchPhase, the counts are whole numbers, the details are JSON."""
        _, batch = await self._submitted(provider)
        status = await provider.poll(batch)
        assert isinstance(status, BatchStatus), f"poll() returned {status!r}; it must return a BatchStatus."
        assert isinstance(status.phase, BatchPhase), f"The phase is {status.phase!r}; use batchd.BatchPhase."
        for name in ("total", "completed", "failed"):
            count = getattr(status, name)
            whole = isinstance(count, int) and not isinstance(count, bool)
            assert whole, f"`{name}` is {count!r}; it must be a whole number, 0 if it is not known."
        details = dict(status.details)
        assert not no_json(details), f"`details` hold {no_json(details)}; they are kept as JSON."

    async def test_a_batch_that_is_not_there_is_missing(self, provider: BatchProvider[Any]) -> None:
        """Raises RemoteMissing, so that batchd asks its rows again instead of waiting for it."""
        with explained("poll() of a batch that does not exist raised", ", not RemoteMissing."):
            try:
                status = await provider.poll(RemoteBatch(NOBODYS, "nobodys", {}))
            except RemoteMissing:
                return
        raise AssertionError(f"poll() of a batch that does not exist returned {status!r}; raise RemoteMissing.")

    async def test_another_object_goes_on_where_one_left_off(self, provider: BatchProvider[Any]) -> None:
        """The daemon may be killed at any time; then it knows only the batch's id, key and details."""
        _, batch = await self._submitted(provider)
        with explained(
            "A new provider object, as after a restart, could not go on with the batch:",
            ". Keep nothing about a batch in the object; what is needed later goes into `details`.",
        ):
            details = msgspec.json.decode(msgspec.json.encode(await self._details(provider, batch)))
            async with self._opened() as another:
                ended = await self._until_ended(another, RemoteBatch(batch.id, batch.key, details))
                answered = [result async for result in another.results(ended)]
        assert answered, f"After a restart not one of the answers of batch {batch.id} was there."

    # --- the rest --------------------------------------------------------------------------------------------

    async def test_a_cancelled_batch_can_still_be_polled_and_forgotten(self, provider: BatchProvider[Any]) -> None:
        """`cancel` asks, `poll` shows the result; a second `forget` has no effect."""
        submission, batch = await self._submitted(provider)
        batch = RemoteBatch(batch.id, batch.key, await self._details(provider, batch))
        await provider.cancel(batch)
        await self._until_ended(provider, batch)
        with explained(
            "forget() of a batch that is done, or the second one of the same batch, raised",
            ". What is not there any more is forgotten.",
        ):
            await provider.forget(submission)
            await provider.forget(submission)

    async def test_a_cancellation_passes_through(self, provider: BatchProvider[Any]) -> None:
        """The daemon cancels running calls when it stops."""
        submission, batch = await self._submitted(provider)
        await passes_cancellation(provider.poll(batch), "poll()")
        await passes_cancellation(provider.upload(self._submission()), "upload()")
        await passes_cancellation(provider.find(submission), "find()")
        ended = await self._until_ended(provider, batch)
        await passes_cancellation(provider.download(ended, io.BytesIO()), "download()")

    def test_its_limits_let_something_through(self) -> None:
        """Each limit is a positive number, or None for no limit."""
        limits = self.make().limits
        assert isinstance(limits, Limits), f"`limits` is {limits!r}; it must be batchd.Limits."
        for name, value in dataclasses.asdict(limits).items():
            optional = name in {"max_line_bytes", "max_enqueued_tokens"}
            good = (optional and value is None) or (isinstance(value, int) and value > 0)
            assert good, f"`limits.{name}` is {value!r}, so nothing could ever be sent."

    # --- how -------------------------------------------------------------------------------------------------

    async def _open(self, provider: BatchProvider[Any]) -> None:
        with suppress(Exception):
            # As in the daemon, an exception is ignored: the first call that needs the preparation fails as well.
            await provider.aopen()

    def _submission(self) -> Submission:
        key = f"batchd-{secrets.token_hex(4)}"
        file = self.folder / f"batchd-{key}.jsonl"
        bodies = self.bodies()
        with file.open("wb") as lines:
            for number, body in enumerate(bodies):
                line = {"custom_id": f"{key}-{number}", "method": "POST", "url": self.endpoint, "body": body}
                lines.write(msgspec.json.encode(line) + b"\n")
        size = file.stat().st_size
        return Submission(key, file, len(bodies), size, self.model, self.endpoint, timeout=PATIENCE)

    async def _submitted(self, provider: BatchProvider[Any]) -> tuple[Submission, RemoteBatch]:
        submission = self._submission()
        submission = dataclasses.replace(submission, upload=await provider.upload(submission))
        return submission, RemoteBatch(await provider.submit(submission), submission.key, {})

    async def _ended(self, provider: BatchProvider[Any]) -> tuple[Submission, RemoteBatch]:
        submission, batch = await self._submitted(provider)
        return submission, await self._until_ended(provider, batch)

    async def _answered(self, provider: BatchProvider[Any]) -> tuple[Submission, list[Result]]:
        submission, remote = await self._ended(provider)
        return submission, [result async for result in provider.results(remote)]

    async def _until_ended(self, provider: BatchProvider[Any], batch: RemoteBatch) -> RemoteBatch:
        while True:
            status = await provider.poll(batch)
            batch = RemoteBatch(batch.id, batch.key, status.details)
            if status.phase.ended:
                return batch
            await asyncio.sleep(self.pause)

    async def _details(self, provider: BatchProvider[Any], batch: RemoteBatch) -> dict[str, Any]:
        details = dict((await provider.poll(batch)).details)
        return {} if no_json(details) else details

    async def _find(self, provider: BatchProvider[Any], submission: Submission) -> list[str] | None:
        try:
            return list(await provider.find(submission))
        except (CannotFind, NotKnownYet):
            return None


def outcome_is_sound(result: Result) -> None:
    """Check that a Result holds an answer or a Failure that can be stored."""
    assert isinstance(result, Result), f"{result!r} is not a batchd.Result."
    outcome = result.outcome
    if isinstance(outcome, Failure):
        failure(outcome, f"request {result.custom_id}")
        return
    assert isinstance(outcome, Response), (
        f"The outcome of {result.custom_id} is {outcome!r}; wrap the body of the answer: Response(body)."
    )
    assert not no_json(dict(outcome.body)), f"The answer to {result.custom_id} holds {no_json(dict(outcome.body))}."

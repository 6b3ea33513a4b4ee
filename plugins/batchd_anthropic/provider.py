"""The provider `anthropic`: creates a batch of messages, waits for its end, and translates the results."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING

from batchd import (
    BatchesFound,
    BatchPhase,
    BatchStatus,
    CallKind,
    FindsBatches,
    HttpBatchProvider,
    HttpCall,
    HttpLiveProvider,
    Json,
    Limits,
    LiveAnswer,
    LiveCall,
    NotSent,
    OptionalPackage,
    Problem,
    ProviderError,
    Purged,
    RemoteBatch,
    RemoteMissing,
    Submission,
    SubmissionRefused,
    TransientError,
    read_count,
    read_id,
    read_moment,
)

from .answers import output_line
from .bodies import Translate, translator
from .content import Untranslatable
from .settings import AnthropicSettings
from .writing import TooManyBytes, written

if TYPE_CHECKING:
    from .client import Client

PACKAGE = OptionalPackage("anthropic", "anthropic", "provider anthropic")
LIMITS = Limits(max_requests=100_000, max_bytes=250_000_000, max_line_bytes=32_000_000)
"""Anthropic takes 100,000 requests or 256 MB."""
KEPT_SECONDS = 29 * 86_400.0
"""The service keeps a batch's results for this long, counted from its creation."""
REQUESTS = "requests"
"""Key in a batch's details: how many requests it has."""
SHORT_DOWNLOADS = 3
"""After this many downloads with fewer results than requests, batchd believes that there are no more."""
_MAX_LINE = 64_000_000
_PHASES = {"in_progress": BatchPhase.IN_PROGRESS, "canceling": BatchPhase.CANCELLING}


class AnthropicProvider(HttpBatchProvider[AnthropicSettings], HttpLiveProvider[AnthropicSettings], FindsBatches):
    """Anthropic's Messages, in batches and by live calls, for requests written for OpenAI's chat completions."""

    Settings = AnthropicSettings
    limits = LIMITS

    def __init__(self, settings: AnthropicSettings) -> None:
        super().__init__(settings)
        self.warms_caches = settings.warm_up
        self._keys: dict[str, str | None] = {}
        """The key of each batch at the service, as far as it is known; None for a batch that is not ours."""
        self._short: Counter[str] = Counter()

    @cached_property
    def _client(self) -> Client:
        PACKAGE.require()
        # Imported here: the SDK takes more than a second to import, and other commands do not need it.
        from .client import Client

        return Client(self.settings)

    async def aopen(self) -> None:
        """Import the SDK and prepare its client in a thread, since that takes more than a second."""
        await asyncio.to_thread(lambda: self._client.prepare())

    def account(self) -> Mapping[str, str]:
        """The key and the address."""
        return {"API key": self.settings.api_key.for_header(), "address": self.settings.place}

    async def answer(self, call: LiveCall) -> LiveAnswer:
        """One POST of a message."""
        client = self._client
        from .live import answer

        return await answer(client, call)

    async def find_batches(self) -> BatchesFound:
        """Ask for the list of batches and, if there is none, for that of models."""
        if not PACKAGE.is_installed:
            return BatchesFound(None, PACKAGE.advice)
        from .live import find_batches

        return await find_batches(self._client)

    async def upload(self, submission: Submission) -> None:
        """Send nothing, but refuse requests that cannot be translated here, before anything is paid."""
        PACKAGE.require()
        await asyncio.to_thread(self._write, submission, None)

    async def submit(self, submission: Submission) -> str:
        """Create the batch with one POST, which is never repeated here."""
        client = self._client
        # A little less than the daemon's own limit, so that the daemon learns how much was sent.
        within = submission.timeout - min(1.0, submission.timeout / 20)
        loop = asyncio.get_running_loop()
        began = loop.time()
        with _scratch(submission) as body:
            size = await asyncio.to_thread(self._spooled, submission, body)
            call = HttpCall("create a batch", CallKind.CREATE)
            left = max(1.0, within - (loop.time() - began))
            answer = await client.create(
                call, _chunks(body), size, key=submission.create_key or submission.key, within=left
            )
        remote = self.require_id(read_id(answer.get("id")), "the call that creates a batch, but without its id")
        self._keys[remote] = submission.key
        return remote

    async def find(self, submission: Submission) -> Sequence[str]:
        """The batches whose results have our key. Raises `NotKnownYet` while one that could be ours is under way."""
        client = self._client
        from .finding import find

        return await find(client, submission, self._keys, lambda record: status_of(record).total)

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """How far the batch is, in OpenAI's terms."""
        record = await self._client.get(HttpCall(f"describe the batch {batch.id}"), "messages", "batches", batch.id)
        self._keys[batch.id] = batch.key
        return status_of(record)

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        """Stream the results into `target`, each translated into OpenAI's form."""
        call = HttpCall(f"send the results of the batch {batch.id}")
        rest, arrived = b"", 0
        async with self._client.streaming(call, "messages", "batches", batch.id, "results") as chunks:
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _MAX_LINE:
                    raise ProviderError(f"A result of the batch {batch.id} has more than {_MAX_LINE / 1e6:.0f} MB.")
                for line in lines:
                    arrived += target.write(output_line(line, batch.key)) > 0
        arrived += target.write(output_line(rest, batch.key)) > 0
        self._check_whole(batch, arrived)

    def _check_whole(self, batch: RemoteBatch, arrived: int) -> None:
        """Raise if results are missing: a body that broke off can look complete, and its rows would be paid again."""
        wanted = batch.details.get(REQUESTS)
        if not isinstance(wanted, int) or arrived >= wanted:
            return
        self._short[batch.id] += 1
        if self._short[batch.id] < SHORT_DOWNLOADS:
            raise TransientError(
                f"Only {arrived} of {wanted} results of the batch {batch.id} arrived from {self.settings.base_url}."
            )

    async def ask_to_cancel(self, batch: RemoteBatch) -> None:
        """Ask the service to cancel the batch."""
        await self._client.post(HttpCall(f"cancel the batch {batch.id}"), "messages", "batches", batch.id, "cancel")

    async def purge(self, batch: RemoteBatch, submission: Submission) -> Purged:  # noqa: ARG002  # nothing was uploaded
        """Delete the batch with its requests and results, and check that it is gone."""
        return await self.delete_each([batch.id] if batch.id else [], self._delete)

    async def _delete(self, remote: str) -> bool:
        place = ("messages", "batches", remote)
        try:
            await self._client.delete(HttpCall(f"delete the batch {remote}"), *place)
        except RemoteMissing:
            return False
        with suppress(RemoteMissing):
            await self._client.get(HttpCall(f"describe the batch {remote}"), *place)
            raise ProviderError(f"{self.settings.base_url} still has it after it was asked to delete it.")
        return True

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """Check the package, the key, the address and the models. This creates nothing and costs nothing."""
        if not PACKAGE.is_installed:
            return [PACKAGE.advice]
        try:
            answer = await self._client.get(HttpCall("list its models"), "models", query={"limit": 1000})
        except RemoteMissing:
            return []  # a relay without a list of models
        except ProviderError as error:
            return [str(error)]
        listed = answer.get("data")
        if not isinstance(listed, list):
            return [f"{self.settings.base_url} did not return a list when asked to list its models."]
        known = {str(each["id"]) for each in listed if isinstance(each, dict) and "id" in each}
        if not known or answer.get("has_more") is True:
            return []
        return [
            f"{self.settings.base_url} does not offer the model {model} to this key. Correct `model` in the route."
            for model in models
            # An alias stands for a dated name: the service takes it, but does not list it.
            if not any(name == model or re.fullmatch(rf"{re.escape(model)}-\d{{8}}", name) for name in known)
            and not model.endswith("-latest")
        ]

    async def aclose(self) -> None:
        """Close the connections."""
        if "_client" in vars(self):
            await self._client.aclose()

    def _spooled(self, submission: Submission, body: IO[bytes]) -> int:
        try:
            self._write(submission, body)
            size = body.tell()
            body.seek(0)
        except OSError as error:
            raise _unwritten(error) from None
        return size

    def _write(self, submission: Submission, body: IO[bytes] | None) -> None:
        """Translate all requests, and write them to `body`, if given. Raises SubmissionRefused if one cannot be."""
        problems: list[Problem] = []
        try:
            for piece in written(submission, self._translator(submission), problems):
                if body is not None:
                    body.write(piece)
        except TooManyBytes as error:
            problems.append(Problem("request_too_large", str(error)))
        if problems:
            raise SubmissionRefused(problems[0].message, problems=problems)

    def _translator(self, submission: Submission) -> Translate:
        try:
            return translator(submission.endpoint, max_tokens=self.settings.max_tokens)
        except Untranslatable as error:
            raise SubmissionRefused(str(error), problems=(Problem(error.code, str(error)),)) from None


def status_of(record: Mapping[str, Json]) -> BatchStatus:
    """The status in a batch record of the service."""
    counts = record.get("request_counts")
    number = {name: read_count(value) for name, value in (counts.items() if isinstance(counts, Mapping) else ())}
    succeeded, errored = number.get("succeeded", 0), number.get("errored", 0)
    expired, cancelled = number.get("expired", 0), number.get("canceled", 0)
    state = str(record.get("processing_status"))
    if state == "ended":
        phase = BatchPhase.CANCELLED if cancelled else BatchPhase.EXPIRED if expired else BatchPhase.COMPLETED
    else:
        # An unknown state does not count as the end.
        phase = _PHASES.get(state, BatchPhase.IN_PROGRESS)
    created = read_moment(record.get("created_at"))
    return BatchStatus(
        phase,
        total=sum(number.values()),
        completed=succeeded,
        failed=errored + expired + cancelled,
        details={REQUESTS: sum(number.values())},
        answers_until=None if created is None else created + KEPT_SECONDS,
    )


def _scratch(submission: Submission) -> IO[bytes]:
    """An unnamed file beside the batch's input file."""
    try:
        return tempfile.TemporaryFile(dir=submission.file.parent)
    except OSError as error:
        raise _unwritten(error) from None


def _unwritten(error: OSError) -> NotSent:
    return NotSent(f"The batch cannot be written to the working files before it is sent: {error}.")


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, 256_000):
        yield chunk

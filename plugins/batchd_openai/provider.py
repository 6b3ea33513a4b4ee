"""The provider `openai`: files up, a batch out of each, answers down."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from batchd import (
    BatchPhase,
    BatchProvider,
    BatchStatus,
    CannotFind,
    Json,
    ProviderError,
    RejectedError,
    RemoteBatch,
    RemoteMissing,
    Result,
    Submission,
    TransientError,
)

from .checking import check
from .download import NotThereYet, fetch
from .lines import result_of
from .listing import everything
from .normalise import OWED, identifier, instant, size_of, status_of, unwrap
from .retrying import with_retries
from .settings import OpenAISettings
from .wire import Call, Kind

if TYPE_CHECKING:
    from .client import Client

_MIN_UPLOAD = 60.0
_GONE = frozenset({"error", "deleted", "deleting", "expired", "failed"})
_NO_SUCH = re.compile(r"not[ _]?found|no such|does not exist", re.IGNORECASE)


class OpenAIProvider(BatchProvider[OpenAISettings]):
    """OpenAI's Batch API, and those of the many services that offer the same calls."""

    Settings = OpenAISettings

    def __init__(self, settings: OpenAISettings) -> None:
        super().__init__(settings)
        self.completion_window = settings.window
        self._made: Client | None = None

    @property
    def _client(self) -> Client:
        if self._made is None:
            # Only now: the SDK takes more than a second to import, and no other command of batchd needs it.
            from .client import Client

            self._made = Client(self.settings)
        return self._made

    async def aopen(self) -> None:
        """Import the SDK and make its connections ready, beside the event loop: it takes more than a second."""
        await asyncio.to_thread(lambda: self._client.prepare())

    async def upload(self, submission: Submission) -> str:
        """The id of the uploaded file; a file that an earlier try has left there is taken instead of another one."""
        attempt = submission.attempt
        # Not among the tries below: each look is tried a few times by itself, and a service that is down would get
        # the product of both.
        found = await self._uploaded(submission) if attempt > 1 else None
        if found is not None:
            return found

        async def once() -> str:
            nonlocal attempt
            found = await self._uploaded(submission) if attempt > submission.attempt else None
            if found is None:
                name, attempt = f"batchd-{submission.key}-{attempt}.jsonl", attempt + 1
                found = await self._upload(submission, name)
            return found

        return await with_retries(once)

    async def submit(self, submission: Submission) -> str:
        """Create the batch, with one POST that is never repeated here."""
        settings = self.settings
        body: dict[str, Json] = {
            **settings.extra_body,
            "input_file_id": submission.upload,
            "endpoint": submission.endpoint,
            "completion_window": settings.completion_window,
        }
        if settings.metadata:
            body["metadata"] = {**settings.extra_body.get("metadata", {}), "batchd_key": submission.key}
        call = Call("create a batch", Kind.CREATE, about=submission.upload)
        answer = await self._client.create(call, "/batches", body, within=submission.timeout)
        batch = unwrap(answer)
        remote = identifier(batch.get("id")) or identifier(batch.get("batch_id"))
        if remote is None:
            raise TransientError(f"{settings.base_url} answered to the creation of a batch, but without an id of it.")
        return remote

    async def find(self, submission: Submission) -> Sequence[str]:
        """Look through every page for batches made from our file, or marked with our key."""
        found: dict[str, float] = {}
        silent = False
        call = Call("list its batches", Kind.LOOK)
        try:
            async for batch in everything(self._client, call, "batches", {"limit": 100}):
                remote = identifier(batch.get("id"))
                if remote is not None and _is_of(batch, submission):
                    found[remote] = instant(batch.get("created_at"))
                silent = silent or not ("input_file_id" in batch or "metadata" in batch)
        except CannotFind:
            # What was found is there, whatever stands on the pages that could not be seen.
            if not found:
                raise
        if silent and not found:
            raise CannotFind(f"{self.settings.base_url} lists its batches without saying which file each is made from.")
        return _oldest_first(found)

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """The batch's state, in OpenAI's words whatever the service's are."""
        service = self.settings.base_url
        answer = await self._client.get(Call(f"describe the batch {batch.id}", about=batch.id), "batches", batch.id)
        record = unwrap(answer)
        if "status" not in record or not isinstance(record["status"], str):
            said = str(record.get("error") or record.get("message") or record)[:300]
            if _NO_SUCH.search(said):
                raise RemoteMissing(f"{service} does not know the batch {batch.id} any more: {said}")
            raise TransientError(f"{service} described the batch {batch.id} without its status: {said}")
        return status_of(record)

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        """Stream the answers and then the errors into `target`. Either file may be missing; both are tried."""
        details = batch.details
        if not _files(details) or details.get(OWED):
            # Ids have been seen to appear later than the end of the batch, and a double comes without any.
            details = (await self.poll(batch)).details
        missing: NotThereYet | None = None
        if details.get(OWED):
            missing = NotThereYet(
                f"{self.settings.base_url} says that it has answers of the batch {batch.id} and names no file. "
                "It may do so in some minutes."
            )
        for file in _files(details):
            try:
                await fetch(self._client, file, target)
            except NotThereYet as error:
                missing = error
        if missing is not None:
            raise missing

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        """Every line that can be read, out of a temporary file."""
        with tempfile.TemporaryFile() as answers:
            await self.download(batch, answers)
            answers.seek(0)
            # Bytes, so that lines end at newlines only: text would be cut at U+2028 and others as well.
            for line in answers:
                result = result_of(line)
                if result is not None:
                    yield result

    async def cancel(self, batch: RemoteBatch) -> None:
        """Ask the service to stop. A batch that has ended needs no stopping, though services refuse it differently."""
        try:
            await self._client.post(Call(f"cancel the batch {batch.id}", about=batch.id), "batches", batch.id, "cancel")
        except RejectedError:
            raise
        except ProviderError as refusal:
            if not await self._stopping(batch):
                raise refusal from None

    async def forget(self, submission: Submission) -> None:
        """Delete the input file, and those that lost tries may have left."""
        if submission.upload:
            await self._delete(submission.upload)
        if submission.attempt > 1:
            for file in await self._ours(submission):
                await self._delete(str(file["id"]))

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """Key, address, models and whether there is a Batch API at all."""
        return await check(self._client, models)

    async def aclose(self) -> None:
        """Let go of connections."""
        if self._made is not None:
            await self._made.aclose()

    async def _upload(self, submission: Submission, name: str) -> str:

        within = _MIN_UPLOAD + submission.size / self.settings.slowest_upload
        # Opened here and not in a thread: a cancellation must not come between the opening and the closing.
        with submission.file.open("rb") as file:  # a local file opens at once
            answer = await self._client.upload(
                Call("take a file", Kind.UPLOAD),
                "/files",
                {"purpose": self.settings.purpose},
                (name, file, "application/jsonl"),
                within=within,
            )
        uploaded = identifier(unwrap(answer).get("id"))
        if uploaded is None:
            raise TransientError(f"{self.settings.base_url} answered to an upload, but without an id of the file.")
        return uploaded

    async def _uploaded(self, submission: Submission) -> str | None:
        """A file of ours that is there already and has the right size; of others, cut ones say, it is freed."""
        whole = None
        for file in await self._ours(submission):
            size = size_of(file)
            if size == submission.size and str(file.get("status")).lower() not in _GONE:
                whole = whole or str(file["id"])
            elif size is not None:
                # It is in nobody's way, so nothing fails over it.
                with suppress(ProviderError):
                    await self._delete(str(file["id"]))
        return whole

    async def _ours(self, submission: Submission) -> list[Mapping[str, Json]]:
        """The service's files that are uploads of this submission, of whichever attempt."""
        name = re.compile(rf"batchd-{re.escape(submission.key)}-\d+\.jsonl")
        call = Call("list its files", Kind.LOOK)
        files = everything(self._client, call, "files", {"purpose": self.settings.purpose})
        ours: list[Mapping[str, Json]] = []
        # Where they cannot be listed they are left behind: they cost nothing and expire.
        with suppress(CannotFind):
            ours.extend([file async for file in files if file.get("id") and name.fullmatch(str(file.get("filename")))])
        return ours

    async def _delete(self, file: str) -> None:

        with suppress(RemoteMissing):
            await self._client.delete(Call(f"delete the file {file}", about=file), "files", file)

    async def _stopping(self, batch: RemoteBatch) -> bool:
        try:
            phase = (await self.poll(batch)).phase
        except RemoteMissing:
            return True
        return phase.ended or phase is BatchPhase.CANCELLING


def _oldest_first(created: Mapping[str, float]) -> list[str]:
    """By the second, which is all that is told; within it against the order of a list that begins with the newest."""
    listed = list(created)
    if listed and created[listed[0]] >= created[listed[-1]]:
        listed.reverse()
    return sorted(listed, key=lambda remote: created[remote])


def _is_of(batch: Mapping[str, Json], submission: Submission) -> bool:
    if submission.upload and identifier(batch.get("input_file_id")) == submission.upload:
        return True
    metadata = batch.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("batchd_key") == submission.key


def _files(details: Mapping[str, Json]) -> list[str]:
    """The ids of the files to fetch, each once: one service gives the same id for answers and errors."""
    ids = (identifier(details.get(key)) for key in ("output_file_id", "error_file_id"))
    return list(dict.fromkeys(id_ for id_ in ids if id_))

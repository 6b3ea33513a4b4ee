"""The provider `openai`: uploads a file, creates a batch from it, downloads the answers."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import IO, TYPE_CHECKING

from batchd import (
    BatchesFound,
    BatchStatus,
    CallKind,
    CannotFind,
    FindsBatches,
    HttpBatchProvider,
    HttpCall,
    HttpLiveProvider,
    Json,
    LiveAnswer,
    LiveCall,
    ProviderError,
    Purged,
    RemoteBatch,
    RemoteMissing,
    Submission,
    TransientError,
    read_id,
    with_retries,
)

from .checking import check
from .download import NotThereYet, fetch
from .keeping import answers_until
from .listing import everything
from .normalise import OWED, size_of, status_of, unwrap
from .pacing import OpenAIPacing
from .settings import LIMITS, Access, OpenAISettings

if TYPE_CHECKING:
    from .client import Client
    from .live import LiveClient

_KEPT_WITHIN = 20.0
_MAX_SENT_AGAIN = 1_000
_GONE = frozenset({"error", "deleted", "deleting", "expired", "failed"})
_NO_SUCH = re.compile(r"not[ _]?found|no such|does not exist", re.IGNORECASE)


class OpenAIProvider(HttpBatchProvider[OpenAISettings], HttpLiveProvider[OpenAISettings], FindsBatches):
    """OpenAI's Batch API and its endpoints with immediate answers, and the same calls of many other services."""

    Settings = OpenAISettings
    limits = LIMITS

    def __init__(self, settings: OpenAISettings, *, pacing: OpenAIPacing | None = None) -> None:
        super().__init__(settings)
        self._pacing = pacing or OpenAIPacing()
        self.completion_window = settings.window
        # The keys whose file was sent again within one upload, the last ones: the service may have it twice.
        self._sent_again: dict[str, None] = {}

    @cached_property
    def _client(self) -> Client:
        # Imported here: the SDK takes long to import, and other commands do not need it.
        from .client import Client

        return Client(self.settings, self._pacing)

    @cached_property
    def _live(self) -> LiveClient:
        from .live import LiveClient

        return LiveClient(self.settings)

    async def aopen(self) -> None:
        """Import the SDK in a thread, and read the certificates meanwhile, in another."""

        def certificates() -> ssl.SSLContext:
            import httpx2

            return httpx2.create_ssl_context()

        (client, live), trusted = await asyncio.gather(
            asyncio.to_thread(lambda: (self._client, self._live)), asyncio.to_thread(certificates)
        )
        client.prepare(trusted)
        live.prepare(trusted)

    async def aopen_live(self) -> None:
        """Prepare live calls alone, which need no SDK."""
        await asyncio.to_thread(lambda: self._live.prepare())  # the property imports, so it is read in the thread, too

    async def answer(self, call: LiveCall) -> LiveAnswer:
        """One POST to the endpoint of the call."""
        return await self._live.answer(call)

    async def find_batches(self) -> BatchesFound:
        """Ask for the list of batches and, if there is none, for the files and the models."""
        from .lanes import find_batches

        return await find_batches(self._live)

    def account(self) -> Mapping[str, str]:
        """The key, the organization, the project and the address, and what is added to every call."""
        return Access.read(self.settings).account(self.settings)

    async def upload(self, submission: Submission) -> str:
        """The id of the uploaded file. A file that an earlier try uploaded is used again."""
        attempt = submission.attempt
        # Outside the retries below: the look-up retries too, and a service that is down would get the product of both.
        existing = await self._uploaded(submission) if attempt > 1 else None
        if existing is not None:
            return existing

        async def once() -> str:
            nonlocal attempt
            existing = await self._uploaded(submission) if attempt > submission.attempt else None
            if existing is not None:
                return existing
            if attempt > submission.attempt:
                self._note_sent_again(submission.key)
            name, attempt = f"batchd-{submission.key}-{attempt}.jsonl", attempt + 1
            return await self._upload(submission, name)

        return await with_retries(self._pacing, once)

    async def submit(self, submission: Submission) -> str:
        """Create the batch with one POST, which is never retried here."""
        settings = self.settings
        body: dict[str, Json] = {
            **settings.extra_body,
            "input_file_id": submission.upload,
            "endpoint": submission.endpoint,
            "completion_window": settings.completion_window,
        }
        if settings.metadata:
            marks = {"batchd_key": submission.key} | ({"batchd_rows": rows} if (rows := submission.rows_key) else {})
            body["metadata"] = {**settings.extra_body.get("metadata", {}), **marks}
        call = HttpCall("create a batch", CallKind.CREATE, about=submission.upload)
        headers = {"Idempotency-Key": submission.create_key or submission.key} if settings.idempotency_key else {}
        answer = await self._client.post_once(call, "/batches", body, within=submission.timeout, headers=headers)
        batch = unwrap(answer)
        remote = read_id(batch.get("id")) or read_id(batch.get("batch_id"))
        return self.require_id(remote, "the call that creates a batch, but without its id")

    async def find(self, submission: Submission) -> Sequence[str]:
        """Look through every page for batches created from the submission's file, or marked with its key."""
        from .finding import find, is_of

        return await find(self._client, self.settings.base_url, lambda batch: is_of(batch, submission))

    async def find_rows(self, submission: Submission) -> Sequence[str]:
        """Look for batches marked with the same rows."""
        if not (self.settings.metadata and submission.rows_key):
            raise CannotFind("Batches are not marked with their rows (metadata = false).")
        from .finding import find, has_rows

        return await find(self._client, self.settings.base_url, lambda batch: has_rows(batch, submission))

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """The batch's state, in OpenAI's terms."""
        service = self.settings.base_url
        answer = await self._client.get(HttpCall(f"describe the batch {batch.id}", about=batch.id), "batches", batch.id)
        record = unwrap(answer)
        if "status" not in record or not isinstance(record["status"], str):
            text = str(record.get("error") or record.get("message") or record)[:300]
            if _NO_SUCH.search(text):
                raise RemoteMissing(f"{service} does not know the batch {batch.id} any more: {text}")
            raise TransientError(f"{service} described the batch {batch.id} without its status: {text}")
        status = status_of(record)
        return replace(status, answers_until=await self._kept_until(record, status)) if status.phase.ended else status

    async def _kept_until(self, record: Mapping[str, Json], status: BatchStatus) -> float | None:
        """When the service deletes the answers, as far as it can be known."""
        file: Mapping[str, Json] = {}
        for name in _files(status.details)[:1]:
            # Not worth a second try or a failed poll: it only tells batchd what to hurry for.
            with suppress(ProviderError, TimeoutError):
                async with asyncio.timeout(_KEPT_WITHIN):
                    file = await self._client.described(name)
        return answers_until(record, file, self.settings)

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        """Stream the errors into `target`, then the answers, whose last line may be cut off. Try both files."""
        details = batch.details
        if not _files(details) or details.get(OWED):
            # File ids can appear after the batch has ended, and a duplicate batch comes without any.
            details = (await self.poll(batch)).details
        missing: NotThereYet | None = None
        if details.get(OWED):
            missing = NotThereYet(
                f"{self.settings.base_url} says that it has answers of the batch {batch.id}, but names no file. "
                "It may name one in some minutes."
            )
        for file in reversed(_files(details)):
            try:
                await fetch(self._client, file, target)
            except NotThereYet as error:
                missing = error
        if missing is not None:
            raise missing

    async def ask_to_cancel(self, batch: RemoteBatch) -> None:
        """Ask the service to cancel the batch."""
        call = HttpCall(f"cancel the batch {batch.id}", about=batch.id)
        await self._client.post(call, "batches", batch.id, "cancel")

    async def forget(self, submission: Submission) -> None:
        """Delete the input file, and any that failed tries left behind."""
        if submission.upload:
            await self._delete(submission.upload)
        # Not for each batch: to look means to list all files of the account.
        if submission.attempt > 1 or submission.key in self._sent_again:
            for file in await self._ours(submission):
                await self._delete(str(file["id"]))
            self._sent_again.pop(submission.key, None)

    async def purge(self, batch: RemoteBatch, submission: Submission) -> Purged:
        """Delete the input file, the answers and the errors, and check that they are gone."""
        details = batch.details
        if batch.id and not _files(details):
            with suppress(RemoteMissing):
                details = (await self.poll(batch)).details
        files = [file for file in (submission.upload, *_files(details)) if file]

        async def delete(file: str) -> bool:
            known = await self._delete(file)
            if await self._is_there(file):
                raise ProviderError(f"{self.settings.base_url} still has it after it was asked to delete it.")
            return known

        purged = await self.delete_each(dict.fromkeys(files), delete)
        # Last, so that these are gone even if the list never comes. Any upload may have been sent twice.
        try:
            left = {str(file["id"]): None for file in await self._ours(submission)}
        except ProviderError as error:
            return replace(purged, problems=(*purged.problems, f"uploads of failed tries, if there are any: {error}"))
        more = await self.delete_each([file for file in left if file not in files], delete)
        return Purged(
            [*purged.deleted, *more.deleted], [*purged.absent, *more.absent], [*purged.problems, *more.problems]
        )

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """Check the key, the address and the models."""
        return await check(self._client, models, find_batches=self.find_batches)

    async def aclose(self) -> None:
        """Close the connections."""
        for name in {"_client", "_live"} & vars(self).keys():
            await getattr(self, name).aclose()

    def _note_sent_again(self, key: str) -> None:
        self._sent_again[key] = None
        if len(self._sent_again) > _MAX_SENT_AGAIN:
            del self._sent_again[next(iter(self._sent_again))]

    async def _upload(self, submission: Submission, name: str) -> str:
        within = self._pacing.min_upload + submission.size / self.settings.slowest_upload
        call, settings = HttpCall("take a file", CallKind.UPLOAD), self.settings
        # Not opened in a thread: a cancellation between opening and closing would leak it. It is a local file.
        with submission.file.open("rb") as file:
            if settings.uploads == "storage":
                fields = {"purpose": settings.purpose, "file_name": name, "file_type": "jsonl"}
                uploaded = await self._client.upload_to_storage(
                    call, "/files", fields, file, submission.size, within=within
                )
            else:
                answer = await self._client.post_once(
                    call,
                    "/files",
                    {"purpose": settings.purpose},
                    within=within,
                    headers={settings.model_header: submission.model} if settings.model_header else {},
                    file=(name, file, "application/jsonl"),
                )
                uploaded = read_id(unwrap(answer).get("id"))
        return self.require_id(uploaded, "an upload, but without the id of the file")

    async def _uploaded(self, submission: Submission) -> str | None:
        """The id of an upload of ours that has the right size. Uploads of another size (broken ones) are deleted."""
        complete = None
        for file in await self._ours(submission):
            size = size_of(file)
            # A file that is in the storage but was not processed cannot be used.
            whole = size == submission.size and file.get("Processed") is not False
            if whole and str(file.get("status")).lower() not in _GONE:
                complete = complete or str(file["id"])
            elif size is not None:
                # A leftover file harms nothing, so a failed deletion is ignored.
                with suppress(ProviderError):
                    await self._delete(str(file["id"]))
        return complete

    async def _ours(self, submission: Submission) -> list[Mapping[str, Json]]:
        """The service's files that are uploads of this submission, of any attempt."""
        name = re.compile(rf"batchd-{re.escape(submission.key)}-\d+\.jsonl")
        call = HttpCall("list its files", CallKind.LOOK)
        files = everything(self._client, call, "files", {"purpose": self.settings.purpose})
        ours: list[Mapping[str, Json]] = []
        # If the service cannot list its files, they stay: they cost nothing and expire.
        with suppress(CannotFind):
            ours.extend([file async for file in files if file.get("id") and name.fullmatch(str(file.get("filename")))])
        return ours

    async def _delete(self, file: str) -> bool:
        """Delete a file. False if the service does not know it."""
        try:
            await self._client.delete(HttpCall(f"delete the file {file}", about=file), "files", file)
        except RemoteMissing:
            return False
        return True

    async def _is_there(self, file: str) -> bool:
        """Whether the service still describes the file as one that it has."""
        known = await self._client.described(file)
        return bool(known) and str(known.get("status")).lower() not in _GONE


def _files(details: Mapping[str, Json]) -> list[str]:
    """The ids of the files to download, each once: one service uses the same id for answers and errors."""
    ids = (read_id(details.get(key)) for key in ("output_file_id", "error_file_id"))
    return list(dict.fromkeys(id_ for id_ in ids if id_))

"""The provider `inline`: creates a batch with its requests, and reads the answers from the batch itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import IO, TYPE_CHECKING

from batchd import (
    BatchPhase,
    BatchStatus,
    CallKind,
    HttpBatchProvider,
    HttpCall,
    Json,
    NotSent,
    Pacing,
    ProviderError,
    Purged,
    RejectedError,
    RemoteBatch,
    RemoteMissing,
    Submission,
    TransientError,
    read_id,
)

from .dialects import MAX_PAGES, batch_path, file_prefix, id_of, segment, table
from .settings import InlineSettings

if TYPE_CHECKING:
    from .answers import Writer
    from .client import Client
    from .splitter import Item

PACING = Pacing(within=math.inf)
MIN_UPLOAD = 60.0
"""Seconds that an upload may take, however small the file is."""


class NotThereYet(RemoteMissing, TransientError):
    """The service counts more answers than it gives: for some minutes after the end, or because they were deleted."""


class InlineProvider(HttpBatchProvider[InlineSettings]):
    """OpenRouter's batches, and others that come without files of answers."""

    Settings = InlineSettings

    def __init__(self, settings: InlineSettings, *, pacing: Pacing = PACING) -> None:
        super().__init__(settings)
        self._dialect = settings.shape
        self._pacing = pacing
        self.limits = self._dialect.limits
        self.completion_window = self._dialect.window
        # The custom_id of a request of each batch, or its prefix, as far as it is known.
        self._seen: dict[str, str] = {}

    @cached_property
    def _client(self) -> Client:
        # Imported here: other commands do not need aiohttp.
        from .client import Client

        return Client(self.settings, self._pacing)

    async def aopen(self) -> None:
        """Prepare the client in a thread."""
        await asyncio.to_thread(lambda: self._client.prepare())

    async def aclose(self) -> None:
        """Close the connections."""
        if "_client" in vars(self):
            await self._client.aclose()

    # --- creating --------------------------------------------------------------------------------------------

    async def upload(self, submission: Submission) -> str | None:
        """The id of the uploaded file; None if the requests are in the create call."""

        if not self._dialect.files:
            return None
        call = HttpCall("take a file", CallKind.UPLOAD)
        name = f"{file_prefix(submission)}{submission.attempt}.jsonl"
        within = MIN_UPLOAD + submission.size / self.settings.slowest_upload
        answer = await self._client.upload(call, self._dialect.files, submission.file, name, within)
        return self.require_id(id_of(table(answer)), "an upload, but without the id of the file")

    async def submit(self, submission: Submission) -> str:
        """Create the batch with one POST, which is never retried here."""
        from .create_body import CreateBody

        dialect = self._dialect
        members = {**self.settings.extra_body, **dialect.create_body(submission)}
        requests = None if dialect.files else submission.file
        body = CreateBody(members, requests, dialect.prefix(submission.key))
        try:
            size = await asyncio.to_thread(body.size)
        except OSError as error:
            raise NotSent(f"The request file cannot be read: {error.strerror or error}.") from error
        call = HttpCall("create a batch", CallKind.CREATE)
        key = submission.create_key or submission.key
        answer = await self._client.create(
            call, dialect.batches, body.sent(), size=size, key=key, within=submission.timeout
        )
        remote = self.require_id(id_of(table(answer)), "the call that creates a batch, but without its id")
        self._seen[remote] = dialect.prefix(submission.key)
        return remote

    async def find(self, submission: Submission) -> Sequence[str]:
        """Look through every page of batches, and into the answers of batches that do not tell whose they are."""
        from .finding import find

        return await find(self._client, self._dialect, submission, self._seen)

    # --- afterwards ------------------------------------------------------------------------------------------

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """The batch's state. If answers come with it, no more of them is read than needed."""
        from .client import Enough, Items

        def enough(_: Item) -> None:
            raise Enough

        self._seen[batch.id] = self._dialect.prefix(batch.key)
        lists = self._dialect.answer_lists
        call, path = HttpCall(f"describe the batch {batch.id}"), batch_path(self._dialect, batch.id)
        record = await self._client.get(call, path, items=Items(lists, enough))
        if isinstance(record, Mapping) and "status" not in record and self._dialect.has_status:
            # The status comes after the answers, so read to the end.
            record = await self._client.get(call, path, items=Items(lists, lambda _: None))
        if not isinstance(record, Mapping) or id_of(record) is None:
            raise TransientError(
                f"{self.settings.base_url} described the batch {batch.id} without its id: {str(record)[:300]}"
            )
        return self._dialect.status(record)

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        """Write an output line for each answer, page by page as they arrive."""
        from .answers import Writer

        dialect = self._dialect
        writer = Writer(target, lambda item: dialect.line(item, batch.key))
        record = await self._pages(batch, dialect.answers, dialect.answer_query, writer)
        elsewhere = dialect.more_answers and self._owes(dialect.status(record), writer.written)
        if elsewhere:
            with _unless_it_has_none():
                await self._pages(batch, dialect.more_answers, {}, writer)
        for file in dialect.answer_files(record, writer.written):
            with _unless_it_has_none():
                await self._lines(file, writer)
        status = await self.poll(batch) if dialect.answers else dialect.status(record)
        if self._owes(status, writer.written):
            raise NotThereYet(
                f"{self.settings.base_url} counts {status.completed:,} answers of the batch {batch.id}, and gives "
                f"{writer.written:,}. The others may appear some minutes after its end."
            )

    @staticmethod
    def _owes(status: BatchStatus, written: int) -> bool:
        """Whether the service counts more answers than it has given."""
        return written < status.completed or (not written and status.phase is BatchPhase.COMPLETED)

    async def _lines(self, file: str, writer: Writer) -> None:

        await self._client.lines(HttpCall(f"send the file {file}"), f"/files{segment(file)}/content", writer.items(()))
        writer.keep()

    async def _pages(
        self, batch: RemoteBatch, below: str, query: Mapping[str, str], writer: Writer
    ) -> Mapping[str, Json]:
        """Write the answers on all pages. Returns the first page, without them."""

        address = self.settings.base_url
        call = HttpCall(f"send the answers of the batch {batch.id}")
        first: Mapping[str, Json] | None = None
        for _ in range(MAX_PAGES):
            items = writer.items(self._dialect.answer_lists)
            page = table(await self._client.get(call, batch_path(self._dialect, batch.id) + below, query, items=items))
            writer.keep()
            first = page if first is None else first
            following = self._dialect.next_answers(page)
            if following is None:
                return first
            if following == query:
                raise TransientError(f"{address} sends the same page of answers again and again.")
            query = following
        raise TransientError(f"{address} sends more than {MAX_PAGES:,} pages of answers of the batch {batch.id}.")

    async def ask_to_cancel(self, batch: RemoteBatch) -> None:
        """Ask the service to cancel the batch, if it has a call for that."""
        if self._dialect.cancel is not None:
            path = batch_path(self._dialect, batch.id) + self._dialect.cancel
            await self._client.order(HttpCall(f"cancel the batch {batch.id}"), "POST", path)

    async def forget(self, submission: Submission) -> None:
        """Delete the input file, and any that failed tries left behind, if the service takes files."""
        files = self._dialect.files
        if not files:
            return
        if submission.upload:
            await self._delete(files, submission.upload)
        if submission.attempt > 1:
            for file in await self._left_behind(submission):
                await self._delete(files, file)

    async def purge(self, batch: RemoteBatch, submission: Submission) -> Purged:
        """Delete the batch and its files. Say what is left."""
        dialect = self._dialect
        files = batch.details.get("files")
        wanted = {str(file): "/files" for file in files} if isinstance(files, list) else {}
        if dialect.files and submission.upload:
            wanted[submission.upload] = dialect.files
        problems: list[str] = []
        if dialect.files and submission.attempt > 1:
            try:
                wanted |= dict.fromkeys(await self._left_behind(submission), dialect.files)
            except ProviderError as error:
                problems.append(f"uploads of failed tries, if there are any: {error}")
        if batch.id and dialect.deletes:
            wanted[batch.id] = dialect.batches
        if batch.id and not dialect.deletes:
            problems.append(f"{batch.id}: {dialect.kept}")
        purged = await self.delete_each(wanted, lambda name: self._delete(wanted[name], name))
        return replace(purged, problems=(*problems, *purged.problems))

    async def _delete(self, path: str, id_: str) -> bool:
        """Delete a file or a batch. False if the service does not know it."""
        try:
            await self._client.order(HttpCall(f"delete {id_}"), "DELETE", path + segment(id_))
        except RemoteMissing:
            return False
        return True

    async def _left_behind(self, submission: Submission) -> list[str]:
        """The uploads of this submission that the service lists."""
        found: list[str] = []
        prefix, query = file_prefix(submission), {"limit": "100"}
        for _ in range(MAX_PAGES):
            page = await self._client.page(HttpCall("list its files"), self._dialect.files, query, "data")
            named = [file for file in page.get("data", ()) if str(file.get("filename")).startswith(prefix)]
            found += [id_ for file in named if (id_ := id_of(file))]
            token = read_id(page.get("pagination_token"))
            if not token or query.get("pagination_token") == token:
                break
            query = {**query, "pagination_token": token}
        return found

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """List batches, which needs a valid key, then the models. This creates nothing and costs nothing."""
        client, dialect = self._client, self._dialect
        try:
            await client.page(HttpCall("list its batches"), dialect.batches, dialect.first_batches(), dialect.listed)
        except RemoteMissing as error:
            return [f"{error} It has no batches as {dialect.name} has them: correct base_url or dialect."]
        except ProviderError as error:
            return [str(error)]
        try:
            page = await client.page(HttpCall("list its models"), "/models", {}, "data")
        except ProviderError:
            return []  # the key and the address are good, and not every service lists its models
        offered = {name for record in page.get("data", ()) if (name := read_id(record.get("id")))}
        return client.service.not_offered(models, offered) if offered else []


@contextmanager
def _unless_it_has_none() -> Iterator[None]:
    """Ignore the refusal of a call that the service, or this batch, does not have."""
    try:
        yield
    except (RejectedError, TransientError):
        raise
    except ProviderError:
        pass

"""The provider `inline`: creates a batch with its requests, and reads the answers from the batch itself."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from batchd import (
    BatchPhase,
    BatchProvider,
    BatchStatus,
    CannotFind,
    Json,
    NotSent,
    ProviderError,
    Purged,
    RejectedError,
    RemoteBatch,
    RemoteMissing,
    Result,
    Submission,
    TransientError,
    read_output_line,
)

from .dialects import identifier, table
from .settings import InlineSettings

if TYPE_CHECKING:
    from .answers import Writer
    from .client import Client, Pacing
    from .splitter import Item

MAX_PAGES = 2_000
"""A list with more pages has no end."""
MAX_LOOKS = 1_000
"""Batches of which the answers are looked at, to find one whose creation is not confirmed."""


class NotThereYet(RemoteMissing, TransientError):
    """The service counts more answers than it gives: for some minutes after the end, or because they were deleted."""


class InlineProvider(BatchProvider[InlineSettings]):
    """OpenRouter's batches, and others that come without files of answers."""

    Settings = InlineSettings

    def __init__(self, settings: InlineSettings, *, pacing: Pacing | None = None) -> None:
        super().__init__(settings)
        self._dialect = settings.shape
        self._pacing = pacing
        self.limits = self._dialect.limits
        self.completion_window = self._dialect.window
        self._open_client: Client | None = None
        # Of batches that have ended, which never change: the custom_id of one of their requests.
        self._seen: dict[str, str] = {}

    @property
    def _client(self) -> Client:
        if self._open_client is None:
            # Imported here: other commands do not need aiohttp.
            from .client import Client, Pacing

            self._open_client = Client(self.settings, self._pacing or Pacing())
        return self._open_client

    async def aopen(self) -> None:
        """Prepare the client in a thread."""
        await asyncio.to_thread(lambda: self._client.prepare())

    async def aclose(self) -> None:
        """Close the connections."""
        if self._open_client is not None:
            await self._open_client.aclose()

    # --- creating --------------------------------------------------------------------------------------------

    async def submit(self, submission: Submission) -> str:
        """Create the batch with one POST, which is never retried here."""
        from .create_body import CreateBody
        from .refusals import Call, Kind

        dialect, address = self._dialect, self.settings.base_url
        members = {**self.settings.extra_body, **dialect.create_body(submission)}
        body = CreateBody(submission, members, lambda id_: dialect.custom_id(id_, submission))
        try:
            size = await asyncio.to_thread(body.size)
        except OSError as error:
            raise NotSent(f"The request file cannot be read: {error.strerror or error}.") from error
        call = Call("create a batch", Kind.CREATE)
        key = f"batchd-{submission.key}"
        answer = await self._client.create(
            call, dialect.batches, body.sent(), size=size, key=key, within=submission.timeout
        )
        remote = _id_of(table(answer))
        if remote is None:
            raise TransientError(f"{address} answered the call that creates a batch, but without its id.")
        return remote

    async def find(self, submission: Submission) -> Sequence[str]:
        """Look through every page of batches, and where they do not tell whose they are, at their answers."""
        address = self.settings.base_url
        created: list[str] = []
        untold: list[str] = []
        async for remote, record in self._listed():
            ours = self._dialect.is_of(record, submission)
            if ours is not False:
                (untold if ours is None else created).append(remote)
        if len(untold) > MAX_LOOKS:
            raise CannotFind(
                f"{address} does not say in its list which submission a batch came from, and more than {MAX_LOOKS:,} "
                "could be it."
            )
        waiting = 0
        for remote in untold:
            holds = await self._holds(remote, submission)
            if holds:
                created.append(remote)
            waiting += holds is None
        if waiting and not created:
            # Not a TransientError: the service is well, and other batches go on meanwhile.
            raise ProviderError(
                f"It is not known yet whether the batch {submission.key} was created: {address} says only at its end "
                f"what a batch holds, and {waiting} that could be it {'has' if waiting == 1 else 'have'} not ended. "
                "batchd asks no row of it again meanwhile."
            )
        # The services list the newest first.
        return created[::-1]

    async def _listed(self) -> AsyncIterator[tuple[str, Mapping[str, Json]]]:
        """Every batch that the service lists, with its id. Raises CannotFind if it does not list all of them."""
        from .refusals import Call, Kind

        dialect, address = self._dialect, self.settings.base_url
        call = Call("list its batches", Kind.LOOK)
        query = dialect.first_batches()
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            page, records = await self._client.page(call, dialect.batches, query, dialect.listed)
            if not isinstance(page, Mapping) or not isinstance(page.get(dialect.listed), list):
                raise CannotFind(f"{address} did not return a list when asked to list its batches.")
            fresh = {remote: record for record in records if (remote := _id_of(record)) and remote not in seen}
            for remote, record in fresh.items():
                yield remote, record
            seen.update(fresh)
            following = dialect.next_batches(page, query)
            if following is None:
                return
            if not fresh:
                break
            query = following
        raise CannotFind(
            f"{address} says that it has more batches, and does not list them. So batchd cannot look through all."
        )

    async def _holds(self, remote: str, submission: Submission) -> bool | None:
        """Whether a batch holds requests of this submission; None if it does not say so yet."""
        if remote not in self._seen:
            custom_id, status = await self._first_answer(remote)
            if custom_id is None and not (status.phase.ended and status.phase is not BatchPhase.COMPLETED):
                return None
            # One that has failed or expired without an answer has nothing to fetch, so it may count as another's.
            self._seen[remote] = custom_id or ""
        return self._seen[remote].startswith(self._dialect.custom_id("", submission))

    async def _first_answer(self, remote: str) -> tuple[str | None, BatchStatus]:
        from .client import Enough, Items
        from .openrouter import custom_id_in
        from .refusals import Call

        found: list[str] = []

        def take(item: Item) -> None:
            place = custom_id_in(item.raw)
            if place is not None:
                found.append(place[1].decode("utf-8", "replace"))
                raise Enough

        items = Items(self._dialect.answer_lists, take, found.clear)
        try:
            record = await self._client.get(Call(f"describe the batch {remote}"), self._path(remote), items=items)
        except RemoteMissing:
            return None, BatchStatus(BatchPhase.FAILED)
        return (found[0] if found else None), self._dialect.status(table(record))

    # --- afterwards ------------------------------------------------------------------------------------------

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """The batch's state. Answers that come with it are passed over."""
        from .client import Items
        from .refusals import Call

        call = Call(f"describe the batch {batch.id}")
        items = Items(self._dialect.answer_lists, lambda _: None)
        record = await self._client.get(call, self._path(batch.id), items=items)
        if not isinstance(record, Mapping) or _id_of(record) is None:
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
        if not writer.written and dialect.more_answers:
            try:
                await self._pages(batch, dialect.more_answers, {}, writer)
            except RejectedError:
                raise
            except ProviderError as error:
                if isinstance(error, TransientError):
                    raise
        status = await self.poll(batch) if dialect.answers else dialect.status(record)
        if writer.written < status.completed or (not writer.written and status.phase is BatchPhase.COMPLETED):
            raise NotThereYet(
                f"{self.settings.base_url} counts {status.completed:,} answers of the batch {batch.id}, and gives "
                f"{writer.written:,}. The others may appear some minutes after its end."
            )

    async def _pages(
        self, batch: RemoteBatch, below: str, query: Mapping[str, str], writer: Writer
    ) -> Mapping[str, Json]:
        """Write the answers on all pages. Returns the first page, without them."""
        from .refusals import Call

        address = self.settings.base_url
        call = Call(f"send the answers of the batch {batch.id}")
        first: Mapping[str, Json] | None = None
        for _ in range(MAX_PAGES):
            items = writer.items(self._dialect.answer_lists)
            page = table(await self._client.get(call, self._path(batch.id) + below, query, items=items))
            writer.keep()
            first = page if first is None else first
            following = self._dialect.next_answers(page)
            if following is None:
                return first
            if following == query:
                raise TransientError(f"{address} sends the same page of answers again and again.")
            query = following
        raise TransientError(f"{address} sends more than {MAX_PAGES:,} pages of answers of the batch {batch.id}.")

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        """Every readable line, through a temporary file."""
        with tempfile.TemporaryFile() as answers:
            await self.download(batch, answers)
            answers.seek(0)
            for line in answers:
                result = read_output_line(line)
                if result is not None:
                    yield result

    async def cancel(self, batch: RemoteBatch) -> None:
        """Ask the service to stop the batch, if it has a call for that. It is no error if the batch has ended."""
        from .refusals import Call

        if self._dialect.cancel is None:
            return
        call = Call(f"cancel the batch {batch.id}")
        try:
            await self._client.post(call, self._path(batch.id) + self._dialect.cancel)
        except RejectedError:
            raise
        except ProviderError as refusal:
            # Services refuse to cancel an ended batch in different ways, so its state decides.
            if not await self._stopping(batch):
                raise refusal from None

    async def _stopping(self, batch: RemoteBatch) -> bool:
        try:
            phase = (await self.poll(batch)).phase
        except RemoteMissing:
            return True
        return phase.ended or phase is BatchPhase.CANCELLING

    async def purge(self, batch: RemoteBatch, submission: Submission) -> Purged:
        """Delete what can be deleted, and say what is left."""
        from .refusals import Call

        await self.forget(submission)
        if not batch.id:
            return Purged()
        call = Call(f"delete the batch {batch.id}")
        try:
            await self._client.delete(call, self._path(batch.id))
        except RemoteMissing:
            return Purged(absent=(batch.id,))
        except ProviderError as error:
            return Purged(problems=(f"{batch.id}: {error}",))
        return Purged(deleted=(batch.id,))

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """Check the key, the address and the models. This creates nothing and costs nothing."""
        from .checking import check

        return await check(self._client, self._dialect, models)

    def _path(self, remote: str) -> str:
        from .client import segment

        return self._dialect.batches + segment(remote)


def _id_of(record: Mapping[str, Json]) -> str | None:
    return identifier(record.get("id")) or identifier(record.get("batch_id"))

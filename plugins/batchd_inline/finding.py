"""Looks for a batch whose creation is not confirmed: in the list of batches, or else in their answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import suppress

from batchd import BatchPhase, BatchStatus, CallKind, CannotFind, HttpCall, Json, NotKnownYet, RemoteMissing, Submission

from .client import Client, Enough, Items
from .dialects import MAX_PAGES, Dialect, batch_path, id_of, table
from .lines import custom_id_in
from .splitter import Item

MAX_LOOKS = 1_000
"""How many batches are looked into, at most, for their answers."""

Seen = MutableMapping[str, str]
"""For each batch, the custom_id of one of its requests, or its prefix; empty if there is nothing to fetch."""


async def find(client: Client, dialect: Dialect, submission: Submission, seen: Seen) -> Sequence[str]:
    """The ids of the batches made from the submission, oldest first."""
    address = client.service.base_url
    created: list[str] = []
    untold: list[str] = []
    async for remote, record in _listed(client, dialect):
        ours = dialect.is_of(record, submission)
        if ours is not False:
            (untold if ours is None else created).append(remote)
    if sum(remote not in seen for remote in untold) > MAX_LOOKS:
        raise CannotFind(
            f"{address} does not say in its list which submission a batch came from, and more than {MAX_LOOKS:,} "
            "could be it."
        )
    waiting = 0
    for remote in untold:
        holds = await _holds(client, dialect, remote, submission, seen)
        if holds:
            created.append(remote)
        waiting += holds is None
    if waiting and not created:
        raise NotKnownYet(
            f"It is not known yet whether the batch {submission.key} was created: {address} says only at its end what "
            f"a batch holds, and {waiting} that could be it {'has' if waiting == 1 else 'have'} not ended."
        )
    # The services list the newest first.
    return created[::-1]


async def _listed(client: Client, dialect: Dialect) -> AsyncIterator[tuple[str, Mapping[str, Json]]]:
    """Every batch that the service lists, with its id. Raises CannotFind if it does not list all of them."""
    address = client.service.base_url
    call = HttpCall("list its batches", CallKind.LOOK)
    query = dialect.first_batches()
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        page = await client.page(call, dialect.batches, query, dialect.listed)
        if not page:
            raise CannotFind(f"{address} did not return a list when asked to list its batches.")
        fresh = {remote: record for record in page[dialect.listed] if (remote := id_of(record)) and remote not in seen}
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


async def _holds(client: Client, dialect: Dialect, remote: str, submission: Submission, seen: Seen) -> bool | None:
    """Whether a batch holds requests of this submission; None if that is not known yet."""
    if remote not in seen:
        custom_id, status = await _first_answer(client, dialect, remote)
        if custom_id is None and not (status.phase.ended and status.phase is not BatchPhase.COMPLETED):
            return None
        # A batch that failed or expired without an answer has nothing to fetch, so it may count as not ours.
        seen[remote] = custom_id or ""
    return seen[remote].startswith(dialect.prefix(submission.key))


async def _first_answer(client: Client, dialect: Dialect, remote: str) -> tuple[str | None, BatchStatus]:
    """The custom_id of one of the batch's requests, None if it gives none, and the batch's status."""
    found: list[str] = []

    def take(item: Item) -> None:
        place = custom_id_in(item.raw)
        if place is not None:
            found.append(place[1].decode("utf-8", "replace"))
            raise Enough

    items = Items(dialect.answer_lists, take, found.clear)
    path = batch_path(dialect, remote)
    try:
        status = dialect.status(table(await client.get(HttpCall(f"describe the batch {remote}"), path, items=items)))
    except RemoteMissing:
        return None, BatchStatus(BatchPhase.FAILED)
    if not found and status.phase is BatchPhase.COMPLETED and dialect.more_answers:
        with suppress(RemoteMissing):
            await client.get(
                HttpCall(f"send an answer of the batch {remote}"), path + dialect.more_answers, items=items
            )
    return (found[0] if found else None), status

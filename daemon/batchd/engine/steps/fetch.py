"""Download the answers of a batch, and of its duplicates at the provider."""

from __future__ import annotations

import asyncio
from typing import IO

from ...contracts import RemoteBatch
from ...domain.lifecycle import Fetch
from ...domain.records import Batch
from ...errors import RemoteMissing
from ...model import BatchPhase, Problem
from ...secrets.known import known
from ...sending.missing_answers import VANISHED
from ...work.collecting.answer_bounds import LaterBounds
from ...work.collecting.answer_lines import ReadLimits, is_packed, unpack
from ..accounts import hold_for_account
from ..answers_file import bounded, replacing_off_the_loop
from ..context import ConfiguredProvider, Context
from ..provider_calls import limited, open_provider, remote_of
from ..retry_later import RetryLater
from .batch_refusals import handle_refusal
from .forget import delete_input
from .missing_answers import GIVEN_UP, answers_are_missing
from .poll import ENDED, MAX_MISSING

IN_MEMORY = 8_000_000
"""Bytes of a line that are unpacked here, at most."""


async def fetch(context: Context, action: Fetch) -> None:
    """Download every answer there is, of the batch and of its duplicates; or find out why it never ran."""
    batch = await context.store.batches.get(action.batch)
    provider = await open_provider(context, batch.provider)
    await asyncio.to_thread(context.spool.make_batch, batch.key)
    try:
        async with replacing_off_the_loop(context.spool.batch_answers(batch.key)) as file:
            await _download(context, provider, batch, remote_of(batch), file)
            for duplicate in batch.extra_remotes:
                await _download_duplicate(context, provider, batch, duplicate, file)
            empty = file.tell() == 0
    except RemoteMissing:
        if await hold_for_account(context, batch, provider):
            return
        raise
    if GIVEN_UP in batch.details:
        if empty:
            await context.store.batches.returned(batch, "a person said that its answers will not come")
            return
    elif await answers_are_missing(context, batch):
        return
    if batch.phase is BatchPhase.FAILED and empty:
        # Counts are not to be trusted: a service that calls a batch failed may have answered rows all the same.
        problems = [Problem(**record) for record in batch.problems]
        await handle_refusal(context, batch, problems, "The provider failed the batch and gave no reason.")
    else:
        await context.store.batches.fetched(batch)
    await delete_input(context, batch, provider)


async def _download_duplicate(
    context: Context, provider: ConfiguredProvider, batch: Batch, duplicate: str, file: IO[bytes]
) -> None:
    """Download the answers of a duplicate once it has ended, or after an hour those that there are."""
    late = _too_late(context, batch)
    try:
        async with limited(provider, f"say how far the batch {duplicate} is"):
            status = await provider.plugin_for(batch.lane).poll(RemoteBatch(duplicate, batch.key, {}))
    except RemoteMissing:
        if late:
            return
        raise
    if not status.phase.ended and not late:
        raise RetryLater(provider.poll)
    await _download(context, provider, batch, RemoteBatch(duplicate, batch.key, status.details), file)


async def _download(
    context: Context, provider: ConfiguredProvider, batch: Batch, remote: RemoteBatch, file: IO[bytes]
) -> None:
    try:
        begun = file.tell()
        bounds = LaterBounds(context.spool.batch_input(batch.key), requests=batch.requests, size=batch.size)
        target = bounded(file, bounds, provider=provider.name, requests=batch.requests)
        async with limited(provider, "send its answers", arrived=lambda: file.tell() - begun):
            await provider.plugin_for(batch.lane).download(remote, target)
        if await asyncio.to_thread(_unpack, file, begun, bounds):
            # Packed answers could hide a key that the service repeats.
            await asyncio.to_thread(known().file, file)
    except RemoteMissing:
        # For minutes after completion answers may not be there yet; much later they will not come any more. Then what
        # was written counts, and rows without an answer are asked again as after any other silence.
        if not _too_late(context, batch):
            raise


def _unpack(file: IO[bytes], begun: int, bounds: LaterBounds) -> bool:
    return is_packed(file, begun) and unpack(file, begun, ReadLimits.by(bounds.get(), most=IN_MEMORY))


def _too_late(context: Context, batch: Batch) -> bool:
    """Whether answers that are not there by now will not come any more, by a clock that does not jump."""
    if GIVEN_UP in batch.details or any(problem["code"] == VANISHED for problem in batch.problems):
        return True  # both are decided only after an hour
    ended = batch.noted(ENDED)
    return ended is not None and ended.age(context.now()) >= MAX_MISSING

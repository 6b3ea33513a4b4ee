"""Notices, before a batch is created, that the state folder is an older copy: what it lacks may be paid already.

The key of each provider's next batch is stored, and each key determines the next. So an older copy uses the same keys
again, and finds at the provider what was created since. If `batchd restore` has put it back, or a person has said that
it is a copy, batchd takes over each batch that asks the rows of one of its own. Otherwise a person decides.
"""

from __future__ import annotations

from typing import Literal

from ..contracts import RemoteBatch
from ..domain.records import Batch, HeldFor
from ..errors import CannotFind, NotKnownYet, TransientError
from ..model import RequestId
from ..money.lanes import Lane
from ..work.collecting.batch_index import Rows
from ..work.collecting.distribute import SurveyTask, survey
from .accounts import note_account
from .answers_file import replacing_off_the_loop
from .context import ConfiguredProvider, Context
from .provider_calls import LISTING_MAY_TAKE, limited, submission
from .retry_later import RetryLater

_PAUSE = 30.0
MAX_FAILED_LOOKS = 3
"""After so many failed looks batches are created all the same: a service may have a broken list for good."""
MAX_NOT_FOUND = 10
"""After so many new batches in a row that the provider does not have, a restored state looks for no more."""


async def is_restored(context: Context, batch: Batch, provider: ConfiguredProvider) -> bool:
    """Whether the provider has this batch already, or one of its key, though this state never sent it.

    Then the batch is taken over, held or returned, and not created now. batchd looks once a start; in a restored state,
    for each batch of the backup and until no more is found. While one is held, others of the same provider wait.
    """
    if batch.lane is Lane.LIVE:
        return False
    restored = await context.store.restored.last()
    in_backup = restored is not None and batch.created_at <= restored.made_at
    if batch.provider in context.looked_for_copies and not in_backup:
        return False
    if restored is None and not await context.store.batches.has_sent(batch.provider):
        # A new state: nothing was ever sent, so there is nothing to have forgotten.
        context.looked_for_copies.add(batch.provider)
        return False
    if await context.store.batches.held_as_copy(batch.provider):
        raise RetryLater(_PAUSE)
    if restored is not None:
        # A remote batch that this state knows was refused before, or belongs to another batch: it is not this one.
        unknown = await _unknown(context, batch, await _listed(context, batch, provider, by="rows"))
        if unknown:
            await _take_over(context, batch, provider, unknown)
            return True
    found = await _listed(context, batch, provider, by="key")
    if not found:
        context.not_found_in_a_row[batch.provider] += 1
        if restored is None or context.not_found_in_a_row[batch.provider] >= MAX_NOT_FOUND:
            context.looked_for_copies.add(batch.provider)
        return False
    context.not_found_in_a_row[batch.provider] = 0
    if in_backup:
        await _take_over(context, batch, provider, found)
    elif restored is None:
        await _hold(context, batch, found[0])
    else:
        await _compare(context, batch, provider, found)
    return True


async def _listed(
    context: Context, batch: Batch, provider: ConfiguredProvider, *, by: Literal["rows", "key"]
) -> list[str]:
    """The batches that ask these rows, or have this key."""
    plugin, wanted = provider.plugin_for(batch.lane), submission(context, batch, provider)
    try:
        async with limited(provider, "list its batches", more=LISTING_MAY_TAKE):
            return list(await (plugin.find_rows(wanted) if by == "rows" else plugin.find(wanted)))
    except (CannotFind, NotKnownYet):
        return []
    except TransientError:
        context.failed_looks[batch.provider] += 1
        if context.failed_looks[batch.provider] < MAX_FAILED_LOOKS:
            raise
        return []


async def _unknown(context: Context, batch: Batch, found: list[str]) -> list[str]:
    """The remote batches that belong to no batch of this state."""
    return [remote for remote in found if not await context.store.batches.knows(batch.provider, remote)]


async def _take_over(context: Context, batch: Batch, provider: ConfiguredProvider, found: list[str]) -> None:
    await note_account(context, batch, provider)
    await context.store.batches.found(batch, found[0], found[1:], context.clock.now())


async def _compare(context: Context, batch: Batch, provider: ConfiguredProvider, found: list[str]) -> None:
    """Look what the remote batches of this key ask, which were created after the backup: their answers show it.

    One that asks these rows is taken over. If one asks other rows of ours, a person decides. If all ask rows of jobs
    that the state folder has forgotten, this batch goes back to the queue.
    """
    for remote in await _unknown(context, batch, found):
        whose = await _whose_rows(context, batch, provider, remote)
        if whose == "these":
            await _take_over(context, batch, provider, [remote])
            return
        if whose == "ours":
            await _hold(context, batch, remote)
            return
    reason = f"{batch.provider} has another batch of this key, {found[0]}, which asks other rows"
    await context.store.batches.returned(batch, reason)


async def _whose_rows(
    context: Context, batch: Batch, provider: ConfiguredProvider, remote: str
) -> Literal["these", "ours", "forgotten"]:
    plugin = provider.plugin_for(batch.lane)
    async with limited(provider, f"say how far the batch {remote} is"):
        status = await plugin.poll(RemoteBatch(remote, batch.key, {}))
    if not status.phase.ended:
        raise RetryLater(
            provider.poll,
            f"{provider.name} works on a batch {remote} that was created after the backup was made. Only its answers "
            "show what it asks, so other batches wait until it has ended.",
        )
    answers = context.spool.batch_answers(batch.key)
    async with replacing_off_the_loop(answers) as file, limited(provider, "send its answers", arrived=file.tell):
        await plugin.download(RemoteBatch(remote, batch.key, status.details), file)
    asked = [Rows(part.job, part.first, part.rows) for part in await context.store.batches.parts(batch.key)]
    arrived = await context.local.run(survey, SurveyTask(str(answers), asked))
    if arrived.ours and not arrived.foreign:
        return "these"
    requests = [RequestId.read(each) for each in arrived.examples]
    known = [each is not None and await context.store.jobs.find(each.job) is not None for each in requests]
    return "ours" if arrived.ours or any(known) else "forgotten"


async def _hold(context: Context, batch: Batch, remote: str) -> None:
    await context.store.batches.held(
        batch,
        HeldFor.COPY,
        f"{batch.provider} has it already, as {remote}, though this state folder has not sent it. So the folder is "
        "an older copy: it was restored, or batchd works with the original elsewhere. What was asked since then may be "
        f"asked and paid again, so nothing is sent to {batch.provider} now. If no other batchd uses this state: "
        f"`batchd resolve {batch.key} --found {remote}` takes that batch's answers, and the rest is sent; "
        f"`batchd resolve {batch.key} --absent` sends this batch again as well.",
    )

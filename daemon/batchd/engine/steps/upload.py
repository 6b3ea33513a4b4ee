"""Write a batch's input file and send it ahead."""

from __future__ import annotations

import asyncio
import contextlib
import shutil

from ...domain.lifecycle import Upload
from ...domain.records import Batch, Part, PartState
from ...errors import RejectedError, SubmissionRefused
from ...files import fsync_folder, name_again, replacing
from ...money.lanes import Lane
from ...sending.accounts import Stage
from ...values import replace
from ..context import Context
from ..lane_finding import lane_refused
from ..provider_calls import SLOWEST_UPLOAD, limited, open_provider, submission
from ..sending_hours import took_back
from .account_refusals import block, rejected_text
from .batch_refusals import handle_refusal


async def upload(context: Context, action: Upload) -> None:
    """Write the input file and send it ahead."""
    batch = await context.store.batches.get(action.batch)
    provider = await open_provider(context, batch.provider)
    if await took_back(context, batch):
        return
    if changed := await _write_input(context, batch):
        again = [replace(part, state=PartState.UNPLANNED, batch=None) for part in changed]
        await context.store.batches.returned(batch, "a file of its requests is gone, or not as it was planned", again)
        return
    attempt = await context.store.batches.uploading(batch)
    try:
        async with limited(provider, "take a file", more=batch.size / SLOWEST_UPLOAD):
            token = await provider.plugin_for(batch.lane).upload(submission(context, batch, provider, attempt=attempt))
    except RejectedError as refusal:
        if await lane_refused(context, batch, refusal):
            return
        block(context, (batch.provider, ""), Stage.UPLOAD, rejected_text(refusal))
        raise
    except SubmissionRefused as refusal:
        await handle_refusal(context, batch, refusal.problems, str(refusal))
        return
    await context.store.batches.uploaded(batch, token)
    if batch.lane is Lane.BATCH:
        context.accounts.passed(batch.provider, batch.model, Stage.UPLOAD)


async def _write_input(context: Context, batch: Batch) -> list[Part]:
    """Write the input file. Return the parts whose requests are not as planned and admitted; then there is no file.

    A machine that was thought dead may have written them once more, maybe with another plugin. Or their file is gone:
    deleted, or lost by the disk. That must not hold up the batches of all other jobs.
    """
    parts = await context.store.batches.parts(batch.key)
    changed: list[Part] = []

    def write() -> None:
        context.spool.make_batch(batch.key)
        changed.extend(part for part in parts if not context.spool.requests(part).exists())
        if changed:
            return
        file = context.spool.batch_input(batch.key)
        if len(parts) == 1:
            # A file of requests is never changed, but replaced: another name for it is as good as a copy.
            name_again(context.spool.requests(parts[0]), file)
            if file.stat().st_size != parts[0].size:
                changed.extend(parts)
                file.unlink()
            fsync_folder(file.parent)
            return
        with contextlib.suppress(_Changed), replacing(file) as target:
            for part in parts:
                begun = target.tell()
                with context.spool.requests(part).open("rb") as lines:
                    shutil.copyfileobj(lines, target)
                if target.tell() - begun != part.size:
                    changed.append(part)
            if changed:
                raise _Changed

    await asyncio.to_thread(write)
    return changed


class _Changed(Exception):
    """Requests are not as they were planned."""

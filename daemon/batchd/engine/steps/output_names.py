"""Names in the folders that people see: reserved before they are used, replaced if another file has them."""

from __future__ import annotations

import asyncio
import logging
import os
from itertools import count
from pathlib import Path

from ...delivery.archive import archived_already, holds, names_before, reserve
from ...delivery.outbox import is_taken
from ...delivery.report_json import was_reported
from ...domain.names import number_of, numbered, outbox_stem
from ...domain.records import Job
from ...store.errors import NameTaken
from ..context import Context

logger = logging.getLogger("batchd")


async def reserve_outbox_name(context: Context, job: Job, *, replaces: str | None) -> None:
    """Reserve the first name that is free in the outbox, and one in the archive: all rows have their outcomes.

    A name that the job has reserved already is kept, unless another file has come there since. `replaces` is the name
    of the newest outputs of an earlier file with the same path.
    """
    stem = outbox_stem(job.relative_path)
    folders = context.folders
    kept = await _kept_name(context, job)
    for number in count(number_of(job.outbox_stem or stem, stem)):
        candidate = numbered(stem, number)

        def look(candidate: str = candidate) -> tuple[str, bool]:
            return kept or reserve(folders.archive, job.relative_path), is_taken(folders.outbox, candidate)

        archive_name, taken = await asyncio.to_thread(look)
        if taken:
            if not await asyncio.to_thread(was_reported, job, folders.outbox, candidate):
                continue
            # This state is an older copy that was restored. Nothing is delivered a second time.
            before = await asyncio.to_thread(_archived, context, job)
            archive_name = before or archive_name
            text = "%s was delivered as %s already, as its report there says: nothing is delivered again."
            logger.warning(text, job.source, candidate, extra={"action": "Deliver", "job": job.id})
        try:
            await context.store.jobs.closing(job, outbox_stem=candidate, archive_name=archive_name, replaces=replaces)
        except NameTaken:
            continue  # another job under way has it
        await _take_note_away(context, job, but=candidate)
        return


async def _kept_name(context: Context, job: Job) -> str | None:
    """The name that the original has in the archive since an earlier end of the job; None if it is not there yet."""
    folder, source, last = context.folders.archive, context.spool.source(job.id), job.archive_name
    if last is None or await asyncio.to_thread(source.exists):
        return None
    # Earlier versions gave a job that was retried a new name, and left its original under one of those before.
    names = [last, *names_before(last, job.relative_path)]
    others = await context.store.jobs.originals_of_others(job, names)

    def find() -> str | None:
        if last not in others and os.path.lexists(folder / last):
            return last
        for name in names:
            if (name == last or name not in others) and holds(folder / name, job.size, job.sha256):
                return name
        # Somebody has removed it, or the folder is not mounted now. What lies under a name of another job is not ours.
        return None if last in others else last

    return await asyncio.to_thread(find)


def _archived(context: Context, job: Job) -> str | None:
    source = context.spool.source(job.id)
    return archived_already(source, context.folders.archive, job.relative_path) if source.is_file() else None


async def take_another_name(context: Context, job: Job) -> None:
    """Replace the name in the outbox: a file that came later has it, or one of a kind that is not looked for.

    The new name is never an earlier one: that may be in the way of a sink as well.
    """
    stem = outbox_stem(job.relative_path)
    for number in count(number_of(job.outbox_stem or stem, stem) + 1):
        candidate = numbered(stem, number)
        if await asyncio.to_thread(is_taken, context.folders.outbox, candidate):
            continue
        try:
            await context.store.jobs.renamed(job, candidate)
        except NameTaken:
            continue
        await _take_note_away(context, job, but=candidate)
        return


async def _take_note_away(context: Context, job: Job, *, but: str) -> None:
    """Take away the note about the file if it stands under a name that is given up."""
    if job.outbox_stem is not None and job.outbox_stem != but:
        await asyncio.to_thread(context.waiting_notes.take_away, job.id, job.outbox_stem)
        context.waiting_notes.begin_anew(job.id)


async def archive_elsewhere(context: Context, job: Job, folder: Path) -> None:
    """Reserve another name in the archive or the rejected folder: the one before is taken. The next try uses it."""
    name = await asyncio.to_thread(reserve, folder, job.relative_path)
    await context.store.jobs.archive_elsewhere(job, name)

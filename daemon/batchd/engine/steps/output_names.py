"""Names in the folders that people see: reserved before they are used, replaced if another file has them."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

from ...delivery.archive import reserve
from ...delivery.outbox import is_taken
from ...domain.names import number_of, numbered, outbox_stem
from ...domain.records import Job
from ...store.errors import NameTaken
from ..context import Context


async def reserve_outbox_name(context: Context, job: Job, archive_name: str) -> None:
    """All rows are there: take the first name that is free in the outbox, and the archive's with it.

    One that the job has reserved already is taken, unless another file has come there since.
    """
    stem = outbox_stem(job.relative_path)
    replaces = await context.store.earlier.outputs(job)
    for number in count(number_of(job.outbox_stem or stem, stem)):
        candidate = numbered(stem, number)
        if await asyncio.to_thread(is_taken, context.folders.outbox, candidate):
            continue
        try:
            await context.store.jobs.closing(job, outbox_stem=candidate, archive_name=archive_name, replaces=replaces)
        except NameTaken:
            continue  # another job under way has it
        await _take_note_away(context, job, but=candidate)
        return


async def take_another_name(context: Context, job: Job) -> None:
    """Give up the name in the outbox: it is taken by a file that came later, or of a kind that is not looked for.

    Never a name before the one that is given up: that one may be in the way of a sink as well.
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
    """The note about the file stands under a name that is given up."""
    if job.outbox_stem is not None and job.outbox_stem != but:
        await asyncio.to_thread(context.waiting_notes.take_away, job.id, job.outbox_stem)
        context.waiting_notes.begin_anew(job.id)


async def archive_elsewhere(context: Context, job: Job, folder: Path) -> None:
    """The reserved name in the archive or the rejected folder is taken; the next try uses one that is free now."""
    name = await asyncio.to_thread(reserve, folder, job.relative_path)
    await context.store.jobs.archive_elsewhere(job, name)

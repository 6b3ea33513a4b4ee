"""Write the note about a held job into the held folder, or take it away again."""

from __future__ import annotations

import asyncio

from ...delivery.held_notes import held_text
from ...domain.lifecycle import Note
from ...domain.names import archive_name
from ...domain.records import Job, JobState
from ...domain.states import PILOT
from ..context import Context


async def note(context: Context, action: Note) -> None:
    """Write the note about a held job, or take it away once the job is not held any more."""
    configured = context.configured
    job = await context.store.jobs.get(action.job)
    if job.state is JobState.HELD and job.note is None:
        source = archive_name(job.relative_path)
        words = await asyncio.to_thread(_pilot_words, context, job.id) if job.reason_code == PILOT else None
        empty = (await context.store.jobs.totals(job.id)).empty
        text = held_text(
            job,
            by_renaming=configured.approve_in_folder,
            answers=words,
            empty=empty,
            language=configured.people,
        ).encode("utf-8", "backslashreplace")
        name = await asyncio.to_thread(context.notes.write, source, text, configured.rights(job))
        await context.store.money.noted(job, name)
    elif job.state is not JobState.HELD:
        await take_note_away(context, job)


async def take_note_away(context: Context, job: Job) -> None:
    """Take away the note about the job, if there is one: it is not held any more, or for another reason."""
    if job.note is not None:
        await asyncio.to_thread(context.notes.take_away, job.note)
        await context.store.money.noted(job, None)


def _pilot_words(context: Context, job: str) -> str:
    try:
        return context.spool.pilot_words(job).read_text("utf-8")
    except FileNotFoundError:
        return ""

"""The held folder: a note for each job that waits for money or for a person, and approval by renaming it."""

from __future__ import annotations

import asyncio

from ...domain.lifecycle import Note
from ...domain.names import archive_name
from ...domain.records import Job, JobState
from ...money.budget import PRICE_UNKNOWN, waits_for_money
from ..context import Context
from . import admission


async def note(context: Context, action: Note) -> None:
    """Write the note about a held job, or take it away once the job is not held any more."""
    job = await context.store.jobs.get(action.job)
    if job.state is JobState.HELD and job.note is None:
        source = archive_name(job.inbox_path.decode("utf-8", "surrogateescape"))
        text = _text(context, job).encode("utf-8", "backslashreplace")
        name = await asyncio.to_thread(context.notes.write, source, text)
        await context.store.money.noted(job, name)
    elif job.state is not JobState.HELD and job.note is not None:
        await asyncio.to_thread(context.notes.take_away, job.note)
        await context.store.money.noted(job, None)


async def look(context: Context) -> None:
    """Approve jobs whose notes somebody has renamed, where the operator allows that. Notes that are gone come again."""
    for job in await context.store.money.held():
        if job.note is None:
            continue
        approval = await asyncio.to_thread(context.notes.approval, job.note)
        if approval is None:
            if await asyncio.to_thread(context.notes.is_gone, job.note):
                await context.store.money.noted(job, None)
        elif context.approve_in_folder:
            await admission.approve(context, job, None, where=approval)


def _text(context: Context, job: Job) -> str:
    by_itself = waits_for_money(job.reason_code)
    what = (
        "It goes on by itself once there is room in the budget. To let it go on now, ask the operator for\n\n"
        if by_itself
        else "To let it go on, ask the operator for\n\n"
    )
    if job.reason_code == PRICE_UNKNOWN:
        what = (
            "Once its price is in the configuration, and that is reloaded, it is looked at again by itself. To let it "
            "go on whatever it costs, ask the operator for\n\n"
        )
    rename = ""
    if context.approve_in_folder:
        rename = (
            "Or rename this note: put approved in the place of held, so that its name ends in .approved.txt. "
            "That allows what is said above.\n\n"
        )
    return (
        f"batchd has taken {job.source}, and has not sent it.\n\n"
        f"Held, because {job.reason}.\n\n"
        f"{what}    batchd approve {job.id}\n\n"
        f"{rename}To have the file back without answers, ask for\n\n    batchd cancel {job.id}\n\n"
        "Nothing of it is lost meanwhile. This note goes away when the job goes on.\n"
    )

"""Publishes the answered rows of a pilot in the outbox, and holds the job until a person has seen them."""

from __future__ import annotations

import asyncio
import shutil
from itertools import count as numbers
from pathlib import Path

from ...delivery.outbox import require_folder
from ...domain.lifecycle import ShowPilot
from ...domain.names import numbered, outbox_stem
from ...domain.pilots import ENDING, look_at
from ...domain.records import Job, JobState, PartState
from ...domain.states import PILOT
from ...events import count
from ...files import make_folder, publishing
from ...money.pricing import amount
from ...work.pilot import PilotTask, write_pilot
from ..context import Configured, Context
from .hold_note import take_note_away
from .identical_rows import follow_other_parts
from .render import shape_of, table_for_people


async def show(context: Context, action: ShowPilot) -> None:
    """Publish the answers that there are, and commit that the job waits for a person."""
    configured = context.configured
    job = await context.store.jobs.get(action.job)
    if job.cancelled or job.state not in {JobState.RUNNING, JobState.HELD} or job.reason_code == PILOT:
        return
    parts = await follow_other_parts(context, job, await context.store.jobs.parts(job.id))
    route = configured.route(job.route.name)
    if route is not None and not route.pilot:
        # This row is not to be shown: it was asked first so that the others find the cache that it has filled.
        await context.store.trials.passed(job)
        return
    asked = [part for part in parts if not part.later and part.state is PartState.COLLECTED]
    spool = context.spool
    task = PilotTask(
        runs=[spool.run(job, part) for part in asked],
        shape=shape_of(job),
        sink=configured.spec_here(table_for_people(configured, job)),
        table=str(spool.pilot(job.id)),
        words=str(spool.pilot_words(job.id)),
        row_timeout=context.time_limits.row,
    )
    done = await context.local.run(write_pilot, task)
    name = await asyncio.to_thread(_publish, context, configured, job)
    rest = (job.rows or 0) - done.rows
    failed = f", of which {count(done.failed, 'row')} failed" if done.failed else ""
    bill = await context.store.money.of_job(job.id)
    paid = cost = ""
    if bill.cost is not None and job.terms is not None:
        currency = job.terms.currency
        paid = f" for {amount(bill.cost, currency)} {currency}"
        cost = f", which cost about {amount(bill.cost * rest // max(done.rows, 1), currency)} {currency} at that rate"
    await take_note_away(context, job)
    await context.store.trials.shown(
        job,
        f"{done.rows:,} of its {job.rows or 0:,} rows were asked first{paid}{failed}; {look_at(name)}"
        f"{count(rest, 'row')} {'is' if rest == 1 else 'are'} asked{cost}",
    )


def _publish(context: Context, configured: Configured, job: Job) -> str:
    """Put the table into the outbox. Return its name: the first that is free, or has the same bytes already."""
    folders, rights, stem = context.folders, configured.rights(job), outbox_stem(job.relative_path)
    require_folder(folders.outbox, mounted=folders.mounted)
    for number in numbers(1):
        name = f"{numbered(stem, number)}{ENDING}"
        target: Path = folders.outbox / name
        make_folder(target.parent, rights=rights)
        try:
            with publishing(target, rights=rights) as file, context.spool.pilot(job.id).open("rb") as table:
                shutil.copyfileobj(table, file)
        except FileExistsError:
            continue
        return name
    raise AssertionError("there is always another number")

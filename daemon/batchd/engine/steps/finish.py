"""Write the report, archive the original: the job is done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ...columns import free_names
from ...delivery.archive import put_into_archive, retire_rejected
from ...delivery.report_json import StepTaken, as_json, count_rows, publish_report, report_of, was_reported, why_failed
from ...delivery.report_task import ReportDone, ReportTask, make_report
from ...domain.lifecycle import Finish
from ...domain.names import REVIEW
from ...domain.records import Job, Part
from ...events import JobFinished, SourceChanged
from ...files import Rights, draft_of, sha256_of
from ...intake.plain_files import stamp_of
from ...intake.settling import Stamp
from ...model import Json, RowStatus
from ...work.review import ReviewTask, write_review
from ..context import Configured, Context
from .output_names import archive_elsewhere, take_another_name
from .render import forget_pieces, remove_pieces, shape_of, summary_task, table_for_people

logger = logging.getLogger("batchd")


class _ArchiveNameTaken(Exception):  # no fault: another name is taken
    """Another file has the name that was reserved for the original."""


async def finish(context: Context, action: Finish) -> None:
    """Write the report, archive the original: the job is done."""
    configured = context.configured
    found = await context.store.gathering.for_finishing(action.job)
    job, parts, batches = found.job, found.parts, found.batches
    files = [name for each in found.delivered.values() for name in each.files]
    receipts = {sink: each.receipt for sink, each in found.delivered.items() if each.receipt is not None}
    steps = []
    if job.step_columns is not None:
        for step in await context.store.chains.family(job):
            of_step = parts if step.id == job.id else await context.store.jobs.parts(step.id)
            steps.append(StepTaken(step, of_step, await context.store.money.of_step(step.id)))
    said: dict[str, Any] = {"shares": found.shares, "files": files, "receipts": receipts, "steps": steps}
    facts = report_of(job, parts, batches, found.bill, currency=configured.budget.currency, **said)
    name, page_name = f"{job.outbox_stem}.report.json", f"{job.outbox_stem}.report.html"
    made = await _report(context, configured, job, parts, facts, page_name)
    report = made.report
    folders, rights = context.folders, configured.rights(job)
    # The report for programs comes last: once it is there, all files are.
    pages = {page_name: made.page, name: as_json(report)}
    try:
        if job.route.review and not await asyncio.to_thread(was_reported, job, folders.outbox, job.outbox_stem):
            await _publish_review(context, configured, job, parts)
        changed = await asyncio.to_thread(_publish_and_put_away, context, job, pages, rights)
    except _ArchiveNameTaken:
        await archive_elsewhere(context, job, folders.archive)
        return
    except FileExistsError:
        await take_another_name(context, job)
        return
    counts = count_rows(job, parts)
    if counts[RowStatus.OK]:
        for earlier, file in found.rejected.items():
            # A rejected file that cannot be put away stays, and holds up no job.
            with contextlib.suppress(OSError):
                await asyncio.to_thread(
                    retire_rejected, folders.rejected, folders.archive, file, earlier, rights=rights
                )
    event = JobFinished(
        job=job.id,
        source=job.source,
        outcome=report["outcome"],
        ok=counts[RowStatus.OK],
        failed=counts[RowStatus.FAILED],
        skipped=counts[RowStatus.SKIPPED],
        report=name,
        failures={failure["code"]: failure["rows"] for failure in report["failures"]},
        batches=len(batches),
    )
    await context.store.jobs.finished(job, event, context.clock.now(), why=why_failed(job, counts), before=changed)
    forget_pieces(context, job)


async def _report(
    context: Context, configured: Configured, job: Job, parts: Sequence[Part], facts: Mapping[str, Json], name: str
) -> ReportDone:
    """Have a worker make the whole report, and the page if there is to be one."""
    task = ReportTask(
        report=facts,
        parts=[summary_task(context, job, part, part.results) for part in parts],
        columns=free_names(job.columns, job.answer_columns),
        name=name,
        language=configured.page_for,
    )
    made = await context.local.run(make_report, task)
    if made.fault is not None:
        logger.warning("%s (job %s) has no report for people, by a fault in batchd: %s", job.source, job.id, made.fault)
    return made


async def _publish_review(context: Context, configured: Configured, job: Job, parts: Sequence[Part]) -> None:
    """Publish rows for people to check in the outbox, if any row has an answer."""
    answered = [part for part in parts if part.ok]
    if not answered:
        return
    spool, folders, rights = context.spool, context.folders, configured.rights(job)
    task = ReviewTask(
        runs=[spool.run(job, part) for part in answered],
        ok=[part.ok for part in answered],
        number=job.route.review,
        shape=shape_of(job),
        sink=configured.spec_here(table_for_people(configured, job)),
        target=str(spool.review(job.id)),
        row_timeout=context.time_limits.row,
    )
    await context.local.run(write_review, task)
    content = await asyncio.to_thread(spool.review(job.id).read_bytes)
    name = f"{job.outbox_stem}{REVIEW}"
    await asyncio.to_thread(publish_report, content, folders.outbox, name, mounted=folders.mounted, rights=rights)


def _publish_and_put_away(
    context: Context, job: Job, pages: Mapping[str, bytes | None], rights: Rights | None
) -> list[SourceChanged]:
    """Publish the pages of the report, archive the original, and remove the note about the file.

    Return an event if the original has changed since it was read. All of it is one trip to a thread: for a small file,
    a trip takes longer than most of what is done there.
    """
    folders, source = context.folders, context.spool.source(job.id)
    # In a restored state the report may be there already. Its figures and times are those of then, so it stays.
    if was_reported(job, folders.outbox, job.outbox_stem):
        for name in pages:  # killed before the draft was gone
            draft_of(folders.outbox / name).unlink(missing_ok=True)
    else:
        for name, content in pages.items():
            if content is not None:
                publish_report(content, folders.outbox, name, mounted=folders.mounted, rights=rights)
    changed = _written_since(context, job)
    try:
        put_into_archive(source, folders.archive, str(job.archive_name), mounted=folders.mounted, rights=rights)
    except FileExistsError as error:
        raise _ArchiveNameTaken from error
    context.waiting_notes.take_away(job.id, str(job.outbox_stem))
    remove_pieces(context, job)
    return changed


def _written_since(context: Context, job: Job) -> list[SourceChanged]:
    """Notice what was written to the file since it was read: claiming it does not stop a program that has it open."""
    source = context.spool.source(job.id)
    if not source.exists():
        if job.retry_round > 1:
            return []  # it was moved there, and that was told, at the end of the first round
        source = context.folders.archive / str(job.archive_name)  # killed after it was moved there
    try:
        now = stamp_of(source)
        if now.moved() == Stamp(*job.stamp).moved():
            return []
        if sha256_of(source) == job.sha256:
            return []  # only its time was set
    except FileNotFoundError:
        return []
    _, read, *_ = job.stamp
    return [SourceChanged(job=job.id, source=job.source, read=read, now=now.size, archived=str(job.archive_name))]

"""The end of a job: reconcile, publish through each sink, report, archive. And the other end: rejected, in words."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec

from ... import __version__
from ...contracts import DeliveryJob
from ...delivery.outbox import FolderOutbox, SpoolRows, is_taken, require_folder
from ...domain.lifecycle import Close, Deliver, Finish, Reject
from ...domain.names import number_of, numbered, outbox_stem
from ...domain.records import Batch, Job, Part
from ...errors import BatchdError
from ...events import JobFinished, SourceChanged
from ...file_sink import FileSink
from ...files import make_folder, publishing
from ...intake.claiming import move, reserve, stamp_of, write_why
from ...intake.settling import Stamp
from ...model import Json, RowStatus, Usage
from ...money.pricing import unit
from ...money.spending import Bill
from ...store.errors import NameTaken
from ...work.joined import RowsDoNotAddUp
from ...work.part_files import read_results
from ..context import Context
from .render import forget_pieces, publish_files, shape_of


class SinksCollide(BatchdError):
    """Two sinks of a route would write the same file."""


async def close(context: Context, action: Close) -> None:
    """Check that every row has its outcome, and reserve the names of the outputs."""
    job = await context.store.jobs.get(action.job)
    totals = await context.store.jobs.totals(job.id)
    settled = totals.ok + totals.failed
    if totals.rows != job.rows or settled > totals.rows or (settled < totals.rows and not job.cancelled):
        reason = (
            f"The file came in with {job.rows} rows, its parts hold {totals.rows}, and {totals.ok} ok + "
            f"{totals.failed} failed are settled."
        )
        await _stand_still(context, job, reason)
        return
    path = job.inbox_path.decode("utf-8", "surrogateescape")
    archive_name = await asyncio.to_thread(reserve, context.folders.archive, path)
    await _reserve_outbox_name(context, job, archive_name, outbox_stem(path))


async def _stand_still(context: Context, job: Job, reason: str) -> None:
    """The rows do not add up. Louder than a wait: somebody would take what there is for the whole."""
    await context.store.jobs.failed(
        job,
        "rows_do_not_add_up",
        f"its rows do not add up. {reason} Nothing is delivered, and the original is kept. Either a file in the state "
        f"folder was changed or damaged, or this is a fault of batchd: please report it with the output of "
        f"`batchd events {job.id}`. Once the state folder is mended: `batchd retry {job.id}`.",
    )


async def _reserve_outbox_name(context: Context, job: Job, archive_name: str, stem: str) -> None:
    for number in count(1):
        candidate = numbered(stem, number)
        if await asyncio.to_thread(is_taken, context.folders.outbox, candidate):
            continue
        try:
            await context.store.jobs.closing(job, outbox_stem=candidate, archive_name=archive_name)
        except NameTaken:
            continue  # another job under way has it
        return


async def deliver(context: Context, action: Deliver) -> None:
    """Publish the job through one sink."""
    job = await context.store.jobs.get(action.job)
    parts = await context.store.jobs.parts(job.id)
    assert job.outbox_stem is not None
    outbox = FolderOutbox(context.folders.outbox, job.outbox_stem, mounted=context.folders.mounted)
    delivery = DeliveryJob(
        id=job.id,
        source=job.source,
        route=job.route.name,
        provider=job.route.provider,
        model=job.route.model,
        sha256=job.sha256 or "",
        counts=_counts(job, parts),
        outbox=outbox,
    )
    sink = context.sinks[action.sink]
    try:
        if isinstance(sink, FileSink) and action.sink in context.file_sinks:
            await publish_files(context, job, parts, action.sink, sink, outbox)
        else:
            await sink.publish(delivery, SpoolRows(context.spool, job, parts, shape_of(job).answer_columns))
    except FileExistsError:
        if outbox.taken is None:
            raise  # not in the outbox: another name there changes nothing
        for other, files in (await context.store.jobs.delivered(job.id)).items():
            if outbox.taken in files:
                raise SinksCollide(
                    f"The sinks {other} and {action.sink} of route {job.route.name} both publish {outbox.taken}, and "
                    "each would have it hold something else. Take one of them out of the route's `sinks`, or set "
                    "them up to differ."
                ) from None
        await _take_another_name(context, job)
        return
    except RowsDoNotAddUp as error:
        await _stand_still(context, job, str(error))
        return
    await context.store.jobs.published(job, action.sink, outbox.published)


async def _take_another_name(context: Context, job: Job) -> None:
    """There is a file where ours was to be, of a kind that we do not look for or put there after we had looked.

    Never a name before the one that is given up: that one may be in the way of a sink as well.
    """
    stem = outbox_stem(job.inbox_path.decode("utf-8", "surrogateescape"))
    for number in count(number_of(job.outbox_stem or stem, stem) + 1):
        candidate = numbered(stem, number)
        if await asyncio.to_thread(is_taken, context.folders.outbox, candidate):
            continue
        try:
            await context.store.jobs.renamed(job, candidate)
        except NameTaken:
            continue
        return


async def finish(context: Context, action: Finish) -> None:
    """Write the report, archive the original: the job is done."""
    job = await context.store.jobs.get(action.job)
    parts = await context.store.jobs.parts(job.id)
    batches = await context.store.batches.of_job(job.id)
    bill = await context.store.money.of_job(job.id)
    report = await asyncio.to_thread(_report, context, job, parts, batches, bill)
    assert job.archive_name is not None
    try:
        await asyncio.to_thread(_write_report, context, job, report)
    except FileExistsError:
        await _take_another_name(context, job)
        return
    changed = await asyncio.to_thread(_written_since, context, job)
    try:
        await asyncio.to_thread(_archive, context, job)
    except FileExistsError:
        await _archive_elsewhere(context, job, context.folders.archive)
        return
    counts = _counts(job, parts)
    reason = None
    if report["outcome"] == "failed":
        reason = f"{counts[RowStatus.FAILED]:,} of {job.rows:,} rows failed, more than max_failed allows"
    event = JobFinished(
        job=job.id,
        source=job.source,
        outcome=report["outcome"],
        ok=counts[RowStatus.OK],
        failed=counts[RowStatus.FAILED],
        skipped=counts[RowStatus.SKIPPED],
        report=f"{job.outbox_stem}.report.json",
        failures={failure["code"]: failure["rows"] for failure in report["failures"]},
    )
    await context.store.jobs.finished(job, event, context.clock.now(), reason=reason, before=changed)
    await asyncio.to_thread(forget_pieces, context, job)


async def reject(context: Context, job: Job, code: str, reason: str) -> None:
    """Decide that the file cannot be taken; the next action carries it out."""
    path = job.inbox_path.decode("utf-8", "surrogateescape")
    name = await asyncio.to_thread(reserve, context.folders.rejected, path)
    await context.store.jobs.rejecting(job, code, reason, archive_name=name)


async def put_into_rejected(context: Context, action: Reject) -> None:
    """Put the file into the rejected folder with the reason beside it."""
    job = await context.store.jobs.get(action.job)
    assert job.archive_name is not None
    text = (
        f"batchd could not take this file: {job.source}\n\n{job.reason}\n\n"
        "The file itself is unchanged and lies beside this note. Once it is mended, drop it into the inbox again.\n"
        f"(reason: {job.reason_code}, job: {job.id})\n"
    )
    try:
        await asyncio.to_thread(_put_into_rejected, context, job, text)
    except FileExistsError:
        await _archive_elsewhere(context, job, context.folders.rejected)
        return
    await context.store.jobs.rejected(job, context.clock.now())
    await asyncio.to_thread(context.spool.remove_job, job.id)


async def _archive_elsewhere(context: Context, job: Job, folder: Path) -> None:
    """Another job, or a person, took the reserved name meanwhile; the next try uses one that is free now."""
    name = await asyncio.to_thread(reserve, folder, job.inbox_path.decode("utf-8", "surrogateescape"))
    await context.store.jobs.archive_elsewhere(job, name)


def _put_into_rejected(context: Context, job: Job, text: str) -> None:
    require_folder(context.folders.rejected, mounted=context.folders.mounted)
    target = context.folders.rejected / str(job.archive_name)
    make_folder(target.parent)
    # The reason first: whoever sees the file finds it explained.
    write_why(target, text)
    move(context.spool.source(job.id), target)


def _written_since(context: Context, job: Job) -> list[SourceChanged]:
    """Taking a file does not stop a writer who has it open, and not every one is seen then; he is now."""
    source = context.spool.source(job.id)
    if not source.exists():
        source = context.folders.archive / str(job.archive_name)  # killed after it was moved there
    try:
        now = stamp_of(source)
        if now.moved() == Stamp(*job.stamp).moved():
            return []
        with source.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == job.sha256:
                return []  # only its time was set
    except FileNotFoundError:
        return []
    _, read, *_ = job.stamp
    return [SourceChanged(job=job.id, source=job.source, read=read, now=now.size, archived=str(job.archive_name))]


def _archive(context: Context, job: Job) -> None:
    require_folder(context.folders.archive, mounted=context.folders.mounted)
    target = context.folders.archive / str(job.archive_name)
    make_folder(target.parent)
    move(context.spool.source(job.id), target)


def _write_report(context: Context, job: Job, report: Mapping[str, Json]) -> None:
    require_folder(context.folders.outbox, mounted=context.folders.mounted)
    target = context.folders.outbox / f"{job.outbox_stem}.report.json"
    make_folder(target.parent)
    with publishing(target) as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2))
        file.write(b"\n")


def _report(context: Context, job: Job, parts: list[Part], batches: list[Batch], bill: Bill) -> dict[str, Json]:
    """Everything in it comes from what is stored, so that a second try writes the same bytes."""
    counts = _counts(job, parts)
    # Nothing was spent on it: then that is known, whatever its price.
    spent = bill if bill.answers else replace(bill, cost=0, wasted_cost=0, live_cost=0)
    usage, wasted = spent.usage, spent.wasted
    saved = sum((part.saved for part in parts), Usage())
    currency = job.terms.currency if job.terms else context.budget.currency
    return {
        "job": job.id,
        "redelivered_from": job.duplicate_of,
        "source": job.source,
        "sha256": job.sha256,
        "outcome": _outcome(job, counts),
        "route": job.route.name,
        "provider": job.route.provider,
        "model": job.route.model,
        "rows": {
            "total": job.rows,
            "ok": counts[RowStatus.OK],
            "failed": counts[RowStatus.FAILED],
            "skipped": counts[RowStatus.SKIPPED],
            "reused": job.rows if job.duplicate_of else sum(part.reused for part in parts),
        },
        "tokens": {
            "input": usage.input_tokens,
            "cached_input": usage.cached_tokens,
            "output": usage.output_tokens,
            "wasted_input": wasted.input_tokens,
            "wasted_output": wasted.output_tokens,
        },
        "cost": {
            "estimated": _money(job.estimated_cost, currency),
            "actual": _money(spent.cost, currency),
            "wasted": _money(spent.wasted_cost, currency),
            "live_price": _money(spent.live_cost, currency),
            "saved": _money(job.terms.batch.cost(saved), currency) if job.terms else None,
            "currency": currency,
            "prices": job.terms.source if job.terms else None,
        },
        "batches": [
            {
                "key": batch.key,
                "id": batch.remote,
                "requests": batch.requests,
                "outcome": batch.phase or batch.state,
                "provider_usage": _usage(batch.usage),
            }
            for batch in batches
        ],
        "timestamps": {
            "claimed": _time(job.claimed_at),
            "accepted": _time(job.accepted_at),
            "planned": _time(job.planned_at),
            "collected": _time(job.collected_at),
        },
        "failures": _failures(context, parts),
        "reading": dict(job.description),
        "batchd": __version__,
    }


def _failures(context: Context, parts: list[Part]) -> list[dict[str, Json]]:
    """Failed rows by code, the most frequent first, each with one sentence as an example."""
    numbers: Counter[str] = Counter()
    examples: dict[str, tuple[int, str]] = {}
    for part in parts:
        if not part.failed:
            continue
        for result in read_results(context.spool.results(part)):
            if not result.ok:
                code = result.code or "error"
                numbers[code] += 1
                examples.setdefault(code, (result.row, result.message or ""))
    return [
        {"code": code, "rows": number, "first_row": examples[code][0], "example": examples[code][1]}
        for code, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    ]


def _outcome(job: Job, counts: Mapping[RowStatus, int]) -> str:
    if job.cancelled:
        return "cancelled"
    return "failed" if counts[RowStatus.FAILED] > job.route.max_failed * (job.rows or 0) else "done"


def _counts(job: Job, parts: list[Part]) -> dict[RowStatus, int]:
    ok, failed = sum(part.ok for part in parts), sum(part.failed for part in parts)
    return {RowStatus.OK: ok, RowStatus.FAILED: failed, RowStatus.SKIPPED: (job.rows or 0) - ok - failed}


def _usage(usage: Usage | None) -> dict[str, Json] | None:
    """What the provider itself counts for a batch, where it says so."""
    if usage is None:
        return None
    return {"input": usage.input_tokens, "cached_input": usage.cached_tokens, "output": usage.output_tokens}


def _money(subunits: int | None, currency: str) -> float | None:
    return None if subunits is None else subunits / unit(currency)


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")

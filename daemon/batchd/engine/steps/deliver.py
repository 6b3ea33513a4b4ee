"""Publish a job through one sink."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from ...contracts import DeliveryJob
from ...delivery.outbox import FolderOutbox, SpoolRows
from ...delivery.report_json import count_rows, was_reported
from ...domain.lifecycle import Deliver
from ...domain.records import Job, Part
from ...domain.subjects import Subject
from ...errors import BatchdError, TransientError
from ...file_sink import FileSink
from ...plugin.absent import PluginOff
from ...plugin.blame import never_exiting
from ...plugin.sources import raised
from ...receipts import Receipt
from ...secrets.known import covered
from ...store.errors import StoreUnavailable
from ...system.threads import threads_of
from ...work.joined import RowsDoNotAddUp
from ..context import Context
from ..retry_later import RetryLater
from .close import stand_still
from .output_names import take_another_name
from .render import publish_files, shape_of


class SinkNotConfigured(BatchdError):
    """A job under way is to be published through a sink that the configuration does not have any more."""


class SinkTookTooLong(TransientError):
    """A sink did not return, and read no row, for longer than it may."""


PUBLISH_TIMEOUT = 300.0
CANCELLED_MAY_TAKE = 30.0
"""Seconds that a sink has for a job that was cancelled."""
LOOK_EVERY = 1.0


class SinksCollide(BatchdError):
    """Two sinks of a route would write the same file."""


async def deliver(context: Context, action: Deliver) -> None:
    """Publish the job through one sink. If the job was cancelled meanwhile, a sink that fails is skipped."""
    job, parts = await context.store.gathering.with_parts(action.job)
    try:
        await _deliver(context, action, job, parts)
    except (StoreUnavailable, RetryLater):
        raise
    except Exception as error:
        job = await context.store.jobs.get(action.job)
        if action.sink in await context.store.deliveries.of_job(job.id):
            return  # a person has skipped it meanwhile
        sink = context.configured.sinks.get(action.sink)
        of_the_folder = isinstance(error, OSError) and isinstance(sink, FileSink)
        if job.id not in context.last_tries or of_the_folder:
            raise
        reason = f"the job was cancelled, and the sink failed. {raised(error)}"
        await context.store.deliveries.sink_skipped(job, action.sink, reason)


def hurry(context: Context, job: str, sink: str | None = None, *, within: float = 0.0) -> None:
    """Give what is being published of the job, through this sink or any, at most `within` seconds more."""
    at = asyncio.get_running_loop().time() + within
    for (publishing, name), limit in context.publishing.items():
        if publishing == job and sink in {None, name} and (limit.when() or at) >= at:
            limit.reschedule(at)


@asynccontextmanager
async def _limited(context: Context, action: Deliver, job: Job, passed: Callable[[], int]) -> AsyncIterator[None]:
    """Give a sink threads of its own, and raise SinkTookTooLong if it makes no progress."""
    seconds = context.configured.publish_timeouts.get(action.sink, PUBLISH_TIMEOUT)
    seconds = min(seconds, CANCELLED_MAY_TAKE) if job.id in context.last_tries else seconds
    loop, key = asyncio.get_running_loop(), (action.job, action.sink)

    async def watch(limit: asyncio.Timeout, seen: int) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if passed() != seen:
                seen = passed()
                limit.reschedule(loop.time() + seconds)

    try:
        async with asyncio.timeout(seconds) as limit:
            context.publishing[key] = limit
            watching = asyncio.create_task(watch(limit, passed()), name=f"watch the sink {action.sink}")
            try:
                with threads_of(f"sink {action.sink}"):
                    yield
            finally:
                watching.cancel()
                context.publishing.pop(key, None)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise SinkTookTooLong(
            f"The sink {action.sink} was to publish {job.source} (job {job.id}) and did not return, nor read a row, "
            f"within {seconds:.0f} s (publish_timeout). `batchd skip-sink {job.id} {action.sink}` goes on without it."
        ) from error


async def _deliver(context: Context, action: Deliver, job: Job, parts: Sequence[Part]) -> None:
    configured = context.configured
    assert job.outbox_stem is not None
    are_there = partial(was_reported, job, context.folders.outbox, job.outbox_stem)
    sink, why = configured.sinks.get(action.sink), configured.kept_off.get(Subject.sink(action.sink))
    by_pieces = isinstance(sink, FileSink) and action.sink in configured.file_sinks and why is None
    # For sinks that write files `publish_files` looks itself, in the same trip to a thread.
    if not by_pieces and await asyncio.to_thread(are_there):
        await context.store.deliveries.published(job, action.sink, [])
        return
    outbox = FolderOutbox(
        context.folders.outbox, job.outbox_stem, mounted=context.folders.mounted, rights=configured.rights(job)
    )
    delivery = DeliveryJob(
        id=job.id,
        source=job.source,
        route=job.route.name,
        provider=job.route.provider,
        model=job.route.model,
        sha256=job.sha256 or "",
        counts=count_rows(job, parts),
        outbox=outbox,
    )
    if sink is None:
        raise SinkNotConfigured(
            f"{job.source} (job {job.id}) is to go to the sink {action.sink}, which the configuration does not have "
            f"any more. Put it back, and reload; or go on without it: `batchd skip-sink {job.id} {action.sink}`."
        )
    if why is not None:
        raise PluginOff(why)
    receipt: Receipt | None = None
    rows = SpoolRows(context.spool, job, parts, shape_of(job).answer_columns)
    try:
        if by_pieces:
            await publish_files(context, configured, job, parts, action.sink, outbox, are_there=are_there)
        else:
            async with _limited(context, action, job, lambda: rows.passed):
                with never_exiting():
                    receipt = await sink.publish(delivery, rows)
    except FileExistsError:
        if outbox.taken is None:
            raise  # not in the outbox: another name there changes nothing
        for other, delivered in (await context.store.deliveries.of_job(job.id)).items():
            if outbox.taken in delivered.files:
                raise SinksCollide(
                    f"The sinks {other} and {action.sink} of route {job.route.name} both publish {outbox.taken}, "
                    "with different content. Take one of them out of the route's `sinks`, or set "
                    "them up to differ."
                ) from None
        await take_another_name(context, job)
        return
    except RowsDoNotAddUp as error:
        await stand_still(context, job, str(error))
        return
    await context.store.deliveries.published(job, action.sink, outbox.published, _shown(receipt))


def _shown(receipt: Receipt | None) -> Receipt | None:
    """The receipt with secrets covered; None if the sink returned no receipt: the rows are delivered anyway."""
    if not isinstance(receipt, Receipt):
        return None
    return Receipt.read(covered(receipt.record()))

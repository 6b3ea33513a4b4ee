"""Publish a job through one sink."""

from __future__ import annotations

from ...contracts import DeliveryJob
from ...delivery.outbox import FolderOutbox, SpoolRows
from ...delivery.report_json import count_rows
from ...domain.lifecycle import Deliver
from ...errors import BatchdError
from ...file_sink import FileSink
from ...work.joined import RowsDoNotAddUp
from ..context import Context
from .close import stand_still
from .output_names import take_another_name
from .render import publish_files, shape_of


class SinkNotConfigured(BatchdError):
    """A job under way is to be published through a sink that the configuration does not have any more."""


class SinksCollide(BatchdError):
    """Two sinks of a route would write the same file."""


async def deliver(context: Context, action: Deliver) -> None:
    """Publish the job through one sink."""
    configured = context.configured
    job = await context.store.jobs.get(action.job)
    parts = await context.store.jobs.parts(job.id)
    assert job.outbox_stem is not None
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
    sink = configured.sinks.get(action.sink)
    if sink is None:
        raise SinkNotConfigured(
            f"{job.source} is to go to the sink {action.sink}, which the configuration does not have any more. "
            "Put it back, and reload."
        )
    try:
        if isinstance(sink, FileSink) and action.sink in configured.file_sinks:
            await publish_files(context, configured, job, parts, action.sink, outbox)
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
        await take_another_name(context, job)
        return
    except RowsDoNotAddUp as error:
        await stand_still(context, job, str(error))
        return
    await context.store.jobs.published(job, action.sink, outbox.published)

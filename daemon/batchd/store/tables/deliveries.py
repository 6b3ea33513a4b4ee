"""What sinks have published of jobs: each sink once, under the name that the job has now."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import Struct

from ...domain.records import Job, JobState
from ...events import JobDelivered, SinkSkipped
from ...receipts import Receipt
from ..database import Transaction, to_json
from .table import StoreTable, change


class Delivered(Struct, frozen=True):
    """What a sink has published of a job: its files in the outbox, and its receipt for the rows."""

    files: Sequence[str]
    receipt: Receipt | None


class Deliveries(StoreTable):
    """The table `deliveries`."""

    async def of_job(self, job: str) -> dict[str, Delivered]:
        """The sinks that have published the job, or were skipped."""
        return await self._database.read(lambda tx: delivered_of(tx, job))

    @change
    def published(
        self, tx: Transaction, job: Job, sink: str, files: Sequence[str], receipt: Receipt | None = None
    ) -> None:
        """A sink has published the job."""
        found = tx.fetch("job", id=job.id)
        if not found or found[0]["state"] != JobState.DELIVERING or found[0]["outbox_stem"] != job.outbox_stem:
            return  # what was published stands under a name that was given up
        kept = to_json(receipt.record()) if receipt is not None else None
        row = {"job": job.id, "sink": sink, "files": to_json(files), "delivered_at": tx.now, "receipt": kept}
        if tx.insert("deliveries", [row], otherwise="OR IGNORE"):
            where = str(receipt) if receipt is not None else ""
            tx.record(JobDelivered(job=job.id, sink=sink, files=list(files), where=where))

    @change
    def sink_skipped(self, tx: Transaction, job: Job, sink: str, reason: str) -> None:
        """Nothing of the job is published through this sink, for this reason."""
        row = {"job": job.id, "sink": sink, "files": to_json([]), "delivered_at": tx.now, "skipped": 1}
        if tx.insert("deliveries", [row], otherwise="OR IGNORE"):
            tx.record(SinkSkipped(job=job.id, sink=sink, reason=reason))


def delivered_of(tx: Transaction, job: str) -> dict[str, Delivered]:
    """The sinks that have published the job, or were skipped."""
    return {
        row["sink"]: Delivered(
            json.loads(row["files"]), Receipt.read(json.loads(row["receipt"])) if row["receipt"] else None
        )
        for row in tx.fetch("delivered_sinks", job=job)
    }

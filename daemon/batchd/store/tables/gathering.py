"""Reads all that a step of a job needs at one moment: a read by itself costs more than its query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ...domain.records import Batch, Job, Part
from ...money.spending import AnsweredBy, Bill
from ..database import Transaction
from .deliveries import Delivered, delivered_of
from .mapping import batch_of, job_of, part_of
from .money import bill_of, calibration_of, shares_of
from .table import StoreTable, look


class ForPart(Struct, frozen=True):
    """A job and one of its parts, with the batch that the part is in.

    `counted` are input tokens of answered requests to the provider and model that it asks: as batchd counted them, and
    as they were billed. `ok` is how many rows of the whole job have an answer.
    """

    job: Job
    part: Part
    batch: Batch | None
    counted: tuple[int, int]
    ok: int


class ForClosing(Struct, frozen=True):
    """A job and its parts; `replaces` is the name of the newest outputs of an earlier file with the same path."""

    job: Job
    parts: Sequence[Part]
    replaces: str | None


class ForFinishing(Struct, frozen=True):
    """All that a report tells of a job. `rejected` names earlier files with its path in the rejected folder, by job."""

    job: Job
    parts: Sequence[Part]
    batches: Sequence[Batch]
    bill: Bill
    shares: Sequence[AnsweredBy]
    delivered: Mapping[str, Delivered]
    rejected: Mapping[str, str]


class Gathering(StoreTable):
    """Reads of several tables. KeyError where there is no such job or part (any more)."""

    @look
    def for_part(self, tx: Transaction, job: str, first: int) -> ForPart:
        """What planning and collecting a part need."""
        found, part = _job(tx, job), part_of(tx.one("part", job=job, first=first))
        batch = None if part.batch is None else batch_of(tx.one("batch", key=part.batch))
        asked = found.asked(batch)
        counted = calibration_of(tx, asked.provider, asked.model)
        return ForPart(found, part, batch, counted, tx.one("job_totals", job=job)["ok"])

    async def with_parts(self, job: str) -> tuple[Job, list[Part]]:
        """A job with all its parts in row order."""
        return await self._database.read(lambda tx: (_job(tx, job), _parts(tx, job)))

    @look
    def for_closing(self, tx: Transaction, job: str) -> ForClosing:
        """What reserving the names of the outputs needs."""
        found = _job(tx, job)
        before = tx.fetch("earlier_outputs", source=found.source, claimed_at=found.claimed_at, id=job)
        return ForClosing(found, _parts(tx, job), str(before[0]["outbox_stem"]) if before else None)

    @look
    def for_finishing(self, tx: Transaction, job: str) -> ForFinishing:
        """What the report needs."""
        found = _job(tx, job)
        before = tx.fetch("earlier_rejected", source=found.source, claimed_at=found.claimed_at, id=job)
        return ForFinishing(
            found,
            _parts(tx, job),
            [batch_of(row) for row in tx.fetch("batches_of_job", job=job)],
            bill_of(tx, job, family=job),
            shares_of(tx, job),
            delivered_of(tx, job),
            {row["id"]: row["archive_name"] for row in before},
        )


def _job(tx: Transaction, job: str) -> Job:
    return job_of(tx.one("job", id=job))


def _parts(tx: Transaction, job: str) -> list[Part]:
    return [part_of(row) for row in tx.fetch("parts", job=job)]

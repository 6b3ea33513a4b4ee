"""Finds the outputs of earlier files with the same name."""

from __future__ import annotations

from ...domain.records import Job
from ..database import Database


class Earlier:
    """Looks from one job at those before it whose file had the same path in the inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def outputs(self, job: Job) -> str | None:
        """The name of the newest outputs of such a file."""
        rows = await self._database.read(
            lambda tx: tx.fetch("earlier_outputs", source=job.source, claimed_at=job.claimed_at, id=job.id)
        )
        return str(rows[0]["outbox_stem"]) if rows else None

    async def rejected(self, job: Job) -> list[str]:
        """The names in the rejected folder of such files that were rejected."""
        rows = await self._database.read(
            lambda tx: tx.fetch("earlier_rejected", source=job.source, claimed_at=job.claimed_at, id=job.id)
        )
        return [row["archive_name"] for row in rows]

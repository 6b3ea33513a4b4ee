"""Input files that may be at a provider: noted before an upload begins, and until they are deleted there."""

from __future__ import annotations

from ...domain.records import Batch
from ..database import Database
from .mapping import batch_of


class InputFiles:
    """The table `input_files`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def left(self) -> list[Batch]:
        """Batches that are over and whose input file may still be at their provider."""
        return [batch_of(row) for row in await self._database.read(lambda tx: tx.fetch("input_files_left"))]

    async def deleted(self, batch: str) -> None:
        """It is there no more."""
        await self._database.write(lambda tx: tx.run("input_file_deleted", batch=batch))

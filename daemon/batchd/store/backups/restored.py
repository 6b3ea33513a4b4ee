"""When the state was restored from a backup. Batches that it does not know may exist at their providers."""

from __future__ import annotations

from dataclasses import dataclass

from ..tables.table import StoreTable


@dataclass(frozen=True, slots=True)
class Restored:
    """When the state was restored, and when the backup was made. The state knows nothing of what was done between."""

    at: float
    made_at: float


class RestoredTable(StoreTable):
    """The table `restored`."""

    async def last(self) -> Restored | None:
        """The last restore; None if there was none."""
        rows = await self._rows("last_restored")
        return Restored(rows[0]["at"], rows[0]["made_at"]) if rows else None

    async def noticed(self, made_at: float) -> None:
        """Note that, as a person says, the state is an older copy, from about `made_at`."""
        row = {"at": self._database.now(), "made_at": made_at}
        await self._database.write(lambda tx: tx.insert("restored", [row], otherwise="OR REPLACE"))

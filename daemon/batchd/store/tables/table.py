"""The base of the classes here: one read or one change by a named query."""

from __future__ import annotations

import sqlite3
from typing import Any

from ..database import Database


class StoreTable:
    """What is stored of one subject, in one table or several."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def _rows(self, query: str, **values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        return await self._database.read(lambda tx: tx.fetch(query, **values))

    async def _run(self, query: str, **values: Any) -> int:
        """Run a query; how many rows it changed."""
        return await self._database.write(lambda tx: tx.run(query, **values))

"""Rows that follow a row of another part, since they ask the same: the steps of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...domain.records import Part, PartState
from ..database import Database, Transaction
from .steps import change_part


class IdenticalRows:
    """The parts with such rows in the table `parts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def found(self, parts: Sequence[Part]) -> None:
        """These planned parts are to be planned anew, without the rows that follow others."""

        def change(tx: Transaction) -> None:
            for part in parts:
                change_part(tx, part, PartState.PLANNED, replace(part, state=PartState.UNPLANNED))

        await self._database.write(change)

    async def followed(self, before: Part, after: Part) -> None:
        """Rows of a collected part have the outcomes of those that they follow."""
        await self._database.write(lambda tx: change_part(tx, before, PartState.COLLECTED, after))

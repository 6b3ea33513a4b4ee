"""Where a sink has put a job's rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .model import Json


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a sink has put a job's rows, for people: a path or an address without a password, a table, how many rows.

    >>> str(Receipt("/srv/results.db", table="results", rows=1_240))
    '/srv/results.db, table results (1,240 rows)'
    """

    where: str
    table: str | None = None
    rows: int | None = None

    def __str__(self) -> str:
        table = f", table {self.table}" if self.table else ""
        return f"{self.where}{table}{'' if self.rows is None else f' ({self.rows:,} rows)'}"

    def record(self) -> dict[str, Json]:
        """Return it as it is stored and reported."""
        return asdict(self)

    @classmethod
    def read(cls, record: Mapping[str, Json]) -> Receipt:
        """Return the receipt in a record; ignore keys that later versions have added."""
        return cls(record["where"], record.get("table"), record.get("rows"))

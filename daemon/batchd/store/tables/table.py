"""The base of the classes here, and what makes a method a change or a look."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..database import Database, Transaction

P = ParamSpec("P")
T = TypeVar("T")
Table = TypeVar("Table", bound="StoreTable")


class StoreTable:
    """What is stored of one subject, in one table or several."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def _rows(self, query: str, **values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        return await self._database.read(lambda tx: tx.fetch(query, **values))

    async def _one(self, query: str, **values: Any) -> sqlite3.Row:
        """The first row of a query; KeyError if there is none."""
        return await self._database.read(lambda tx: tx.one(query, **values))

    async def _run(self, query: str, **values: Any) -> int:
        """Run a query; return how many rows it changed."""
        return await self._database.write(lambda tx: tx.run(query, **values))


def change(
    method: Callable[Concatenate[Table, Transaction, P], T],
) -> Callable[Concatenate[Table, P], Coroutine[Any, Any, T]]:
    """Run the method in a transaction: the caller leaves `tx` out, and awaits the commit."""

    @functools.wraps(method)
    async def write(table: Table, /, *args: P.args, **values: P.kwargs) -> T:
        return await table._database.write(lambda tx: method(table, tx, *args, **values))  # noqa: SLF001  # its own

    return write


def look(
    method: Callable[Concatenate[Table, Transaction, P], T],
) -> Callable[Concatenate[Table, P], Coroutine[Any, Any, T]]:
    """Run the method as a read: all that it reads is of one moment. It may be called twice."""

    @functools.wraps(method)
    async def read(table: Table, /, *args: P.args, **values: P.kwargs) -> T:
        return await table._database.read(lambda tx: method(table, tx, *args, **values))  # noqa: SLF001  # its own

    return read

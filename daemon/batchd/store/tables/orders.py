"""The table `orders`, as processes other than the daemon use it: to leave an order and look for its answer.

Synchronous and quick to import, like `reading/`. Orders are the only thing that is written from outside the daemon.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct

from ...errors import StateUnusable
from ..reading.opening import connected


class Door(StrEnum):
    """How an order came in."""

    COMMAND_LINE = "command line"
    HELD_FOLDER = "held folder"
    PAGE = "page"
    API = "API"


class StoredOrder(Struct, frozen=True):
    """An order as it is stored: what is wanted of which target, mostly a job; who gave it, how, and when."""

    id: int
    kind: str
    target: str
    data: dict[str, Any]
    at: float
    who: str | None = None
    door: str | None = None


def stored_order(row: sqlite3.Row) -> StoredOrder:
    """The order in this row of the table."""
    names = ("id", "kind", "target", "at", "who", "door")
    return StoredOrder(**{name: row[name] for name in names}, data=json.loads(row["data"]))


class Answer(Struct, frozen=True):
    """The answer to an order: a sentence, and whether the order was refused."""

    text: str
    refused: bool


def leave(state: Path, kind: str, target: str, data: Mapping[str, Any], *, at: float, who: str, door: Door) -> int:
    """Write an order for the daemon; return its number. Raise StateUnusable, in words, if it cannot be written."""
    with connected(state, mode="rw") as connection:
        if connection is None:
            raise StateUnusable(f"There is no database in {state} yet, so there is nothing to order.")
        cursor = connection.execute(
            "INSERT INTO orders (at, kind, target, data, who, door) VALUES (?, ?, ?, ?, ?, ?)",
            (at, kind, target, json.dumps(dict(data), ensure_ascii=False), who, door.value),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid


def answer_to(state: Path, order: int) -> Answer | None:
    """The daemon's answer to an order; None if there is none yet."""
    with connected(state) as connection:
        assert connection is not None
        row = connection.execute("SELECT answer, refused FROM orders WHERE id = ?", (order,)).fetchone()
    if row is None or row["answer"] is None:
        return None
    return Answer(str(row["answer"]), bool(row["refused"]))

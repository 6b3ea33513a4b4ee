"""Which files in the outbox show the answers of a job's pilot."""

from __future__ import annotations

import json
import sqlite3

from ...domain.pilots import file_in
from ...domain.states import PILOT
from ..database import Transaction


def pilot_files(tx: Transaction, job: str) -> list[str]:
    """The names of these files, without those that a later pilot of another job has taken."""
    shown = {name: event["id"] for event in tx.fetch("held_by", job=job) if (name := _file_of(event)) is not None}
    if not shown:
        return []
    later = tx.fetch("held_since", job=job, id=min(shown.values()))
    taken = {name for event in later if (name := _file_of(event)) in shown and event["id"] > shown[name]}
    return [name for name in shown if name not in taken]


def _file_of(event: sqlite3.Row) -> str | None:
    data = json.loads(event["data"])
    return file_in(data["reason"]) if data.get("code") == PILOT else None

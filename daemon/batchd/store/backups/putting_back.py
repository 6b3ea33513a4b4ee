"""Changes the database of a backup before a daemon works with it in its new place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ..database import Database, Transaction


async def prepare(database: Path, state: Path, outbox: Path, *, made_at: float, now: Callable[[], float]) -> None:
    """Migrate the database, note that it is restored, and forget what it says of files that are not there.

    These are the working files of finished jobs, and files that open jobs have published to an outbox which is gone:
    they are published again. Raise StateUnusable, in words, if this version cannot work with the database.
    """

    def change(tx: Transaction) -> None:
        for row in tx.fetch("kept_jobs"):
            if not (state / "jobs" / row["id"]).exists():
                tx.run("mark_swept", job=row["id"], at=tx.now)
        for row in tx.fetch("published_of_open_jobs"):
            if not all((outbox / name).exists() for name in json.loads(row["files"])):
                tx.run("delete_delivery", job=row["job"], sink=row["sink"])
        tx.insert("restored", [{"at": tx.now, "made_at": made_at}], otherwise="OR REPLACE")

    opened = await Database.open(database, now=now)
    try:
        await opened.write(change)
    finally:
        await opened.close()

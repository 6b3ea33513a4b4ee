"""Which files of jobs that ended long ago batchd has put into people's folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ...domain.names import REVIEW
from ...events import FilesRemoved
from ..database import Transaction
from .pilots import pilot_files
from .table import StoreTable, change, look

Folder = Literal["outbox", "archive", "rejected"]
_REPORT = ".report.json"


class OldFiles(Struct, frozen=True):
    """The names of a job's files in a folder. `sha256` is that of the original, if the file is the original."""

    job: str
    source: str
    finished_at: float
    names: Sequence[str]
    sha256: str | None = None


class Retention(StoreTable):
    """The columns of `jobs` about what was removed."""

    @look
    def old(
        self, tx: Transaction, folder: Folder, before: float, most: int, *, after: OldFiles | None = None
    ) -> list[OldFiles]:
        """The files of jobs that ended before this time, the oldest first, and those that come `after` these.

        Without names that a later job has taken, if that job ended since or has not ended.
        """
        at, job = (after.finished_at, after.job) if after is not None else (0.0, "")
        page = {"before": before, "most": most, "after_at": at, "after_job": job}
        if folder == "outbox":
            return [_published(tx, dict(row), before) for row in tx.fetch("old_outputs", **page)]
        rows = tx.fetch("old_originals", **page, rejected=folder == "rejected")
        return [
            OldFiles(row["id"], row["source"], row["finished_at"], [row["archive_name"]], row["sha256"]) for row in rows
        ]

    @change
    def removed(
        self, tx: Transaction, folder: Folder, old: OldFiles, files: Sequence[str], kept: Sequence[str]
    ) -> None:
        """The files are removed, except those that a person has changed (`kept`). They are not looked at again."""
        column = "outbox_cleared_at" if folder == "outbox" else "original_cleared_at"
        tx.update("jobs", {"id": old.job, "finished_at": old.finished_at}, **{column: tx.now})
        if files or kept:
            event = FilesRemoved(job=old.job, source=old.source, folder=folder, files=list(files), kept=list(kept))
            tx.record(event)

    @change
    def removed_so_far(self, tx: Transaction, folder: Folder, old: OldFiles, files: Sequence[str]) -> None:
        """These files are removed. Another one of the job cannot be, so the next sweep looks at the job again."""
        tx.record(FilesRemoved(job=old.job, source=old.source, folder=folder, files=list(files)))


def _published(tx: Transaction, row: dict[str, str], before: float) -> OldFiles:
    names: dict[str, None] = {}
    for event in tx.fetch("published_by", job=row["id"]):
        data = json.loads(event["data"])
        names |= dict.fromkeys(data.get("files", ()))
        if (report := data.get("report")) is not None:
            stem = report.removesuffix(_REPORT)
            names |= dict.fromkeys([report, f"{stem}.report.html", f"{stem}{REVIEW}"])
    names |= dict.fromkeys(pilot_files(tx, row["id"]))
    taken = {
        name
        for event in tx.fetch("published_since", job=row["id"], source=row["source"], before=before)
        for name in json.loads(event["data"]).get("files", ())
    }
    return OldFiles(row["id"], row["source"], float(row["finished_at"]), [each for each in names if each not in taken])

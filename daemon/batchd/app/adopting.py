"""Adopting the folders of jobs that the database does not know: their dropped files go back to people.

batchd does not ask these rows again by itself: a provider may have answered them, and the database that knew is gone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from ..delivery.archive import archived_already, reserve
from ..delivery.report_json import reported
from ..files import make_folder, move_without_replacing
from ..status.soundness import unknown_folders
from ..store.spool import Spool


class Adopted(Struct, frozen=True):
    """One folder: where the dropped file is now, None if there was none; and where the rest of the folder is."""

    job: str
    file: Path | None
    kept: Path
    delivered: str | None = None
    """The report that says its answers are in the outbox, if one does."""


def adopt(state: Path, target: Path, outbox: Path, *, shared: Path | None = None) -> Sequence[Adopted]:
    """Copy the dropped files to `target`, and put the folders aside. Raise StateLocked while a daemon runs."""
    reports: dict[str, str] | None = None
    spool = Spool(state, shared)
    adopted = []
    with spool.locked():
        for folder in unknown_folders(state, spool.root):
            source, file = folder / "source", None
            if source.is_file():
                file = _given_back(source, target, _name(spool, folder.name))
            if reports is None:
                reports = reported(outbox)
            kept = spool.root / "adopted" / folder.name
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            folder.rename(kept)
            adopted.append(Adopted(folder.name, file, kept, reports.get(folder.name)))
    return adopted


def _given_back(source: Path, target: Path, name: str) -> Path:
    """Copy the file to `target`, under its name or the next free one, unless an earlier run has copied it already."""
    there = archived_already(source, target, name)
    if there is not None:
        return target / there
    file = target / reserve(target, name)
    make_folder(file.parent)
    draft = file.with_name(f".{file.name}.part")
    shutil.copyfile(source, draft)
    move_without_replacing(draft, file)
    return file


def _name(spool: Spool, job: str) -> str:
    try:
        name = os.fsdecode(spool.name(job).read_bytes())
    except OSError:
        name = ""
    return (
        name if name and not name.startswith("/") and ".." not in name.split("/") else _called(spool.source(job), job)
    )


_FORMS = {
    b"{": ".jsonl",
    b"[": ".json",
    b"PK\x03\x04": ".xlsx",
    b"PAR1": ".parquet",
    b"\x1f\x8b": ".csv.gz",
    b"\x28\xb5\x2f\xfd": ".csv.zst",
}


def _called(source: Path, job: str) -> str:
    """Make a name for a file whose own is lost with the database; its first bytes tell its format."""
    with source.open("rb") as file:
        head = file.read(100).lstrip(b"\xef\xbb\xbf \r\n\t")
    return f"adopted-{job}" + next((suffix for mark, suffix in _FORMS.items() if head.startswith(mark)), ".csv")

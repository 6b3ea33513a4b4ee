"""Adopting the folders of jobs that the database does not know: their dropped files go back to people.

Nothing is asked again by itself: a provider may have answered these rows, and the database that knew is gone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..status.soundness import unknown_folders
from ..store.spool import Spool


@dataclass(frozen=True, slots=True)
class Adopted:
    """One folder: where the dropped file is now, None if there was none; and where the rest of the folder is."""

    job: str
    file: Path | None
    kept: Path


def adopt(state: Path, target: Path) -> Sequence[Adopted]:
    """Copy the dropped files to `target`, and put the folders aside. StateLocked while a daemon runs."""
    spool = Spool(state)
    adopted = []
    with spool.locked():
        for folder in unknown_folders(state):
            source, file = folder / "source", None
            if source.is_file():
                file = target / f"adopted-{folder.name}{_suffix(source)}"
                draft = file.with_name(f".{file.name}.part")
                shutil.copyfile(source, draft)
                draft.replace(file)
            kept = state / "adopted" / folder.name
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            folder.rename(kept)
            adopted.append(Adopted(folder.name, file, kept))
    return adopted


def _suffix(source: Path) -> str:
    """Its name is lost with the database, but not what it is."""
    with source.open("rb") as file:
        return ".jsonl" if file.read(100).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") else ".csv"

"""Removes files from outbox, archive and rejected that batchd put there, once `[retention]` says that they are old.

It removes no others: the database knows each file by its name, and one that was changed since stays. Files of
unfinished jobs are left alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ..delivery.archive import why_of
from ..delivery.outbox import require_folder
from ..engine.context import Context
from ..store.tables.retention import Folder, OldFiles
from .stopping import Stopping

AT_A_TIME = 100
PAUSE = 0.2
"""Seconds to pause after the files of each job: nobody waits for this, and the folders may be network shares."""
TOUCHED_AFTER = 120.0
"""Seconds after a job's end from which a change of its files counts as somebody else's: clocks of shares differ."""
_FOLDERS: tuple[Folder, ...] = ("outbox", "archive", "rejected")


async def remove_old_files(context: Context, stopping: Stopping) -> None:
    for folder in _FOLDERS:
        while (kept_for := context.configured.retention.get(folder)) is not None:
            before = context.clock.now() - kept_for
            old = await context.store.retention.old(folder, before, AT_A_TIME)
            for each in old:
                files, changed = await asyncio.to_thread(_remove, context, folder, each)
                await context.store.retention.removed(folder, each, files, changed)
                await stopping.sleep(PAUSE)
                if stopping.is_set():
                    return
            if not old:
                break


def _remove(context: Context, name: Folder, old: OldFiles) -> tuple[Sequence[str], Sequence[str]]:
    """Remove these files; return the removed and the changed ones, which stay. OSError if the folder is not there."""
    folder: Path = getattr(context.folders, name)
    require_folder(folder, mounted=context.folders.mounted)
    removed: list[str] = []
    changed: list[str] = []
    for relative in old.names:
        path = folder / relative
        if not _is_there(path):
            continue
        # If the file's SHA-256 is known, its times do not matter.
        ours = _holds(path, old.sha256) if old.sha256 is not None else _is_untouched(path, old.finished_at)
        (removed if ours else changed).append(relative)
        if ours:
            path.unlink()
    if name == "rejected" and not changed:
        for relative in old.names:
            note = why_of(folder / relative)
            if _is_there(note) and _is_untouched(note, old.finished_at):
                note.unlink()
                removed.append(os.fspath(note.relative_to(folder)))
    return removed, changed


def _is_there(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_untouched(path: Path, finished_at: float) -> bool:
    return path.lstat().st_mtime <= finished_at + TOUCHED_AFTER


def _holds(path: Path, sha256: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256

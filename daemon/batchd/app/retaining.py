"""Removes files from outbox, archive and rejected that batchd put there, once `[retention]` says that they are old.

It removes no others: the database knows each file by its name, and one that was changed since stays. Files of
unfinished jobs are left alone. A file that cannot be removed holds up no others: a condition names it, and the next
sweep tries it again.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..delivery.archive import why_of
from ..delivery.outbox import require_folder
from ..domain.names import display
from ..domain.subjects import Subject, SubjectKind
from ..engine.conditions import Conditions
from ..engine.context import Context
from ..files import sha256_of
from ..store.tables.retention import Folder, OldFiles
from .stopping import Stopping

AT_A_TIME = 100
PAUSE = 0.2
"""Seconds to pause after the files of each job: nobody waits for this, and the folders may be network shares."""
TOUCHED_AFTER = 120.0
"""Seconds after a job's end from which a change of its files counts as somebody else's: clocks of shares differ."""
FAILED_TOLD = 3
"""How many of the files that cannot be removed a condition names: thousands of them mostly have one cause."""
_FOLDERS: tuple[Folder, ...] = ("outbox", "archive", "rejected")


@dataclass(slots=True)
class _Done:
    """The outcome for a job's files. Those that a person has changed stay."""

    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Those that cannot be removed, each with the reason."""


async def remove_old_files(context: Context, conditions: Conditions, stopping: Stopping) -> None:
    """Remove them in each of the folders, and tell people what cannot be removed: once, not each hour."""
    for folder in _FOLDERS:
        try:
            failed, number = await _sweep(context, folder, stopping)
            named = "; ".join(failed)
            more = f"; and {number - len(failed):,} more" if number > len(failed) else ""
            text = (
                f"batchd cannot remove {named}{more}. All others go, as [retention] says. Give the user that batchd "
                "runs as the right to remove them, or remove them by hand. Trying again every hour."
            )
        except OSError as error:
            number, named = 1, f"{error.filename or getattr(context.folders, folder)}: {error.strerror or error}"
            text = f"{named}. So nothing is removed there, as [retention] says. Trying again every hour."
        if stopping.is_set():
            return
        subject = Subject(SubjectKind.RETENTION, folder)
        if number:
            # The cause: the log also names a file that has joined those that were told before.
            await conditions.say(subject, text, cause=named)
        else:
            await conditions.all_well(subject)


async def _sweep(context: Context, folder: Folder, stopping: Stopping) -> tuple[Sequence[str], int]:
    """Remove the old files of a folder. Return the first that cannot be removed, with the reason, and their number.

    OSError if the folder itself is not there.
    """
    failed: list[str] = []
    number, after = 0, None
    while (kept_for := context.configured.retention.get(folder)) is not None:
        before = context.clock.now() - kept_for
        old = await context.store.retention.old(folder, before, AT_A_TIME, after=after)
        for each in old:
            done = await asyncio.to_thread(_remove, context, folder, each)
            if not done.failed:
                await context.store.retention.removed(folder, each, done.removed, done.changed)
            elif done.removed:
                await context.store.retention.removed_so_far(folder, each, done.removed)
            number += len(done.failed)
            failed += done.failed[: FAILED_TOLD - len(failed)]
            await stopping.sleep(PAUSE)
            if stopping.is_set():
                return failed, number
        if not old:
            break
        # A job with a file that cannot be removed stays the oldest: this sweep goes on behind it.
        after = old[-1]
    return failed, number


def _remove(context: Context, name: Folder, old: OldFiles) -> _Done:
    """Remove these files. OSError if the folder is not there."""
    folder: Path = getattr(context.folders, name)
    require_folder(folder, mounted=context.folders.mounted)
    done = _Done()
    for relative in old.names:
        path = folder / relative
        try:
            if not _is_there(path):
                continue
            # If the file's SHA-256 is known, its times do not matter.
            ours = sha256_of(path) == old.sha256 if old.sha256 is not None else _is_untouched(path, old.finished_at)
            if ours:
                path.unlink()
            (done.removed if ours else done.changed).append(relative)
        except FileNotFoundError:
            continue  # a person was faster
        except OSError as error:
            done.failed.append(_in_words(relative, error))
    if name == "rejected" and not done.changed and not done.failed:
        for relative in old.names:
            note = why_of(folder / relative)
            named = os.fspath(note.relative_to(folder))
            try:
                if _is_there(note) and _is_untouched(note, old.finished_at):
                    note.unlink(missing_ok=True)
                    done.removed.append(named)
            except OSError as error:
                done.failed.append(_in_words(named, error))
    return done


def _in_words(relative: str, error: OSError) -> str:
    return f"{display(relative)} ({error.strerror or error})"


def _is_there(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_untouched(path: Path, finished_at: float) -> bool:
    return path.lstat().st_mtime <= finished_at + TOUCHED_AFTER

"""The last move of originals: into the archive, or into the rejected folder with the reason beside them.

Each way may be killed at any point and is then called again with the same arguments. The caller commits the
reserved name before it calls.
"""

from __future__ import annotations

import errno
import filecmp
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from ..domain.names import archive_name, numbered, numbered_file, shortened
from ..files import fsync_folder, make_folder, move_without_replacing, publishing
from ..intake.plain_files import copy_durably, open_source
from .outbox import require_folder

_WHY = ".why.txt"


def reserve(folder: Path, relative: str, taken: Callable[[str], bool] = lambda _: False) -> str:
    """A free name, relative to `folder`, for the file that was `relative` in the inbox; always valid UTF-8.

    `taken` tells of names that others have reserved but not used yet. Commit the name before moving to it.
    """
    *folders, last = archive_name(relative).split("/")
    above = ""
    for part in folders:
        # A file may be in the way of a folder: `reviews` was dropped and archived before `reviews/may.csv` came.
        ways = (above + numbered(part, number) for number in count(1))
        above = next(way for way in ways if (folder / way).is_dir() or not os.path.lexists(folder / way)) + "/"
    names = (above + numbered_file(last, number) for number in count(1))
    return next(
        name
        for name in names
        if not any(os.path.lexists(folder / other) for other in (name, name + _WHY)) and not taken(name)
    )


def move(source: Path, target: Path) -> bool:
    """Put the spool's `source` at `target`, a name reserved for it, never over another file: FileExistsError.

    Called again after it had succeeded, it does nothing. False if neither is there any more: it had succeeded, and
    somebody has taken the file away since.
    """
    draft = target.with_name(f".{target.name}.draft")
    if not os.path.lexists(source):
        return os.path.lexists(target)
    make_folder(target.parent)
    draft.unlink(missing_ok=True)
    try:
        move_without_replacing(source, target)
    except FileExistsError:
        if target.is_symlink() or not filecmp.cmp(source, target, shallow=False):
            raise
        # Killed between copying and unlinking.
        _remove(source)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with open_source(source) as original:
            copy_durably(original.fileno(), draft)
        move_without_replacing(draft, target)
        _remove(source)
    return True


def _remove(source: Path) -> None:
    source.unlink()
    fsync_folder(source.parent)


def write_why(target: Path, text: str) -> Path:
    """Write the reason for a rejection beside the file at `target`, as `<name>.why.txt`.

    The same text may be written again; FileExistsError if another text stands there.
    """
    # 15 bytes for the ending and for the draft's: the whole name may have 255.
    path = target.with_name(shortened(target.name, 255 - len(_WHY) - len(".") - len(".draft")) + _WHY)
    make_folder(path.parent)
    with publishing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    return path


def put_into_archive(source: Path, folder: Path, name: str, *, mounted: frozenset[Path]) -> None:
    """Put the original into the archive under the name reserved for it."""
    require_folder(folder, mounted=mounted)
    move(source, folder / name)


def put_into_rejected(source: Path, folder: Path, name: str, reason: str, *, mounted: frozenset[Path]) -> None:
    """Put the original into the rejected folder under the name reserved for it, with the reason beside it."""
    require_folder(folder, mounted=mounted)
    # The reason first: people who see the file find it explained.
    write_why(folder / name, reason)
    move(source, folder / name)

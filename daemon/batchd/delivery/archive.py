"""Moves originals from the working files to the archive, or to the rejected folder with the reason beside them.

A crash may interrupt each function at any point; the daemon then calls it again with the same arguments. The caller
commits the reserved name before it calls.
"""

from __future__ import annotations

import errno
import filecmp
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from ..domain.names import archive_name, numbered, numbered_before, numbered_file, rejected_file, shortened
from ..files import Rights, draft_of, fsync_folder, make_folder, move_without_replacing, publishing, sha256_of
from ..intake.plain_files import copy_durably, open_source
from .outbox import require_folder

_WHY = ".why.txt"


def reserve(folder: Path, relative: str, reserved: Callable[[str], bool] = lambda _: False) -> str:
    """A free name, relative to `folder`, for the file that was `relative` in the inbox; always valid UTF-8.

    `reserved` says whether another job has reserved a name but not used it yet. Commit the name before moving to it.
    """
    *folders, last = archive_name(relative).split("/")
    above = ""
    for part in folders:
        # A file may have the name of a folder: `reviews` was archived before `reviews/may.csv` was dropped.
        # In this order, since the move of another file may make the folder between the two checks.
        paths = (above + numbered(part, number) for number in count(1))
        above = next(path for path in paths if not os.path.lexists(folder / path) or (folder / path).is_dir()) + "/"
    names = (above + numbered_file(last, number) for number in count(1))
    return next(
        name
        for name in names
        if not any(os.path.lexists(folder / other) for other in (name, name + _WHY)) and not reserved(name)
    )


def archived_already(source: Path, folder: Path, relative: str) -> str | None:
    """Return the name, relative to `folder`, that this very file already has there, among those `reserve` tries."""
    name = archive_name(relative)
    for number in count(1):
        candidate = numbered_file(name, number)
        path = folder / candidate
        if path.is_symlink() or not path.is_file():
            return None
        if filecmp.cmp(source, path, shallow=False):
            return candidate
    return None


def names_before(name: str, relative: str) -> list[str]:
    """The names that `reserve` has tried before it returned `name` for this file."""
    folder, slash, _ = name.rpartition("/")
    plain = archive_name(relative).rpartition("/")[2]
    return numbered_before(name, f"{folder}{slash}{plain}")


def holds(path: Path, size: int, sha256: str | None) -> bool:
    """Whether a file with this content lies there. One that cannot be read has another content."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size != size:
            return False
        return sha256_of(path) == sha256
    except OSError:
        return False


def move(source: Path, target: Path, *, rights: Rights | None = None) -> bool:
    """Move `source` to `target`, a name reserved for it. Raises FileExistsError if another file is there.

    After a success, another call does nothing. Returns False if neither file exists: the move had succeeded, and a
    person has removed the file since.
    """
    draft = draft_of(target)
    if not os.path.lexists(source):
        return os.path.lexists(target)
    make_folder(target.parent, rights=rights)
    draft.unlink(missing_ok=True)
    if rights is not None:
        _give(source, rights)
    try:
        move_without_replacing(source, target)
    except FileExistsError:
        if target.is_symlink() or not filecmp.cmp(source, target, shallow=False):
            raise
        # A crash came between copying and unlinking.
        _remove(source)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with open_source(source) as original:
            copy_durably(original.fileno(), draft, rights=rights)
        move_without_replacing(draft, target)
        _remove(source)
    return True


def _give(source: Path, rights: Rights) -> None:
    """Give the working file its rights before people see it. A file of another user is replaced by a copy of ours."""
    with open_source(source) as original:
        if os.geteuid() in {0, os.fstat(original.fileno()).st_uid}:
            rights.give(original.fileno(), source)
            return
        copy = source.with_name(f"{source.name}.ours")
        copy_durably(original.fileno(), copy, rights=rights)
    copy.replace(source)
    fsync_folder(source.parent)


def _remove(source: Path) -> None:
    source.unlink()
    fsync_folder(source.parent)


def write_why(target: Path, text: str, *, rights: Rights | None = None) -> Path:
    """Write the reason for a rejection beside the file at `target`, as `<name>.why.txt`.

    The same text may be written again. Raises FileExistsError if the file exists with another text.
    """
    path = why_of(target)
    make_folder(path.parent, rights=rights)
    with publishing(path, rights=rights) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    return path


def put_into_archive(
    source: Path, folder: Path, name: str, *, mounted: frozenset[Path], rights: Rights | None = None
) -> None:
    """Put the original into the archive under the name reserved for it."""
    require_folder(folder, mounted=mounted)
    move(source, folder / name, rights=rights)


def put_into_rejected(
    source: Path, folder: Path, name: str, reason: str, *, mounted: frozenset[Path], rights: Rights | None = None
) -> None:
    """Put the original into the rejected folder under the name reserved for it, with the reason beside it."""
    require_folder(folder, mounted=mounted)
    # The reason first: then people never see the file without it.
    write_why(folder / name, reason, rights=rights)
    move(source, folder / name, rights=rights)


def retire_rejected(rejected: Path, archive: Path, name: str, job: str, *, rights: Rights | None = None) -> None:
    """Move a job's rejected file to the archive and remove its note, once a file of the same name has succeeded."""
    path = rejected / name
    if path.is_file() and not path.is_symlink():
        move(path, archive / rejected_file(name, job), rights=rights)
    note = why_of(path)
    if os.path.lexists(note):
        _remove(note)


def why_of(target: Path) -> Path:
    # 15 bytes for the ending and for the draft's: the whole name may have 255.
    return target.with_name(shortened(target.name, 255 - len(_WHY) - len(".") - len(".draft")) + _WHY)

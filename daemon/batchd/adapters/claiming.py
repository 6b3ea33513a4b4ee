"""The ways of a dropped file: out of the inbox into the spool, and in the end out of the spool for good.

Each may be killed at any point and is then called again with the same arguments. The caller commits what it means
to do before it calls: that a job claims this file, that the job's original gets this name.

Within one file system, a claim is two renames: into the job's folder, and, once it is certain that this is the file
we had looked at, to its name there. Across file systems it is

    1. copy beside the target, fsync, read back, rename to `.source.copied`: the original still lies in the inbox
    2. rename the original to `.<job>.claim` in its folder: the lock, which one of several daemons gets
    3. unlink it
    4. rename the copy to the target

The copy comes before the lock, so that there is no moment at which the only file is a hidden one in somebody's
shared folder: if the share is gone when we come back, an unknown hidden file would be lost.

A rename does not stop a writer: whoever still has the file open goes on writing into what we took. So `Claimed`
holds the stamp of the taken file, to be compared after it has been read.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO

from ..core.names import archive_name, numbered_file, shortened
from ..core.settling import Stamp
from ..errors import FileRefused
from ..files import fsync_folder, make_folder, move_without_replacing, publishing
from .inbox import ENTER

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DRAFT = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_WHY = ".why.txt"


@dataclass(frozen=True, slots=True)
class Claimed:
    """The file is in the spool. `stamp` is what it was when we made sure of it."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Gone:
    """The file is neither in the inbox nor in the spool: someone took it back. The job can be forgotten."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The file is in the inbox, but not as it was seen: let it settle again. The job can be forgotten."""


def claim(
    inbox: Path, relative: str, stamp: tuple[int, int, int, int], target: Path, job: str
) -> Claimed | Gone | Changed:
    """Take the file `relative` out of the inbox as `target`, if it is still as `stamp` says.

    The folder of `target` exists and belongs to this job alone. OSError is a passing fault (no permission, no
    space, the inbox is not mounted): nothing is lost, and the call is to be repeated.
    """
    taken, copied = target.with_name(f".{target.name}.taken"), target.with_name(f".{target.name}.copied")
    expected = Stamp(*stamp)
    with _folder_of(inbox, relative) as (folder, name):
        if os.path.lexists(target):
            return Claimed(stamp_of(target))
        if os.path.lexists(taken):
            return _make_sure(taken, target, expected, folder, name)
        if os.path.lexists(copied):
            # Unless the original certainly still lies there, it is locked or removed already: by us, before a crash.
            hidden = _status(f".{job}.claim", folder)
            there = _status(name, folder)
            if hidden is None and (there is None or Stamp.of(there) != expected):
                return _finish_copy(copied, target, folder)
            return _lock_and_finish(copied, target, expected, folder, name, job)
        if not folder.found:
            return Gone()
        with _opened(folder, name, expected) as descriptor:
            if not isinstance(descriptor, int):
                return descriptor
            # The writer need not have synced it; what we say we have must survive a power cut.
            os.fsync(descriptor)
            try:
                os.rename(name, taken, src_dir_fd=folder.descriptor)
            except FileNotFoundError:
                if _status(name, folder) is not None:
                    raise
                return Gone()
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
            else:
                return _make_sure(taken, target, expected, folder, name)
            _copy(descriptor, copied)
            if Stamp.of(os.fstat(descriptor)) != expected:
                copied.unlink()
                return Changed()
        return _lock_and_finish(copied, target, expected, folder, name, job)


def open_source(path: Path) -> IO[bytes]:
    """Open a file that strangers made: never through a link, never waiting. FileRefused unless it is a plain file."""
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise FileRefused("not_a_file", _NOT_PLAIN) from error
        raise
    if not _is_plain(os.fstat(descriptor)):
        os.close(descriptor)
        raise FileRefused("not_a_file", _NOT_PLAIN)
    return os.fdopen(descriptor, "rb")


def stamp_of(path: Path) -> Stamp:
    """The stamp of what is at `path`; of a link itself, not of what it points to."""
    return Stamp.of(path.lstat())


# --- Out of the spool ------------------------------------------------------------------------------------------


def reserve(folder: Path, relative: str, taken: Callable[[str], bool] = lambda name: False) -> str:
    """A free name, relative to `folder`, for the file that was `relative` in the inbox; always valid UTF-8.

    `taken` tells of names that others have reserved but not used yet. Commit the name before moving to it.
    """
    wanted = archive_name(relative)
    for number in count(1):
        name = numbered_file(wanted, number)
        free = not os.path.lexists(folder / name) and not os.path.lexists(folder / (name + _WHY))
        if free and not taken(name):
            return name
    raise AssertionError("count() does not end")


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
        if not _same_bytes(source, target):
            raise
        # Killed between copying and unlinking.
        _remove(source)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with open_source(source) as original:
            _copy(original.fileno(), draft)
        move_without_replacing(draft, target)
        _remove(source)
    return True


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


# --- Claiming, step by step ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Folder:
    """The opened folder that the file lies in. `found` is False if that is gone; then it is the inbox itself."""

    descriptor: int
    found: bool

    @property
    def path(self) -> Path:
        """For functions that take paths: through the descriptor, so that nobody can slip a link in."""
        return Path(f"/proc/self/fd/{self.descriptor}")


@contextmanager
def _folder_of(inbox: Path, relative: str) -> Iterator[tuple[_Folder, str]]:
    *folders, name = relative.split("/")
    if not name or {"", ".", ".."} & {*folders, name}:
        raise ValueError(f"{relative!r} is no path within the inbox")
    with contextlib.ExitStack() as opened:
        here = root = _open(opened, inbox, ENTER & ~os.O_NOFOLLOW)
        try:
            for folder in folders:
                here = _open(opened, folder, ENTER, here)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise
            yield _Folder(root, found=False), name
        else:
            yield _Folder(here, found=True), name


def _open(opened: contextlib.ExitStack, path: str | Path, flags: int, folder: int | None = None) -> int:
    descriptor = os.open(path, flags, dir_fd=folder)
    opened.callback(os.close, descriptor)
    return descriptor


@contextmanager
def _opened(folder: _Folder, name: str, expected: Stamp) -> Iterator[int | Gone | Changed]:
    """The file opened for reading, if it is the one we had looked at."""
    status = _status(name, folder)
    if status is None:
        yield Gone()
        return
    # Looked at before it is opened, since opening a device can do things.
    if not _is_plain(status) or Stamp.of(status) != expected:
        yield Changed()
        return
    with contextlib.ExitStack() as opened:
        try:
            descriptor = _open(opened, name, _READ, folder.descriptor)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ELOOP, errno.ENXIO}:
                raise
            yield Changed()
            return
        yield descriptor if Stamp.of(os.fstat(descriptor)) == expected else Changed()


def _status(name: str, folder: _Folder) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=folder.descriptor)
    except FileNotFoundError:
        return None


def _make_sure(taken: Path, target: Path, expected: Stamp, folder: _Folder, name: str) -> Claimed | Changed:
    """What we have renamed into the spool may be another file, which took the name after we had looked."""
    status = taken.lstat()
    if not _is_plain(status) or Stamp.of(status).moved() != expected.moved():
        _give_back(taken, folder, name)
        return Changed()
    taken.rename(target)
    fsync_folder(target.parent)
    _sync(folder)
    # The first stamp has the ctime of the other rename; a write since would show in the rest of it.
    final = stamp_of(target)
    return Claimed(final) if final.moved() == expected.moved() else Claimed(Stamp.of(status))


def _lock_and_finish(
    copied: Path, target: Path, expected: Stamp, folder: _Folder, name: str, job: str
) -> Claimed | Gone | Changed:
    """Steps 2 to 4 across file systems."""
    hidden = f".{job}.claim"
    failure: OSError | None = None
    if _status(hidden, folder) is None:
        try:
            os.rename(name, hidden, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
        except OSError as error:
            # On NFS a rename may have succeeded and report the opposite, so look.
            failure = error
    status = _status(hidden, folder)
    if status is None:
        copied.unlink()
        if failure is not None and _status(name, folder) is not None:
            raise failure
        return Gone()
    if not _is_plain(status) or Stamp.of(status).moved() != expected.moved():
        _give_back(folder.path / hidden, folder, name)
        copied.unlink()
        return Changed()
    os.unlink(hidden, dir_fd=folder.descriptor)
    return _finish_copy(copied, target, folder)


def _finish_copy(copied: Path, target: Path, folder: _Folder) -> Claimed:
    _sync(folder)
    copied.rename(target)
    fsync_folder(target.parent)
    return Claimed(stamp_of(target))


def _give_back(source: Path, folder: _Folder, name: str) -> None:
    """Put into the inbox what we took by mistake, under its name or, if that is taken by now, one like it."""
    for number in count(1):
        back = name if number == 1 else numbered_file(archive_name(name), number)
        try:
            move_without_replacing(source, folder.path / back)
        except FileExistsError:
            continue
        return


def _sync(folder: _Folder) -> None:
    # Some network file systems have no fsync for folders. At worst the file shows up in the inbox once more.
    with contextlib.suppress(OSError):
        os.fsync(folder.descriptor)


# --- Files -----------------------------------------------------------------------------------------------------

_NOT_PLAIN = "This is not a plain file: a link, a pipe, a device, or a file with several names. Drop the file itself."


def _is_plain(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1

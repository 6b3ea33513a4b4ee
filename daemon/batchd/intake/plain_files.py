"""Plain files from other people: opened without following links, copied without loss."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import IO

from ..errors import FileRefused
from ..files import Rights, named
from .scan import ENTER
from .settling import Stamp

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""How a foreign file is opened: not through a link, and without waiting, as a plain open of a pipe would."""

_DRAFT = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_NOT_PLAIN = "This is not a plain file: a link, a pipe, a device, or a file with several names. Drop the file itself."


def open_source(path: Path) -> IO[bytes]:
    """Open a foreign file: never through a link, never waiting. Raises FileRefused unless it is a plain file."""
    try:
        descriptor = os.open(path, READ)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise FileRefused("not_a_file", _NOT_PLAIN) from error
        raise
    if not is_plain(os.fstat(descriptor)):
        os.close(descriptor)
        raise FileRefused("not_a_file", _NOT_PLAIN)
    return os.fdopen(descriptor, "rb")


def stamp_of(path: Path) -> Stamp:
    """The stamp of `path`; of a link itself, not of its target."""
    return Stamp.of(path.lstat())


def is_plain(status: os.stat_result) -> bool:
    """True for a regular file with one name."""
    # Some FUSE file systems count no links at all.
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


def opened_folder(opened: contextlib.ExitStack, inbox: Path, relative: str) -> tuple[int, bool]:
    """Open the file's folder, never through a link. Returns the inbox and False if the folder does not exist."""
    folders = relative.split("/")
    if {"", ".", ".."} & set(folders):
        raise ValueError(f"{relative!r} is not a path within the inbox")
    here = root = opened_in(opened, inbox, ENTER & ~os.O_NOFOLLOW)
    for folder in folders[:-1]:
        try:
            here = opened_in(opened, folder, ENTER, here)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise
            return root, False
    return here, True


def opened_in(opened: contextlib.ExitStack, path: str | Path, flags: int, folder: int | None = None) -> int:
    """A descriptor that `opened` closes."""
    descriptor = os.open(path, flags, dir_fd=folder)
    opened.callback(os.close, descriptor)
    return descriptor


def copy_durably(source: int, draft: Path, *, rights: Rights | None = None) -> None:
    """Make a durable copy, read it back and compare it. Raises OSError, and removes the draft, if they differ.

    The copy gets the mode of the source, or these rights.
    """
    draft.unlink(missing_ok=True)
    status = os.fstat(source)
    read = hashlib.sha256()
    try:
        with named(draft), os.fdopen(os.open(draft, _DRAFT, 0o600), "w+b") as file:
            while chunk := os.read(source, _CHUNK):
                read.update(chunk)
                file.write(chunk)
            file.flush()
            if rights is None:
                os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode) & 0o666 | 0o600)
            else:
                rights.give(file.fileno(), draft)
            os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(file.fileno())
            # Without this, the kernel would serve the read from its memory.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.seek(0)
            if hashlib.file_digest(file, "sha256").digest() != read.digest():
                raise OSError(errno.EIO, "The copy differs from what was written", str(draft))
    except BaseException:
        draft.unlink(missing_ok=True)
        raise

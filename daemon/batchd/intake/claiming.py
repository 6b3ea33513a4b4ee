"""The way of a dropped file out of the inbox into the spool.

It may be killed at any point and is then called again with the same arguments. The caller commits before it calls
that a job claims this file.

Within one file system, a claim is two renames: into the job's folder, and, once it is certain that this is the file
we had looked at, to its name there. Across file systems it is

    1. copy beside the target, fsync, read back, rename to `.source.copied`: the original still lies in the inbox
    2. rename the original to `.<job>.claim` in its folder: the lock, which one of several daemons gets
    3. unlink it
    4. rename the copy to the target

The copy comes before the lock, so that there is no moment at which the only file is a hidden one in somebody's
shared folder: if the share is gone when we come back, an unknown hidden file would be lost.

A rename does not stop a writer: a program that has the file open goes on writing into what we took. So `Claimed`
holds the stamp of the taken file, to be compared after it has been read.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..domain.names import archive_name, numbered_file
from ..files import fsync_folder, move_without_replacing
from .plain_files import READ, copy_durably, is_plain, opened_folder, opened_in
from .plain_files import open_source as open_source
from .plain_files import stamp_of as stamp_of
from .settling import Stamp


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
    expected = Stamp(*stamp)
    if os.path.lexists(target):
        fsync_folder(target.parent)
        return _claimed(target, expected)
    with _named(inbox / relative), contextlib.ExitStack() as opened:
        folder, found = opened_folder(opened, inbox, relative)
        try_it = _Try(folder, relative, expected, target, job)
        if os.path.lexists(try_it.taken):
            return try_it.make_sure()
        if os.path.lexists(try_it.copied):
            return try_it.resume_copy()
        if not found:
            return Gone()
        descriptor = try_it.open_original(opened)
        if not isinstance(descriptor, int):
            return descriptor
        # The writer need not have synced it; what we say we have must survive a power cut.
        os.fsync(descriptor)
        try:
            os.rename(try_it.name, try_it.taken, src_dir_fd=try_it.folder)
        except FileNotFoundError:
            if try_it.status(try_it.name) is not None:
                raise
            return Gone()
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return try_it.copy(descriptor)
        return try_it.make_sure()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Faults name the whole path of the file, and not only what was opened in its folder."""
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str) and not os.path.isabs(error.filename):
            error.filename = str(path)
        raise


class _Try:
    """One try to claim one file, whose folder is open as `folder`."""

    def __init__(self, folder: int, relative: str, expected: Stamp, target: Path, job: str) -> None:
        self.folder = folder
        self.name = relative.rpartition("/")[2]
        self.expected = expected
        self.target = target
        self.hidden = f".{job}.claim"
        self.draft, self.copied, self.taken = (
            target.with_name(f".{target.name}.{step}") for step in ("draft", "copied", "taken")
        )

    def status(self, name: str) -> os.stat_result | None:
        try:
            return os.lstat(name, dir_fd=self.folder)
        except FileNotFoundError:
            return None

    def open_original(self, opened: contextlib.ExitStack) -> int | Gone | Changed:
        """The file opened for reading, if it is the one we had looked at."""
        status = self.status(self.name)
        if status is None:
            return Gone()
        # Looked at before it is opened, since opening a device can do things.
        if not is_plain(status) or Stamp.of(status) != self.expected:
            return Changed()
        try:
            descriptor = opened_in(opened, self.name, READ, self.folder)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ELOOP, errno.ENXIO}:
                raise
            return Changed()
        return descriptor if Stamp.of(os.fstat(descriptor)) == self.expected else Changed()

    def make_sure(self) -> Claimed | Changed:
        """What we have renamed into the spool may be another file, which took the name after we had looked."""
        if not self._is_ours(self.taken.lstat()):
            self._give_back(self.taken)
            return Changed()
        self._sync_folder()
        return self._finish(self.taken)

    def copy(self, original: int) -> Claimed | Gone | Changed:
        """Step 1 across file systems, and the rest."""
        if not os.access(f"/proc/self/fd/{self.folder}", os.W_OK | os.X_OK):
            # Known before gigabytes are copied in vain, again at every try.
            raise PermissionError(errno.EACCES, "Files cannot be taken out of this folder", self.name)
        copy_durably(original, self.draft)
        if Stamp.of(os.fstat(original)) != self.expected:
            self.draft.unlink()
            return Changed()
        self.draft.rename(self.copied)
        fsync_folder(self.copied.parent)
        # Once more, as late as can be: what is written to the original from here on would be lost.
        if Stamp.of(os.fstat(original)) != self.expected:
            self.copied.unlink()
            return Changed()
        return self._lock()

    def resume_copy(self) -> Claimed | Gone | Changed:
        """There was a crash after step 1: where?"""
        fsync_folder(self.copied.parent)
        there = self.status(self.name)
        if self.status(self.hidden) or (there and Stamp.of(there) == self.expected):
            return self._lock()
        # Removed, most likely by us. If someone else removed it in that instant, we keep a file that they took back;
        # the other way round, we would lose a file.
        return self._finish(self.copied)

    def _lock(self) -> Claimed | Gone | Changed:
        """Steps 2 to 4."""
        failure: OSError | None = None
        if self.status(self.hidden) is None:
            try:
                os.rename(self.name, self.hidden, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            except OSError as error:
                failure = error  # on NFS it may have been done all the same: look
        status = self.status(self.hidden)
        if status is None:
            self.copied.unlink()
            if failure and self.status(self.name):
                raise failure
            return Gone()
        if not self._is_ours(status):
            self._give_back(Path(f"/proc/self/fd/{self.folder}/{self.hidden}"))
            self.copied.unlink()
            return Changed()
        os.unlink(self.hidden, dir_fd=self.folder)
        self._sync_folder()
        return self._finish(self.copied)

    def _finish(self, ready: Path) -> Claimed:
        ready.rename(self.target)
        fsync_folder(self.target.parent)
        return _claimed(self.target, self.expected)

    def _is_ours(self, status: os.stat_result) -> bool:
        return is_plain(status) and Stamp.of(status).moved() == self.expected.moved()

    def _give_back(self, source: Path) -> None:
        """Put into the inbox what we took by mistake, under its name or, if that is taken by now, one like it."""
        folder = Path(f"/proc/self/fd/{self.folder}")
        for number in count(1):
            name = self.name if number == 1 else numbered_file(archive_name(self.name), number)
            try:
                move_without_replacing(source, folder / name)
            except FileExistsError:
                continue
            except OSError:
                if os.path.lexists(source):
                    raise
            return

    def _sync_folder(self) -> None:
        # Some network file systems have no fsync for folders. At worst the file lies in the inbox once more.
        with contextlib.suppress(OSError):
            os.fsync(self.folder)


def _claimed(target: Path, expected: Stamp) -> Claimed:
    """With the ctime of now and the rest as it was expected: a write in between must not go unnoticed."""
    now = stamp_of(target)
    return Claimed(Stamp(*expected.moved(), now.ctime_ns) if now.inode == expected.inode else now)

"""Moves a dropped file from the inbox to the working files.

A crash may interrupt it at any point; the daemon then calls it again with the same arguments. Before the call, the
caller commits that a job claims this file.

Within one file system, a claim is two renames: into the job's folder and, once it is certain that this is the file that
was seen, to its name there. Across file systems it is

    1. copy beside the target, fsync, read back, rename to `.source.copied`: the original is still in the inbox
    2. rename the original to `.<job>.claim` in its folder: the lock, which one of several daemons gets
    3. unlink it
    4. rename the copy to the target

The copy comes before the lock, so that the only copy of the file is never a hidden file in a shared folder: if the
share were gone after a crash, it would be lost.

A rename does not stop a writer: a program that has the file open goes on writing into the moved file. So `Claimed` has
the stamp of the moved file, to be compared after it has been read.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from msgspec import Struct

from ..domain.names import archive_name, numbered_file
from ..files import fsync_folder, move_without_replacing
from .plain_files import READ, copy_durably, is_plain, opened_folder, opened_in, stamp_of
from .settling import Stamp


class Claimed(Struct, frozen=True):
    """The file is among the working files. `stamp` is its stamp when it was verified."""

    stamp: Stamp


class Gone(Struct, frozen=True):
    """The file is neither in the inbox nor among the working files: somebody removed it. Forget the job."""


class Changed(Struct, frozen=True):
    """The file is in the inbox, but has changed since it was seen: let it settle again. Forget the job."""


def claim(
    inbox: Path, relative: str, stamp: tuple[int, int, int, int], target: Path, job: str
) -> Claimed | Gone | Changed:
    """Move the file `relative` from the inbox to `target`, if it still has this `stamp`.

    The folder of `target` exists and belongs to this job alone. After an OSError (no permission, no space, the inbox
    is not mounted) nothing is lost; call it again later.
    """
    expected = Stamp(*stamp)
    if os.path.lexists(target):
        fsync_folder(target.parent)
        return _claimed(target, expected)
    with _named(inbox / relative), contextlib.ExitStack() as opened:
        folder, exists = opened_folder(opened, inbox, relative)
        attempt = _Try(folder, relative, expected, target, job)
        if os.path.lexists(attempt.moved):
            return attempt.make_sure()
        if os.path.lexists(attempt.copied):
            return attempt.resume_copy()
        if not exists:
            return Gone()
        file = opened.enter_context(contextlib.ExitStack())
        descriptor = attempt.open_original(file)
        if not isinstance(descriptor, int):
            return descriptor
        # The writer may not have synced it; a file that was received must survive a power cut.
        os.fsync(descriptor)
        try:
            os.rename(attempt.name, attempt.moved, src_dir_fd=attempt.folder)
        except FileNotFoundError:
            if attempt.status(attempt.name) is not None:
                raise
            return Gone()
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return attempt.copy(descriptor, file)
        return attempt.make_sure()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the whole path of the file into an OSError, which has only the name opened in its folder."""
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
        self.draft, self.copied, self.moved = (
            target.with_name(f".{target.name}.{step}") for step in ("draft", "copied", "taken")
        )

    def status(self, name: str) -> os.stat_result | None:
        try:
            return os.lstat(name, dir_fd=self.folder)
        except FileNotFoundError:
            return None

    def open_original(self, opened: contextlib.ExitStack) -> int | Gone | Changed:
        """The file opened for reading, if it is the one that was seen."""
        status = self.status(self.name)
        if status is None:
            return Gone()
        # Check its status before opening it, since opening a device can have effects.
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
        """Check the file that was renamed into the spool: another may have taken the name after batchd had looked."""
        if not self._is_ours(self.moved.lstat()):
            self._give_back(self.moved)
            return Changed()
        self._sync_folder()
        return self._finish(self.moved)

    def copy(self, original: int, file: contextlib.ExitStack) -> Claimed | Gone | Changed:
        """All steps across file systems, from step 1 on. `file` has the original open."""
        if not os.access(f"/proc/self/fd/{self.folder}", os.W_OK | os.X_OK):
            # Check this first, or every try would copy gigabytes in vain.
            raise PermissionError(errno.EACCES, "Files cannot be moved out of this folder", self.name)
        copy_durably(original, self.draft)
        if Stamp.of(os.fstat(original)) != self.expected:
            self.draft.unlink()
            return Changed()
        self.draft.rename(self.copied)
        fsync_folder(self.copied.parent)
        # Check again, as late as possible: what is written to the original from here on would be lost.
        if Stamp.of(os.fstat(original)) != self.expected:
            self.copied.unlink()
            return Changed()
        # Some file servers do not rename a file that is open, even if only its reader has it open.
        file.close()
        return self._lock()

    def resume_copy(self) -> Claimed | Gone | Changed:
        """Continue after a crash that came after step 1."""
        fsync_folder(self.copied.parent)
        status = self.status(self.name)
        if self.status(self.hidden) or (status and Stamp.of(status) == self.expected):
            return self._lock()
        # The original was removed, most likely by batchd. If a person removed it in that instant, batchd keeps a file
        # that the person took back. The other choice could lose a file.
        return self._finish(self.copied)

    def _lock(self) -> Claimed | Gone | Changed:
        """Steps 2 to 4."""
        failure: OSError | None = None
        if self.status(self.hidden) is None:
            try:
                os.rename(self.name, self.hidden, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            except OSError as error:
                failure = error  # on NFS the rename may have succeeded: check
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
        """Move a wrong file back into the inbox, under its name or, if that is used by now, a numbered one."""
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
        # Some network file systems have no fsync for folders. At worst the file is in the inbox once more.
        with contextlib.suppress(OSError):
            os.fsync(self.folder)


def _claimed(target: Path, expected: Stamp) -> Claimed:
    """The claim with the present ctime and the rest of the expected stamp, so that a write in between is noticed."""
    now = stamp_of(target)
    return Claimed(Stamp(*expected.moved(), now.ctime_ns) if now.inode == expected.inode else now)

"""Files that are complete or absent: write a draft, fsync it, rename it, fsync the folder.

After a power cut, the file may be empty if it was renamed without its fsync, and without the fsync of the folder the
rename itself may be lost. Both together take about 4 ms for 2 MB, so they are the default.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from msgspec import Struct

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG})


class Rights(Struct, frozen=True):
    """Who may read the files that people see: a group and a mode. None: the group the system gives, the mode 0640."""

    group: str | None = None
    mode: int | None = None

    def give(self, descriptor: int, path: Path, *, otherwise: int = 0o640) -> None:
        """Give an open file of ours its group and mode; `otherwise` is the mode if none is set."""
        if self.group is not None:
            try:
                os.fchown(descriptor, -1, group_id(self.group))
            except KeyError:
                why = f"this machine has no group “{self.group}”, so nothing is written that others could read"
                raise FileNotFoundError(errno.ENOENT, why, str(path)) from None
            except PermissionError:
                why = f"the user {os.geteuid()} is not in the group “{self.group}”, so it cannot be given to it"
                raise PermissionError(errno.EACCES, why, str(path)) from None
        os.fchmod(descriptor, self.mode if self.mode is not None else otherwise)

    @property
    def of_folders(self) -> Rights:
        """The same for a folder: those who may read its files may list it; all others may pass through to their own."""
        mode = self.mode if self.mode is not None else 0o640
        return Rights(self.group, mode | (mode & 0o444) >> 2 | 0o711)


def group_id(name: str) -> int:
    """Return the id of a group. Raise KeyError if there is none of this name."""
    import grp

    return grp.getgrnam(name).gr_gid


@contextmanager
def replacing(target: Path, *, mode: int = 0o640, sync_folder: bool = True) -> Iterator[IO[bytes]]:
    """A context manager: write `target` completely, replacing an existing file. If the block raises, nothing changes.

    After any other error `target` is whole, but may be the new file already: its folder is synced after the rename.

    To write several files into one folder, pass `sync_folder=False` for all but the last: one sync covers them all.

    The draft is in the same folder, under a hidden name that no reader of drop folders picks up.
    """
    draft = target.with_name(f".{secrets.token_hex(8)}.draft")
    with named(target), _draft(draft, mode) as file:
        yield file
        _settle(file)
        draft.replace(target)
        if sync_folder:
            fsync_folder(target.parent)


@contextmanager
def publishing(target: Path, *, rights: Rights | None = None, durable: bool = True) -> Iterator[IO[bytes]]:
    """A context manager: write `target` completely, never over an existing file. It gets its `rights` before any byte.

    A file that is not `durable` may be gone after a power cut.

    If `target` exists with the same bytes (from the try before a crash), that is success. With other bytes it
    raises FileExistsError, and the file stays as it is.
    """
    draft = draft_of(target)
    with named(target):
        with _draft(draft, 0o640, rights, left=True) as file:
            yield file
            if durable:
                _settle(file)
            file.flush()
            _link_or_compare(draft, target)
            # Before the folder is synced, or a power cut could leave the draft beside the target for good. If this
            # fails, the end of `_draft` tries again: with the target in place, no later try would remove the draft.
            draft.unlink(missing_ok=True)
        if durable:
            fsync_folder(target.parent)


def draft_of(target: Path) -> Path:
    """The draft of a file in a folder that people see. By its name, the next try removes one that a crash left."""
    return target.with_name(f".{target.name}.draft")


@contextmanager
def named(target: Path) -> Iterator[None]:
    """Put the file's name into the OSError of a full or failing disk: writing and syncing leave it out."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _DISK:
            error.filename = str(target)
        raise


def move_without_replacing(source: Path, target: Path) -> None:
    """Rename within one file system and sync both folders. Raises FileExistsError if `target` exists."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        try:
            there = target.lstat()
        except FileNotFoundError:
            # The target has gone meanwhile, such as when a daemon has claimed it from its inbox.
            os.link(source, target, follow_symlinks=False)
        else:
            # Not `samefile`, which follows links: if the target is a link to the source, the file would be lost.
            if not os.path.samestat(source.lstat(), there):
                raise
            # A crash between link and unlink left both names: remove the old one now.
    except OSError as error:
        if not _no_links_here(error):
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "A file of this name exists", str(target)) from None
        source.rename(target)
    # Before the old name is removed: a power cut in between must leave at least one of the two.
    fsync_folder(target.parent)
    source.unlink(missing_ok=True)
    fsync_folder(source.parent)


def name_again(source: Path, target: Path) -> None:
    """Give a file that never changes a second name, in place of what has that name; a copy if links are not possible.

    Does not sync the folder of `target`.
    """
    try:
        target.unlink(missing_ok=True)
        os.link(source, target)
    except OSError as error:
        if not _no_links_here(error) and error.errno != errno.EXDEV:
            raise
        with source.open("rb") as content, replacing(target, sync_folder=False) as copy:
            shutil.copyfileobj(content, copy)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    with _opened(folder) as descriptor:
        os.fsync(descriptor)


def sync_file_system(folder: Path) -> None:
    """Make the whole file system of `folder` durable: for thousands of files, faster than an fsync of each."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    with _opened(folder) as descriptor:
        if library.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, mode: int = 0o750, rights: Rights | None = None) -> None:
    """Make `folder` and its parents, durably. A folder that exists keeps its rights."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode=mode, rights=rights)
    if rights is None:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=mode)
    else:
        _make_with_rights(folder, rights.of_folders)
    fsync_folder(folder.parent)


def _make_with_rights(folder: Path, rights: Rights) -> None:
    """Make it under another name until it has its rights: a crash must not leave one that its people cannot enter."""
    draft = folder.with_name(f".{secrets.token_hex(8)}.draft")
    draft.mkdir(mode=0o700)
    try:
        with _opened(draft) as descriptor:
            rights.give(descriptor, folder)
        # If the folder was made meanwhile, the rename replaces an empty one, and fails for any other.
        draft.rename(folder)
    except OSError:
        with contextlib.suppress(OSError):
            draft.rmdir()
        if not folder.is_dir():
            raise


@contextmanager
def _draft(draft: Path, mode: int, rights: Rights | None = None, *, left: bool = False) -> Iterator[IO[bytes]]:
    """Make a new file, and remove it at the end. `left`: a crash may have left one of the same name; replace it."""
    first = mode if rights is None else 0o600
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(draft, flags, first)
    except FileExistsError:
        if not left:
            raise
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, flags, first)
    try:
        if rights is not None:
            try:
                rights.give(descriptor, draft, otherwise=mode)
            except OSError:
                os.close(descriptor)
                raise
        with os.fdopen(descriptor, "w+b", buffering=1 << 18) as file:
            yield file
    finally:
        draft.unlink(missing_ok=True)


def _settle(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _link_or_compare(draft: Path, target: Path) -> None:
    try:
        os.link(draft, target)
    except FileExistsError:
        if not _same_file(draft, target):
            raise
    except OSError as error:
        if not _no_links_here(error):
            raise
        # FAT and some network file systems have no links; the best possible is a check before the rename.
        if os.path.lexists(target):
            if _same_file(draft, target):
                return
            raise FileExistsError(errno.EEXIST, "A file of this name exists", str(target)) from None
        draft.rename(target)


def _same_file(draft: Path, target: Path) -> bool:
    # filecmp caches by name, size and time, and a draft with other content may agree in all three.
    filecmp.clear_cache()
    return target.is_file() and not target.is_symlink() and filecmp.cmp(draft, target, shallow=False)


def _no_links_here(error: OSError) -> bool:
    # Some FUSE mounts, such as rclone's, say EIO. On a broken disk the rename that follows fails, too.
    return error.errno in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EIO}

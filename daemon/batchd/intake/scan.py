"""One look at the inbox: lists every file in it and its folders. Follows no link, opens no file, trusts nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from ..domain.never_taken import CONFLICT, OWN, QUESTION, is_conflict_copy, is_never_taken, is_our_own
from ..domain.routing import matches
from .settling import Stamp

DEEPEST = 20
"""The deepest level of folders. A path must stay within 4,096 bytes, here and in the outbox."""

ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""The flags for folders below the inbox: never through a link, which may appear at any moment."""

_COPY_INSTEAD = "Copy the file itself into the inbox and delete this one."
_KINDS = {
    stat.S_IFLNK: f"This is a link to another place, and batchd processes only real files. {_COPY_INSTEAD}",
    stat.S_IFIFO: f"This is a named pipe, not a file. {_COPY_INSTEAD}",
    stat.S_IFSOCK: f"This is a socket, not a file. {_COPY_INSTEAD}",
    stat.S_IFCHR: f"This is a device, not a file. {_COPY_INSTEAD}",
    stat.S_IFBLK: f"This is a device, not a file. {_COPY_INSTEAD}",
}


class Entry(Struct, frozen=True):
    """A regular file: its path relative to the inbox as `os.fsdecode` gives it, its stamp, its file system."""

    path: str
    stamp: Stamp
    device: int


class Listing(Struct, frozen=True):
    """The result of a look. `oddities` are entries that batchd never processes: the path, and what a person can do."""

    files: list[Entry] = field(default_factory=list)
    oddities: list[tuple[str, str]] = field(default_factory=list)


def scan(root: Path, ignore: Sequence[str] = ()) -> Listing:
    """Look at the whole inbox. Raises OSError if the inbox itself is missing or cannot be read.

    Skips names that are never taken, paths that match a pattern of `ignore`, and whatever disappears during the look.
    """
    listing = Listing()
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _look_into(descriptor, "", 0, listing, ignore)
    finally:
        os.close(descriptor)
    return listing


def _look_into(folder: int, prefix: str, depth: int, listing: Listing, ignore: Sequence[str]) -> None:
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_never_taken(entry.name) or any(matches(prefix + entry.name, pattern) for pattern in ignore):
                continue
            if is_conflict_copy(entry.name):
                listing.oddities.append((prefix + entry.name, CONFLICT))
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif is_our_own(entry.name):
                    if entry.name.lower() != QUESTION:
                        listing.oddities.append((prefix + entry.name, OWN))
                else:
                    _note(prefix + entry.name, entry.stat(follow_symlinks=False), listing)
            except FileNotFoundError:
                continue  # it disappeared after it was listed
            except OSError as error:
                sentence = f"batchd cannot read its status ({error.strerror}). {_COPY_INSTEAD}"
                listing.oddities.append((prefix + entry.name, sentence))
    for name in folders:
        path = prefix + name
        if depth >= DEEPEST:
            listing.oddities.append((path, f"This is more than {DEEPEST} folders deep. Move it further up."))
            continue
        try:
            inner = os.open(name, ENTER, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            listing.oddities.append((path, _unreadable(error)))
            continue
        try:
            _look_into(inner, path + "/", depth + 1, listing, ignore)
        except OSError as error:
            listing.oddities.append((path, _unreadable(error)))
        finally:
            os.close(inner)


def _note(path: str, status: os.stat_result, listing: Listing) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind in _KINDS:
        listing.oddities.append((path, _KINDS[kind]))
    elif status.st_nlink > 1:
        what = f"This file has {status.st_nlink} names (hard links), so it could be changed under another one"
        listing.oddities.append((path, f"{what} while batchd works on it. {_COPY_INSTEAD}"))
    else:
        listing.files.append(Entry(path, Stamp.of(status), status.st_dev))


def _unreadable(error: OSError) -> str:
    return (
        f"This folder cannot be opened ({error.strerror}), so its files are not processed. "
        "Give the user that batchd runs as the right to read and enter it."
    )

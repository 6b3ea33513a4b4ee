"""Zip archives from strangers: read in pieces, with limits on what comes out.

Workbooks are zip archives too. This module writes no member to disk, so a member's name is never used as a path.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from msgspec import Struct

from .errors import FileRefused

LIMIT_KEYS = ("max_unpacked", "max_ratio", "max_files")
"""Keys of the table `[routes.NAME.reader]` that every format has."""
CHUNK = 1 << 18
JUDGED_FROM = 64 * 1024 * 1024
"""Unpacked bytes from which `max_ratio` applies: a small file of equal rows is no attack."""
_TAIL = 65_557
_MAX_DIRECTORY = 64 * 1024 * 1024
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackLimits:
    """Limits on what a compressed file may unpack to: bytes, bytes per compressed byte, and files."""

    max_unpacked: int = 4_000_000_000
    max_ratio: int = 200
    max_files: int = 10_000

    def check(self, unpacked: int, packed: int, what: str = "This file") -> None:
        """Raise FileRefused if `unpacked` bytes are too many, or too many for the `packed` bytes they came from."""
        if unpacked > self.max_unpacked:
            raise FileRefused(
                "too_large",
                f"{what} unpacks to more than {self.max_unpacked:,} bytes. Split the table into smaller files and drop "
                "those.\nFor the operator: max_unpacked in the table [routes.NAME.reader] raises the limit.",
            )
        if unpacked > JUDGED_FROM and unpacked > self.max_ratio * packed:
            raise FileRefused(
                "ratio",
                f"{what} unpacks to more than {self.max_ratio:,} times its size, like a file that is made to fill a "
                "disk. If it is a real table, unpack it and drop that.\n"
                "For the operator: max_ratio in the table [routes.NAME.reader] raises the limit.",
            )


class Member(Struct, frozen=True):
    """A file in an archive. The sizes are those that the archive declares."""

    name: str
    packed: int
    unpacked: int
    encrypted: bool


class Archive:
    """An open zip archive. Its methods raise FileRefused for every fault in it."""

    def __init__(self, file: IO[bytes], limits: UnpackLimits) -> None:
        self._limits = limits
        _check_directory(file, limits)
        with _faults():
            self._zip = zipfile.ZipFile(file)
        self._unpacked: dict[int, int] = {}
        self._infos = [info for info in self._zip.infolist() if not info.is_dir()]
        self.members: Sequence[Member] = [
            Member(info.filename, info.compress_size, info.file_size, bool(info.flag_bits & _ENCRYPTED))
            for info in self._infos
        ]

    def find(self, name: str) -> int | None:
        """Return the index in `members` of the member with this name, ignoring case; None if there is none."""
        wanted = name.replace("\\", "/").lstrip("/").lower()
        names = (info.filename.replace("\\", "/").lstrip("/").lower() for info in self._infos)
        return next((place for place, each in enumerate(names) if each == wanted), None)

    def chunks(self, place: int) -> Iterator[bytes]:
        """Yield the content of a member in chunks. Raise FileRefused once it exceeds a limit."""
        info = self._infos[place]
        if info.flag_bits & _ENCRYPTED:
            raise FileRefused("encrypted", "This file is protected by a password. Drop it again without one.")
        out = 0
        with _faults():
            member = self._zip.open(info)
        with member:
            while True:
                with _faults():
                    chunk = member.read(CHUNK)
                if not chunk:
                    return
                out += len(chunk)
                self._limits.check(out, info.compress_size)
                self._unpacked[place] = max(out, self._unpacked.get(place, 0))
                self._limits.check(sum(self._unpacked.values()), 1 << 62)
                yield chunk

    def read(self, place: int, most: int) -> bytes:
        """Return the whole content of a member. Raise FileRefused if it has more than `most` bytes."""
        parts, size = [], 0
        for chunk in self.chunks(place):
            parts.append(chunk)
            size += len(chunk)
            if size > most:
                raise FileRefused(
                    "too_large",
                    f"A part of this file, {self._infos[place].filename!r}, is larger than {most:,} bytes, which no "
                    "program writes. Save the table as a new file and drop that.",
                )
        return b"".join(parts)


@contextmanager
def _faults() -> Iterator[None]:
    """Turn what reading a damaged archive raises into FileRefused; let errors of the disk through."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise damaged() from error
    except (zipfile.BadZipFile, EOFError, ValueError, OverflowError, struct.error, zlib.error, lzma.LZMAError) as error:
        raise damaged() from error
    except (NotImplementedError, RuntimeError) as error:
        raise FileRefused(
            "archive", "This file is compressed in a way that batchd cannot read. Save it again, or unpack it, and "
            "drop that."
        ) from error  # fmt: skip


def damaged() -> FileRefused:
    """Return the refusal of an archive that is cut off or inconsistent."""
    return FileRefused(
        "archive",
        "This file is damaged: it is cut off, or what is in it does not fit its checksum. Most likely a copy or a "
        "download broke off. Save or copy it again, and drop that.",
    )


def _check_directory(file: IO[bytes], limits: UnpackLimits) -> None:
    """Refuse an archive with too long a directory, before the directory is read into memory."""
    size = file.seek(0, 2)
    start = max(0, size - _TAIL)
    file.seek(start)
    tail = file.read(_TAIL)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise damaged()
    entries, length = struct.unpack_from("<HL", tail, end + 10)
    locator = start + end - 20
    if (entries == 0xFFFF or length == 0xFFFFFFFF) and locator >= 56:
        file.seek(locator - 56)
        record = file.read(56)
        if record.startswith(b"PK\x06\x06"):
            entries, length = struct.unpack_from("<QQ", record, 32)
    file.seek(0)
    if entries > limits.max_files:
        raise FileRefused(
            "too_many_files",
            f"This archive says that it holds {entries:,} files, and batchd opens those with at most "
            f"{limits.max_files:,}. Unpack it and drop the tables that are inside.",
        )
    if length > _MAX_DIRECTORY:
        raise FileRefused(
            "too_long",
            f"This archive's list of its files is longer than {_MAX_DIRECTORY:,} bytes, which no program writes. "
            "Unpack it and drop the tables that are inside.",
        )

"""Unpacks a dropped file into files beside rows.jsonl: a compressed file, or the tables in a zip archive.

Names in an archive are never used for files: these are called `0`, `1`, …
"""

from __future__ import annotations

import posixpath
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from msgspec import Struct, field

from ...archives import LIMIT_KEYS, Archive, UnpackLimits, damaged
from ...contracts import Source
from ...domain.formats import ARCHIVE, PACKED, suffix_of, without_packing
from ...domain.never_taken import is_never_taken
from ...errors import FileRefused
from ...files import fsync_folder
from ...model import Json
from ..pictures import keep
from . import zstd_frames

_CHUNK = 1 << 18
_GZIP = b"\x1f\x8b"
_TWICE = (
    "This file is compressed twice, and batchd unpacks only once, because some files are made never to end. Unpack "
    "it and drop what is inside."
)


class Unpacked(Struct, frozen=True):
    """The tables of a file. `members` are their names in the archive, if it is one; `facts` are for the report."""

    tables: list[Source]
    members: list[str] | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)


def limits_of(settings: Mapping[str, Any]) -> UnpackLimits:
    """The limits that a reader table sets."""
    return UnpackLimits(**{key: settings[key] for key in LIMIT_KEYS if key in settings})


class Pictures(Struct, frozen=True):
    """Where pictures in an archive go, and how many bytes each may have."""

    folder: Path
    most: int


PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})


@contextmanager
def unpacked(
    source: Source,
    folder: Path,
    limits: UnpackLimits,
    is_table: Callable[[str], bool],
    pictures: Pictures | None = None,
) -> Iterator[Unpacked]:
    """Unpack the tables of a file into `folder`, for the time of the block. `is_table` says if a name is a table's."""
    shutil.rmtree(folder, ignore_errors=True)
    if source.suffix not in {*PACKED, ARCHIVE}:
        yield Unpacked([source])
        return
    folder.mkdir()
    try:
        with source.open() as file:
            if source.suffix == ARCHIVE:
                found = _archive(file, folder, limits, is_table, pictures)
            else:
                found = _single(file, source, folder, limits)
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _single(file: IO[bytes], source: Source, folder: Path, limits: UnpackLimits) -> Unpacked:
    name = without_packing(source.name)
    if suffix_of(name) in {*PACKED, ARCHIVE}:
        raise FileRefused("packed_twice", _TWICE)
    kind = PACKED[source.suffix]
    begins = file.read(4)
    file.seek(0)
    is_zstd = begins == zstd_frames.MAGIC or begins[1:] == b"\x2a\x4d\x18"  # a frame to skip
    if not (begins.startswith(_GZIP) if kind == "gzip" else is_zstd):
        raise FileRefused(
            "binary",
            f"Its name ends in {source.suffix}, but it is not compressed with {kind}. If it is unpacked already, take "
            f"{source.suffix} off its name; otherwise compress it again. Then drop it again.",
        )
    target = folder / "0"
    _write(gzip_pieces(file) if kind == "gzip" else zstd_frames.blocks(file), target, file, limits)
    return Unpacked([Source(target, name)], facts={"packed": kind})


def _write(pieces: Iterable[bytes], target: Path, packed: IO[bytes], limits: UnpackLimits) -> None:
    size = 0
    with target.open("wb") as out:
        for piece in pieces:
            if size == 0 and piece.startswith((_GZIP, zstd_frames.MAGIC)):
                raise FileRefused("packed_twice", _TWICE)
            size += len(piece)
            limits.check(size, packed.tell())
            out.write(piece)


def gzip_pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what a gzip file unpacks to: all its members, which only zeros may follow."""
    left = b""
    while True:
        left = (left or file.read(_CHUNK)).lstrip(b"\0")
        if not left:
            if file.peek(1):  # type: ignore[attr-defined]  # a buffered reader
                continue
            return
        if len(left) < 2:
            left += file.read(_CHUNK)
        if not left.startswith(_GZIP):
            raise FileRefused(
                "archive",
                "After its compressed part, this file has bytes that do not belong to it. Most likely two files were "
                "put together, or a copy went wrong. Copy or compress it again, and drop that.",
            )
        part = zlib.decompressobj(wbits=31)
        try:
            while not part.eof:
                chunk = left or file.read(_CHUNK)
                if not chunk:
                    raise damaged()
                yield part.decompress(chunk, _CHUNK)
                left = part.unconsumed_tail
        except zlib.error:
            raise damaged() from None
        left = part.unused_data


def _archive(
    file: IO[bytes], folder: Path, limits: UnpackLimits, is_table: Callable[[str], bool], pictures: Pictures | None
) -> Unpacked:
    if not file.read(4).startswith(b"PK"):
        raise FileRefused("binary", "Its name ends in .zip, but it is not a zip archive. Pack it again, and drop that.")
    archive = Archive(file, limits)
    tables: list[Source] = []
    members: list[str] = []
    left_out = 0
    images: list[tuple[int, str]] = []
    for place, member in enumerate(archive.members):
        name = member.name.replace("\\", "/")
        if is_never_taken("/".join(part for part in name.split("/") if part not in {"", ".", ".."})):
            continue
        if suffix_of(name) in {*PACKED, ARCHIVE}:
            raise FileRefused("packed_twice", f"“{name}” in this archive is itself compressed. {_TWICE}")
        if pictures is not None and suffix_of(name) in PICTURES and ".." not in name.split("/"):
            images.append((place, name))
            continue
        if not is_table(name):
            left_out += 1
            continue
        target = folder / str(place)
        with target.open("wb") as out:
            for chunk in archive.chunks(place):
                out.write(chunk)
        tables.append(Source(target, name))
        members.append(name)
    if not tables:
        raise FileRefused(
            "no_table",
            "This archive has no table in it that is taken in this folder. Pack tables such as CSV files or workbooks, "
            "or drop them as they are.",
        )
    facts: dict[str, Json] = {"packed": "zip", **({"left_out": left_out} if left_out else {})}
    if pictures is not None:
        # Remove those of an earlier reading: the file may have changed since.
        shutil.rmtree(pictures.folder, ignore_errors=True)
    if pictures is not None and images:
        beside = posixpath.dirname(members[0]) if len({posixpath.dirname(each) for each in members}) == 1 else ""
        for place, name in images:
            # A cell names a picture relative to the table's folder, or to the top of the archive.
            near = posixpath.relpath(name, beside) if beside else name
            keep(pictures.folder, [name, near], archive.chunks(place), pictures.most)
        fsync_folder(pictures.folder)
        facts["pictures"] = len(images)
    return Unpacked(tables, members, facts)

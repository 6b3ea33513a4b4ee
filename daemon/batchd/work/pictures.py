"""Puts picture files into requests: each is read once from the route's folder, kept with the job, put into the body.

A prompt writes `file:NAME` in place of a picture's URL. The file is opened beneath the folder, never through a link,
and copied to the working files of the job when the row is first planned. So whatever happens to the file, the row asks
the same in each attempt and after each crash. Pictures in an archive are copied when the archive is read; their names
are never used as paths.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..files import fsync_folder, make_folder, move_without_replacing
from ..intake.plain_files import READ, is_plain, opened_folder, opened_in
from ..model import Body, Failure

MARK = "file:"
NAMES_A_FILE = b'"file:'
"""Each body that names a file contains this, and few other bodies do."""
SIGNATURES = (
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF87a"),
    ("image/gif", b"GIF89a"),
)
_CHUNK = 1 << 20

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class PictureFolder(Struct, frozen=True):
    """Where a route's pictures are. `copies` is the job's folder for copies, None to keep none; `most` is in bytes.

    Without a `root`, there are only the pictures from the archive that held the table.
    """

    root: str | None
    most: int
    copies: str | None = None


class _Unusable(Exception):
    """A picture cannot be sent. The message says why."""


def with_pictures(body: bytes, folder: PictureFolder | None) -> bytes | Failure:
    """Return the body with its picture files as data URLs, or a Failure that says which one cannot be sent."""
    if NAMES_A_FILE not in body:
        return body
    request = _decode(body)
    found = False
    try:
        for place, key in _places(request):
            name = place[key]
            if isinstance(name, str) and name.startswith(MARK):
                place[key] = _data_url(name.removeprefix(MARK), folder)
                found = True
    except _Unusable as error:
        return Failure("picture", str(error))
    return _encode(request) if found else body


def shows_pictures(request: Mapping[str, Any]) -> bool:
    """Whether the request has a place for a picture's URL."""
    return next(_places(request), None) is not None


def _places(request: Mapping[str, Any]) -> Iterator[tuple[Body, str]]:
    """Yield each object and its key that hold a picture's URL, in chats and in requests to /v1/responses."""
    for messages in (request.get("messages"), request.get("input")):
        for message in messages if isinstance(messages, list) else ():
            content = message.get("content") if isinstance(message, dict) else None
            for piece in content if isinstance(content, list) else ():
                image = piece.get("image_url") if isinstance(piece, dict) else None
                if isinstance(image, dict) and "url" in image:
                    yield image, "url"
                elif isinstance(image, str):
                    yield piece, "image_url"


def _data_url(name: str, folder: PictureFolder | None) -> str:
    if folder is None:
        raise _Unusable(
            f"The picture “{name}” is no web address. Write one that begins with https://. For the operator: pictures "
            "that are files need the key `files` in the route, the folder that they are in."
        )
    content = _kept(name, folder)
    kind = kind_of(content)
    if kind is None:
        raise _Unusable(
            f"The picture “{name}” is no PNG, JPEG, GIF or WebP file, whatever its name says. Save it as one of these."
        )
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def kind_of(content: bytes) -> str | None:
    """Return the media type of a picture, told by its first bytes; None if services do not take it."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for kind, signature in SIGNATURES if content.startswith(signature)), None)


def _kept(name: str, folder: PictureFolder) -> bytes:
    """Return the content as it was when the job first read it."""
    if folder.copies is None:
        return _read(name, folder)
    key = key_of(name)
    copy = Path(folder.copies, key)
    try:
        return copy.read_bytes()
    except FileNotFoundError:
        pass
    if (too_large := copy.with_suffix(LARGE)).exists():
        raise _too_large(name, int(too_large.read_text()), folder.most)
    content = _read(name, folder)
    make_folder(copy.parent, mode=0o700)
    draft = copy.with_name(f".{key}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        # Another worker may have been first, and the file may have changed in between: the first copy counts.
        move_without_replacing(draft, copy)
    except FileExistsError:
        draft.unlink(missing_ok=True)
        return copy.read_bytes()
    fsync_folder(copy.parent)
    return content


def key_of(name: str) -> str:
    """Return the file name of a picture's copy."""
    return hashlib.blake2b(_beneath(name).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _beneath(name: str) -> str:
    """Return the name as a path beneath the folder. It is not checked."""
    return name.replace("\\", "/").removeprefix("./")


LARGE = ".large"
"""The suffix of a note that stands for a picture in an archive that is too large. The note holds the picture's size."""


def keep(copies: Path, names: Sequence[str], pieces: Iterable[bytes], most: int) -> None:
    """Copy a picture out of an archive, under each of these names. If it is too large, write a note instead."""
    make_folder(copies, mode=0o700)
    first, *others = dict.fromkeys(map(key_of, names))
    size, draft = 0, copies / f".{first}"
    with draft.open("wb") as file:
        for piece in pieces:
            size += len(piece)
            if size <= most:
                file.write(piece)
        if size > most:
            file.seek(0)
            file.truncate()
            file.write(str(size).encode())
        file.flush()
        os.fsync(file.fileno())
    ending = LARGE if size > most else ""
    draft.replace(copies / f"{first}{ending}")
    for other in others:
        (copies / f"{other}{ending}").unlink(missing_ok=True)
        os.link(copies / f"{first}{ending}", copies / f"{other}{ending}")


def _too_large(name: str, size: int, most: int) -> _Unusable:
    return _Unusable(
        f"The picture “{name}” has {size:,} bytes, and may have {most:,}. Save it smaller. For the operator: "
        "max_file_bytes in the route."
    )


def _read(name: str, folder: PictureFolder) -> bytes:
    if folder.root is None:
        raise _Unusable(f"There is no picture “{name}” in the archive. Put it there and drop the archive again.")
    path = _beneath(name)
    advice = "Put it there and drop the failed rows again."
    if not path or path.startswith("/") or "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise _Unusable(
            f"“{name}” is no name of a picture in the folder of the route. Write it without a folder above."
        )
    with contextlib.ExitStack() as opened:
        try:
            here, exists = opened_folder(opened, Path(folder.root), path)
            if not exists:
                raise _Unusable(f"There is no picture “{name}” in the folder of the route. {advice}")
            file = opened_in(opened, path.rpartition("/")[2], READ, here)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENXIO}:
                raise _Unusable(
                    f"“{name}” is a link or a device, and not a picture. Put the file itself there."
                ) from None
            if error.errno not in {errno.ENOENT, errno.ENAMETOOLONG, errno.ENOTDIR}:
                raise
            if not Path(folder.root).is_dir():
                raise  # the folder is gone for a moment, as a share may be: the row waits, and does not fail
            raise _Unusable(f"There is no picture “{name}” in the folder of the route. {advice}") from None
        before = os.fstat(file)
        if not is_plain(before):
            raise _Unusable(f"“{name}” is not a plain file, so it is not read. Put the picture itself there.")
        content = _up_to(file, folder.most + 1)
        after = os.fstat(file)
    if len(content) > folder.most:
        raise _too_large(name, before.st_size, folder.most)
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or len(content) != after.st_size:
        raise _Unusable(f"The picture “{name}” was being written just then. Drop the failed rows again.")
    return content


def _up_to(file: int, most: int) -> bytes:
    pieces: list[bytes] = []
    while most > 0 and (piece := os.read(file, min(most, _CHUNK))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)

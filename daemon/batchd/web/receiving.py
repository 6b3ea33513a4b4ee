"""Uploads: a file comes into the inbox under a cleaned name, whole or not at all, and is then taken like any other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from ..domain.names import archive_name, display, numbered
from ..domain.never_taken import is_conflict_copy, is_never_taken, is_our_own
from ..files import make_folder, move_without_replacing, named
from ..status.uploads import ReceivedFile
from .answers import Refused
from .desk import Desk
from .guard import SETTING, require_form_token
from .visitor import Visitor

PIECE = 1 << 18
PIECE_WITHIN = 60.0
"""Seconds without a byte after which an upload is given up."""
DRAFT = ".batchd-upload-"
"""How the name of an incomplete upload begins. The daemon takes no file with such a name."""
FORM_WITHIN = 60.0
"""Seconds for all fields before the file of a form: they are short, and a browser sends them at once."""
MAX_FIELDS = 20
MAX_FIELD = 4_096
"""Bytes of a field. The form of the page has two: a token and the name of a route."""
_NOT_EVERYWHERE = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
"""What Windows allows in no name, and shares show as other characters: people may see inbox and outbox there."""
LEFT_AFTER = 86_400.0
"""Seconds after which the draft of an upload is removed, if a killed daemon has left it."""
MAX_UPLOADS = 8
"""Uploads at a time."""
_uploads = asyncio.Semaphore(MAX_UPLOADS)


Source = Callable[[int], Awaitable[bytes]]
"""Returns the next bytes, at most as many as asked for, and none at the end."""


async def receive(desk: Desk, request: web.Request, route: str, name: str, source: Source) -> ReceivedFile:
    """Write a draft beside the file's place in the inbox, then rename it. Raise Refused if that is not possible."""
    setting, cleaned = request[SETTING], _required(request, route, name)
    target = await asyncio.to_thread(desk.backend.inbox_place, cleaned, route)
    inbox = setting.inbox
    if not target.is_relative_to(inbox):
        raise Refused(400, "This is no name for a file.")
    most = require_size(request)
    async with _uploads:
        received = await _write(target, inbox, source, most)
    desk.backend.dropped()
    return received


@contextlib.asynccontextmanager
async def received_aside(request: web.Request, route: str, name: str) -> AsyncIterator[Path]:
    """Yield the body as a file of this name in a temporary folder. Raise Refused if that is not possible."""
    cleaned, most = _required(request, route, name), require_size(request)
    async with _uploads:
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="batchd-received-")
        try:
            path = Path(folder, cleaned)
            try:
                with path.open("wb") as file:  # noqa: ASYNC230  # a new file: this waits for nothing
                    await pour(request.content.read, file, most)
            except OSError as error:
                raise Refused(507, f"There is no room for the file: {error.strerror}.") from None
            yield path
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _required(request: web.Request, route: str, name: str) -> str:
    """Return the cleaned name. Raise Refused, with the names of the routes, if there is no such route."""
    routes = request[SETTING].routes
    if route not in routes:
        raise Refused(404, f"There is no route “{route}”. There are: {', '.join(routes)}.")
    return clean_name(name)


def require_size(request: web.Request) -> int:
    """The most bytes to receive. Raise Refused if the body declares more, or if too many uploads are under way."""
    most = request[SETTING].web.max_upload
    if (request.content_length or 0) > most + PIECE:
        raise _too_large(most)
    if _uploads.locked():
        raise Refused(503, "Too many files are being uploaded. Try again in a moment.", headers={"Retry-After": "10"})
    return most


async def pour(source: Source, file: IO[bytes], most: int) -> int:
    """Write the source to the file and return its size. Raise Refused if it is too large, or stops coming."""
    size = 0
    while piece := await _next(source):
        size += len(piece)
        if size > most:
            raise _too_large(most)
        await asyncio.to_thread(file.write, piece)
    return size


async def _write(target: Path, inbox: Path, source: Source, most: int) -> ReceivedFile:
    draft = target.with_name(f"{DRAFT}{secrets.token_hex(8)}.part")
    try:
        file = await asyncio.to_thread(_opened, draft, inbox)
        try:
            size = await pour(source, file, most)
            await asyncio.to_thread(_settle, file, draft)
        finally:
            file.close()
        # Take the time as the daemon will see it: a share may round a file's time once the file is closed.
        changed = (await asyncio.to_thread(draft.stat)).st_mtime_ns
        name = (await asyncio.to_thread(_named, draft, target)).relative_to(inbox).as_posix()
        return ReceivedFile(name, size, changed)
    except OSError as error:
        raise Refused(507, f"The inbox cannot be written: {error.strerror}. Nothing of the file was kept.") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


async def _next(source: Source) -> bytes:
    try:
        async with asyncio.timeout(PIECE_WITHIN):
            return await source(PIECE)
    except TimeoutError:
        raise Refused(408, "The rest of the file did not arrive, so nothing of it was kept.") from None


def _opened(draft: Path, inbox: Path) -> IO[bytes]:
    # Do not make the inbox itself: it may be a share that is not mounted.
    if not inbox.is_dir():
        raise FileNotFoundError(2, f"the folder {inbox} is not there (is its share mounted?)", str(inbox))
    make_folder(draft.parent, mode=0o770)
    for left in draft.parent.glob(f"{DRAFT}*.part"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_AFTER:
                left.unlink()
    return os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660), "wb")


def _settle(file: IO[bytes], draft: Path) -> None:
    with named(draft):
        file.flush()
        os.fsync(file.fileno())


def _named(draft: Path, target: Path) -> Path:
    """Rename the draft to its name, or to the next free one. Return its path."""
    number, place = 1, target
    while True:
        try:
            move_without_replacing(draft, place)
        except FileExistsError:
            number += 1
            place = target.with_stem(numbered(target.stem, number))
        else:
            return place


def clean_name(name: str) -> str:
    """Clean a name for the inbox: no folders, and safe on any file system. Raise Refused if batchd never takes it."""
    last = name.replace("\\", "/").rpartition("/")[2].strip().translate(_NOT_EVERYWHERE)
    cleaned = archive_name(last).rpartition("/")[2]
    if not last or cleaned in ("", "_"):
        raise Refused(400, "The file needs a name.")
    if is_never_taken(cleaned) or is_conflict_copy(cleaned) or is_our_own(cleaned):
        raise Refused(400, f"batchd never takes a file called {display(cleaned)}. Give it another name.")
    return cleaned


def _too_large(most: int) -> Refused:
    return Refused(413, f"The file is larger than the {most:,} bytes that [web] max_upload allows. Nothing was kept.")


_NO_FORM = (ValueError, AssertionError, HttpProcessingError)
_BROKEN = "This is no form with a file, or it broke off."


async def from_form(desk: Desk, request: web.Request, visitor: Visitor) -> ReceivedFile:
    """Receive the file of a form. The form's fields, with its token among them, must come before the file."""
    try:
        async with asyncio.timeout(FORM_WITHIN):
            fields, file = await _until_file(request)
    except TimeoutError:
        raise Refused(408, "The form did not arrive in time, so nothing of it was kept.") from None
    except _NO_FORM:
        raise Refused(400, _BROKEN) from None
    if visitor.browser:
        require_form_token(request, visitor, fields.get("form_token", ""))
    try:
        return await receive(desk, request, fields.get("route", ""), file.filename or "", file.read_chunk)
    except _NO_FORM:
        raise Refused(400, _BROKEN) from None


async def _until_file(request: web.Request) -> tuple[dict[str, str], BodyPartReader]:
    """The fields before the file, and the file. Raise Refused if there is none, or if they are too many or too long."""
    fields: dict[str, str] = {}
    reader = await request.multipart()
    for _ in range(MAX_FIELDS + 1):
        part = await reader.next()
        if part is None:
            raise Refused(400, "There is no file in it.")
        if not isinstance(part, BodyPartReader):
            raise Refused(400, "This is no form of this page.")
        if part.filename is not None:
            return fields, part
        value = bytearray()
        while piece := await part.read_chunk(MAX_FIELD):
            value += piece
            if len(value) > MAX_FIELD:
                raise Refused(413, f"A field of the form is longer than {MAX_FIELD:,} bytes.")
        fields[part.name or ""] = value.decode("utf-8", "replace")
    raise Refused(413, f"The form has more than {MAX_FIELDS} fields before its file.")

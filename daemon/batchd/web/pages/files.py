"""Results and reports, as downloads."""

from __future__ import annotations

import asyncio
import os
from typing import IO, TYPE_CHECKING

from aiohttp import web
from aiohttp.helpers import content_disposition_header

from ...status.finding import NotFound
from ...status.telling import output_file
from ..answers import Refused
from ..guard import SETTING

if TYPE_CHECKING:
    from pathlib import Path

    from ..desk import Desk

PIECE = 1 << 18
WRITE_WITHIN = 60.0
"""Seconds that a browser may take for a piece of a file before it is disconnected."""
MAX_DOWNLOADS = 32
"""Downloads at a time; more wait."""
_downloads = asyncio.Semaphore(MAX_DOWNLOADS)


async def download(desk: Desk, request: web.Request) -> web.StreamResponse:
    """A file of the job's results, by its name among `files` of the job."""
    setting = request[SETTING]
    told = request.match_info
    found = await desk.read(lambda: output_file(setting.places, told["job"], told["name"]))
    async with _downloads:
        file = await asyncio.to_thread(_opened, found.path)
        try:
            size = os.fstat(file.fileno()).st_size
            response = web.StreamResponse()
            response.content_type = "application/octet-stream"
            response.content_length = size
            name = found.path.name.encode("utf-8", "replace").decode()
            response.headers["Content-Disposition"] = content_disposition_header("attachment", filename=name)
            await response.prepare(request)
            # Send no more than the size above: a file that grows meanwhile must not break the answer.
            while request.method != "HEAD" and size > 0:
                piece = await asyncio.to_thread(file.read, min(PIECE, size))
                if not piece:
                    raise Refused(410, "The file became shorter while it was sent.")
                size -= len(piece)
                async with asyncio.timeout(WRITE_WITHIN):
                    await response.write(piece)
            return response
        finally:
            file.close()


def _opened(path: Path) -> IO[bytes]:
    """Open the file, but follow no symbolic link."""
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise NotFound(f"{path.name} cannot be read: {error.strerror}.") from None

"""Fetching a file whole, over connections that are cut.

Some hundred megabytes are cut in practice, the SDK does not resume, and a body without a length ends early without any
error. So the length is known before a file counts as whole, and what has arrived is kept where the service can go on
from there.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from batchd import Json, ProviderError, RemoteMissing, TransientError

from .normalise import size_of, unwrap
from .retrying import FIRST_PAUSE, LONGEST_PAUSE
from .wire import Call, is_html

if TYPE_CHECKING:
    from .client import Client, Stream

TRIES = 6
"""Tries in a row that bring nothing new before the daemon is left to wait."""
PROGRESS = 1_000_000
"""Bytes that make a cut try worth another one: a file of a gigabyte may be cut twenty times and still arrive."""

_MAX_LAST_LINE = 32_000_000
_CONTENT_RANGE = re.compile(r"bytes\s+(\d+)-\d+/(\d+|\*)")


class NotThereYet(RemoteMissing, TransientError):
    """The service does not know a file of answers: for minutes right after completion, or because it was deleted."""


class _Cut(TransientError):
    """A try that ended before the file did."""


@dataclass(slots=True)
class _Draft:
    """A file as far as it has arrived in `target`, from `start` on."""

    target: IO[bytes]
    start: int
    length: int | None = None
    resumable: bool = True
    last_line: bytearray | None = None
    # Counted, since asking the file costs two system calls for every chunk.
    arrived: int = 0

    def restart(self) -> None:
        self.target.seek(self.start)
        self.target.truncate()
        self.last_line = bytearray()
        self.arrived = 0

    def write(self, chunk: bytes) -> None:
        self.target.write(chunk)
        self.arrived += len(chunk)
        end = chunk.rfind(b"\n") + 1
        if end:
            self.last_line = bytearray(chunk[end:])
        elif self.last_line is not None:
            self.last_line += chunk
            if len(self.last_line) > _MAX_LAST_LINE:
                self.last_line = None

    @property
    def ends_well(self) -> bool:
        """Whether the last line is a whole one, as far as that can be told."""
        if not self.last_line:
            return True
        try:
            # Python's own takes NaN too, which some services write: it is the end of the line that is in question.
            json.loads(self.last_line)
        except (ValueError, RecursionError):
            return False
        return True


async def fetch(client: Client, file: str, target: IO[bytes]) -> None:
    """Write the whole file at the end of `target`, which then ends in a newline or holds nothing more.

    `NotThereYet` if the service does not know it, `TransientError` if it does not arrive whole; `target` is then as
    it was before.
    """
    draft = _Draft(target, target.tell())
    draft.restart()
    fruitless = 0
    try:
        while True:
            before = draft.arrived
            try:
                await _try(client, file, draft)
                break
            except TransientError as error:
                if isinstance(error, RemoteMissing) or (error.retry_after or 0) > LONGEST_PAUSE:
                    raise
                fruitless = 0 if draft.arrived >= before + PROGRESS else fruitless + 1
                if fruitless >= TRIES:
                    raise
                pause = error.retry_after
            await asyncio.sleep(_pause(fruitless) if pause is None else pause)
    except BaseException:
        draft.restart()
        raise
    if draft.last_line is None or draft.last_line:
        target.write(b"\n")


def _pause(fruitless: int) -> float:
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**fruitless))


async def _try(client: Client, file: str, draft: _Draft) -> None:
    """One request for what is still missing. Returns if the file is whole."""
    if not draft.resumable:
        draft.restart()
    resuming = draft.arrived
    call = Call(f"hand out the file {file}", about=file)
    # A length is only that of the content where nothing is compressed on the way.
    headers = {"Accept-Encoding": "identity"}
    if resuming:
        headers["Range"] = f"bytes={resuming}-"
    try:
        async with client.streaming(call, file, headers) as stream:
            _begin(stream, draft)
            async for chunk in stream.chunks():
                if not draft.arrived and is_html(stream.response, chunk):
                    raise stream.not_content()
                draft.write(chunk)
    except RemoteMissing as error:
        raise NotThereYet(
            f"{error} Answers may appear minutes after a batch has ended; if this file was deleted, they will not."
        ) from None
    except ProviderError as error:
        if type(error) is not ProviderError or not resuming:
            raise
        # It refuses to go on from there (416, mostly): from the beginning, then.
        draft.resumable = False
        raise _Cut(str(error)) from None
    await _check(client, file, draft)


def _begin(stream: Stream, draft: _Draft) -> None:
    response = stream.response
    if "html" in response.headers.get("content-type", "").lower():
        raise stream.not_content()
    if response.status_code == 206:
        place = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
        total = int(place[2]) if place and place[2] != "*" else None
        if place is None or int(place[1]) != draft.arrived or (draft.length and total and total != draft.length):
            draft.resumable = False
            raise _Cut("The service went on with another place of the file than was asked for.")
        draft.length = draft.length or total
        return
    if draft.arrived:
        # It does not know ranges and sends the file from its beginning. Or only says so, and sends what was asked for:
        # that would pass for the whole, and the rows that are missing be paid again. So it is not asked like that.
        draft.resumable = False
        raise _Cut("The service does not say that it went on where it was asked to.")
    encoded = response.headers.get("content-encoding", "identity").lower() != "identity"
    length = response.headers.get("content-length", "")
    draft.length = int(length) if length.isdecimal() and not encoded else None
    draft.resumable = draft.resumable and not encoded


async def _check(client: Client, file: str, draft: _Draft) -> None:
    """Whether all of it is there; a cut body without a length ends like a whole one."""
    if draft.length is None:
        draft.length = await _size(client, file)
    if draft.length is None:
        if not draft.ends_well:
            draft.resumable = False
            raise _Cut(f"The file {file} of {client.settings.base_url} ends in the middle of a line.")
    elif draft.arrived < draft.length:
        raise _Cut(
            f"Of the file {file} of {client.settings.base_url}, {draft.arrived} of {draft.length} bytes arrived."
        )


async def _size(client: Client, file: str) -> int | None:
    try:
        answer: Json = await client.get(Call(f"describe the file {file}", about=file), "files", file)
    except TransientError:
        raise
    except ProviderError:
        return None  # It does not describe its files; the last line must do.
    return size_of(unwrap(answer))

"""Downloads a complete file over connections that break.

Downloads of some hundred megabytes do break, the SDK does not resume them, and a body without a length ends early
without an error. So a file counts as complete only when its length is known, and a broken download resumes where the
service supports it.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from batchd import HttpAnswer, HttpCall, ProviderError, RemoteMissing, TransientError

from .normalise import size_of

if TYPE_CHECKING:
    import httpx2

    from .client import Client

_MAX_LAST_LINE = 4_000_000
_CONTENT_RANGE = re.compile(r"bytes\s+(\d+)-\d+/(\d+|\*)")


class NotThereYet(RemoteMissing, TransientError):
    """The service does not know the answer file: for some minutes after completion, or because it was deleted."""


class _Incomplete(TransientError):
    """The download ended before the file did."""


@dataclass(slots=True)
class _Draft:
    """What has arrived of a file so far: the bytes of `target` from `start` on."""

    target: IO[bytes]
    start: int
    length: int | None = None
    resumable: bool = True
    last_line: bytearray | None = None
    # Counted here: asking the file would cost two system calls for each chunk.
    arrived: int = 0
    ended_at: int | None = None
    """Where an earlier try ended, although the service says that there is more."""

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
    def last_line_complete(self) -> bool:
        """Whether the last line is valid JSON, or no object, or too long to check."""
        if not self.last_line or self.last_line.lstrip()[:1] != b"{":
            return True
        try:
            # Python's own decoder also accepts NaN, which some services write. Only the end of the line matters here.
            json.loads(self.last_line)
        except (ValueError, RecursionError):
            return False
        return True


async def fetch(client: Client, file: str, target: IO[bytes]) -> None:
    """Append the complete file to `target`, with a newline at its end; nothing if the file is empty.

    Raises `NotThereYet` if the service does not know the file, and `TransientError` if it does not arrive completely.
    `target` is then as it was before.
    """
    pacing = client.pacing
    draft = _Draft(target, target.tell())
    draft.restart()
    fruitless, most = 0, pacing.tries
    try:
        while True:
            before = draft.arrived
            try:
                await _try(client, file, draft)
                break
            except TransientError as error:
                if isinstance(error, RemoteMissing) or (error.retry_after or 0) > pacing.longest_pause:
                    raise
                if draft.arrived:
                    most = pacing.downloads
                fruitless = 0 if draft.arrived >= before + pacing.progress else fruitless + 1
                if fruitless >= most:
                    raise
                pause = error.retry_after
            if pause is None:
                pause = min(pacing.longest_pause, pacing.first_pause * 2 ** max(fruitless - 1, 0))
            await asyncio.sleep(pause)
    except BaseException:
        draft.restart()
        raise
    if draft.last_line is None or draft.last_line:
        target.write(b"\n")


async def _try(client: Client, file: str, draft: _Draft) -> None:
    """Request what is still missing. Returns if the file is complete."""
    if not draft.resumable:
        draft.restart()
    resuming = draft.arrived
    call = HttpCall(f"send the file {file}", about=file)
    # Content-Length is the length of the content only if the transfer is not compressed.
    headers = {"Accept-Encoding": "identity"}
    if resuming:
        headers["Range"] = f"bytes={resuming}-"
    try:
        async with client.streaming(call, file, headers) as response:
            if HttpAnswer.of(response, b"").is_page:
                raise client.not_json(response, call)
            _begin(response, draft)
            async for chunk in client.chunks(response, call):
                if not draft.arrived and HttpAnswer.of(response, chunk).is_page:
                    raise client.not_json(response, call)
                draft.write(chunk)
    except RemoteMissing as error:
        raise NotThereYet(
            f"{error} Answers can appear some minutes after a batch has ended; if the file was deleted, they will not."
        ) from None
    except ProviderError as error:
        if type(error) is not ProviderError or not resuming:
            raise
        # The service refuses to resume (mostly with 416), so the next try starts at the beginning.
        draft.resumable = False
        raise _Incomplete(str(error)) from None
    await _check(client, file, draft)


def _begin(response: httpx2.Response, draft: _Draft) -> None:
    if response.status_code == 206:
        position = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
        total = int(position[2]) if position and position[2] != "*" else None
        if position is None or int(position[1]) != draft.arrived or (draft.length and total and total != draft.length):
            draft.resumable = False
            raise _Incomplete("The service resumed the file at a different position from the one requested.")
        draft.length = draft.length or total
        return
    if draft.arrived:
        # The service does not support ranges and sends the file from its beginning. Or it sends the requested rest
        # without saying so: that would pass for the complete file, and the missing rows would be paid for again.
        # So the next try asks for the whole file.
        draft.resumable = False
        raise _Incomplete("The service does not confirm that it resumed where it was asked to.")
    encoded = response.headers.get("content-encoding", "identity").lower() != "identity"
    length = response.headers.get("content-length", "")
    draft.length = int(length) if length.isdecimal() and not encoded else None
    draft.resumable = draft.resumable and not encoded


async def _check(client: Client, file: str, draft: _Draft) -> None:
    """Raise `_Incomplete` if something is missing: a broken body without a length ends like a complete one."""
    told = draft.length is None
    length = size_of(await client.described(file)) if told else draft.length
    if length is None:
        if not draft.last_line_complete:
            draft.resumable = False
            raise _Incomplete(f"The file {file} from {client.settings.base_url} ends in the middle of a line.")
    elif draft.arrived < length:
        if told and draft.ended_at == draft.arrived and draft.last_line_complete:
            return  # it ended here twice, with a whole line: the size that the service gives is wrong
        if told:
            draft.ended_at = draft.arrived
        raise _Incomplete(
            f"Only {draft.arrived} of {length} bytes of the file {file} arrived from {client.settings.base_url}."
        )

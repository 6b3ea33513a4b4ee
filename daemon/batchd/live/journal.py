"""The journal of a batch that is answered by live calls: which calls began, and their outcomes, line by line.

    !{"model": …, "endpoint": …, "requests": 9}   the first line: what the batch is
    ?ID                                           a call for this row is about to begin
    -ID                                           the service answered it without an answer to the row; nothing is paid
    ~ID                                           its outcome is not known; the row may be paid twice
    {"custom_id": …, "response": …, "error": …}   the row's outcome, as in OpenAI's output files
    !cancel                                       no more calls begin

All lines of one turn of the event loop go out in one write, and count only then. A kill loses no line that counts, so
at most the calls in flight are made again. A power cut may lose what was written in the last second, too.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from ..answers.unknown_calls import unknown_call
from ..calls import LiveAnswer
from ..files import fsync_folder
from ..model import Json
from ..system.threads import threads_of

SYNC_EVERY = 1.0
"""Seconds between two fdatasync, each in a thread: on one disk they took 9 to 50 ms."""
MAX_REFUSAL = 4_000
"""Characters kept of a refusal that is not JSON."""

_ID = re.compile(rb'\{"custom_id":"([^"\\]*)","response":(?:\{"status_code":(\d+)|null)')
_JSON = msgspec.json.Decoder(msgspec.Raw)


class NotJson(Exception):
    """The body of an answer is not JSON."""


@dataclass(slots=True)
class JournalState:
    """What a journal says about earlier runs of the daemon. `size` is the bytes of its whole lines."""

    head: Mapping[str, Json] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    failed: int = 0
    open: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    over: Counter[str] = field(default_factory=Counter)
    cancelled: bool = False
    size: int = 0


def read(path: Path) -> JournalState | None:
    """Read a journal up to its last whole line; None if there is none, or not even its first line is whole."""
    past = JournalState()
    try:
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n") or not _take(past, line):
                    break
                past.size += len(line)
    except FileNotFoundError:
        return None
    return past if past.head else None


def _take(past: JournalState, line: bytes) -> bool:
    sign, rest = line[:1], line[1:-1]
    if sign == b"{":
        found = _ID.match(line)
        if found is None:
            return False
        row = found[1].decode()
        past.open.discard(row)
        past.answered.add(row)
        past.failed += found[2] is None or int(found[2]) >= 400
    elif sign == b"?":
        past.open.add(rest.decode())
    elif sign == b"-":
        past.open.discard(rest.decode())
        past.over[rest.decode()] += 1
    elif sign == b"~":
        past.open.discard(rest.decode())
        past.unsure.add(rest.decode())
    elif line == b"!cancel\n":
        past.cancelled = True
    elif sign == b"!":
        past.head = msgspec.json.decode(rest)
    else:
        return False  # a power cut can leave anything where the disk had not written yet
    return True


def create(path: Path, head: Mapping[str, Json]) -> None:
    """Begin a journal, durably. An existing journal stays as it is."""
    if read(path) is not None:
        return
    _write_at(path, 0, b"!" + msgspec.json.encode(head) + b"\n")
    fsync_folder(path.parent)


def note_cancelled(path: Path) -> None:
    """Commit that no more calls begin, in a journal that is not open."""
    past = read(path)
    if past is not None:
        _write_at(path, past.size, b"!cancel\n")


def _write_at(path: Path, size: int, line: bytes) -> None:
    """Cut the file to `size` bytes and append a line, durably."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def outcomes(path: Path) -> Iterator[bytes]:
    """The lines with outcomes of rows."""
    with path.open("rb") as lines:
        for line in lines:
            if line.startswith(b"{") and line.endswith(b"\n"):
                yield line


def copy_outcomes(path: Path, target: IO[bytes]) -> None:
    """Write the lines with outcomes to a file, then one for each row with a call whose outcome is not known."""
    unknown: set[bytes] = set()
    with path.open("rb") as lines:
        for line in lines:
            if line.startswith(b"{") and line.endswith(b"\n"):
                target.write(line)
            elif line.startswith(b"~") and line.endswith(b"\n"):
                unknown.add(line[1:-1])
    target.writelines(unknown_call(row.decode()) for row in sorted(unknown))


def line_of(custom_id: str, answer: LiveAnswer, at: float) -> bytes:
    """The line of an answer that came at this time. Raises NotJson if the body of a success is not JSON."""
    if answer.failure is not None:
        failure = answer.failure
        error = {"code": failure.code, "message": failure.message, "transient": failure.transient}
        # `read` relies on this order of the keys.
        return msgspec.json.encode({"custom_id": custom_id, "response": None, "error": error}) + b"\n"
    body = answer.body
    try:
        _JSON.decode(body)
    except (msgspec.DecodeError, RecursionError):
        if answer.status < 400:
            raise NotJson from None
        text = body.decode("utf-8", "replace")[:MAX_REFUSAL].strip()
        body = msgspec.json.encode({"error": {"message": text or "no reason given"}})
    if b"\n" in body or b"\r" in body:
        # In JSON, line ends occur only between values.
        body = body.replace(b"\n", b" ").replace(b"\r", b" ")
    return b'{"custom_id":"%s","response":{"status_code":%d,"body":%s},"error":null,"at":%d}\n' % (
        custom_id.encode(),
        answer.status,
        body,
        at,
    )


class Journal:
    """An open journal. This object is its only writer."""

    def __init__(self, path: Path, past: JournalState) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._size = past.size
        os.ftruncate(self._descriptor, past.size)
        self._lines: list[bytes] = []
        self._dirty = True
        self._syncing: asyncio.Task[None] | None = None

    def add(self, line: bytes) -> None:
        """Add a line to the next write."""
        self._lines.append(line)

    def note(self, sign: str, custom_id: str) -> None:
        """Add a note on a row to the next write."""
        self._lines.append(f"{sign}{custom_id}\n".encode())

    def write(self) -> None:
        """Write all lines. If the disk is full, they stay for the next try, and nothing of them is in the file."""
        if not self._lines:
            return
        lines = b"".join(self._lines)
        try:
            written = os.write(self._descriptor, lines)
        except BlockingIOError:  # pragma: no cover  # not for files
            written = 0
        if written != len(lines):
            os.ftruncate(self._descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._size += written
        self._lines.clear()
        self._dirty = True
        if self._syncing is None or self._syncing.done():
            with threads_of("live journals"):
                self._syncing = asyncio.create_task(self._sync_soon(), name="sync a journal")

    async def note_cancelled(self) -> None:
        """Commit that no more calls begin."""
        self.add(b"!cancel\n")
        self.write()
        await asyncio.to_thread(os.fdatasync, self._descriptor)

    async def close(self) -> None:
        """Write and sync what is left, and close the file."""
        try:
            self.write()
            if self._syncing is not None:
                self._syncing.cancel()
                await asyncio.gather(self._syncing, return_exceptions=True)
            if self._dirty:
                await asyncio.to_thread(os.fdatasync, self._descriptor)
        finally:
            os.close(self._descriptor)

    async def _sync_soon(self) -> None:
        await asyncio.sleep(SYNC_EVERY)
        self._dirty = False
        try:
            # Shielded: the descriptor may be closed only once the call is back.
            await asyncio.shield(asyncio.to_thread(os.fdatasync, self._descriptor))
        except OSError:
            self._dirty = True  # the last sync, in `close`, raises

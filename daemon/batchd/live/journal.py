"""The journal of a batch that is answered by live calls: which calls began, and their outcomes, line by line.

    !{"model": …, "endpoint": …, "requests": 9}   the first line: what the batch is
    ?ID                                           a call for this row is about to begin
    -ID                                           the service answered it without an answer to the row; nothing is paid
    ~ID                                           its outcome is not known; the row may be paid twice
    {"custom_id": …, "response": …, "error": …}   the row's outcome, as in OpenAI's output files
    !cancel                                       no more calls begin

All lines of one turn of the event loop go out in one write, and count only then. A kill loses no line that counts, so
at most the calls in flight are made again. A power cut may lose what was written in the last second, too, and leaves
anything where the disk had not written yet, mostly zeros. Such lines are passed over. Those after them count: they are
of calls that were made, and of answers that are paid.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from ..answers.unknown_calls import unknown_call
from ..calls import LiveAnswer
from ..files import fsync_folder
from ..model import Json
from ..system.threads import threads_of

logger = logging.getLogger(__name__)

SYNC_EVERY = 1.0
"""Seconds between two fdatasync, each in a thread: on one disk they took 9 to 50 ms."""
MAX_REFUSAL = 4_000
"""Characters kept of a refusal that is not JSON."""

_OUTCOME = re.compile(rb'\{"custom_id":"([!#-\[\]-~]*)","response":(?:\{"status_code":(\d+)|null)')
_NOTE = re.compile(rb"([?~-])([!#-\[\]-~]+)\n")
_JSON = msgspec.json.Decoder(msgspec.Raw)
_HEAD = msgspec.json.Decoder(dict[str, str | int])


class NotJson(Exception):
    """The body of an answer is not JSON."""


@dataclass(slots=True)
class JournalState:
    """What a journal says about earlier runs of the daemon.

    `size` is the bytes of its whole lines; `unreadable` of them are not as they were written.
    """

    head: Mapping[str, Json] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    failed: int = 0
    open: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    over: Counter[str] = field(default_factory=Counter)
    cancelled: bool = False
    size: int = 0
    unreadable: int = 0


def read(path: Path) -> JournalState | None:
    """Read a journal up to its last whole line; None if there is none, or not even its first line is whole."""
    past = JournalState()
    try:
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                _take(past, line)
                past.size += len(line)
    except FileNotFoundError:
        return None
    return past if past.head else None


def _take(past: JournalState, line: bytes) -> None:
    if (outcome := _outcome(line)) is not None:
        row = outcome[1].decode()
        past.open.discard(row)
        past.answered.add(row)
        past.failed += outcome[2] is None or int(outcome[2]) >= 400
    elif (note := _NOTE.fullmatch(line)) is not None:
        sign, row = note[1], note[2].decode()
        if sign == b"?":
            past.open.add(row)
            return
        past.open.discard(row)
        if sign == b"-":
            past.over[row] += 1
        else:
            past.unsure.add(row)
    elif line == b"!cancel\n":
        past.cancelled = True
    elif past.size == 0:
        past.head = _head(line)
    else:
        past.unreadable += 1


def _outcome(line: bytes) -> re.Match[bytes] | None:
    """Return the beginning of a line with the outcome of a row; None if it is another, or not as it was written."""
    found = _OUTCOME.match(line)
    if found is not None:
        try:
            _JSON.decode(line)
        except msgspec.DecodeError:
            return None
        except RecursionError:
            pass  # `line_of` has read its body, which is one of many levels
    return found


def _head(line: bytes) -> Mapping[str, Json]:
    if line.startswith(b"!"):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return _HEAD.decode(line[1:])
    return {}


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
            if line.endswith(b"\n") and _outcome(line) is not None:
                yield line


def copy_outcomes(path: Path, target: IO[bytes]) -> None:
    """Write the lines with outcomes to a file, then one for each row with a call whose outcome is not known."""
    unknown: set[str] = set()
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n") and _outcome(line) is not None:
                target.write(line)
            elif (note := _NOTE.fullmatch(line)) is not None and note[1] == b"~":
                unknown.add(note[2].decode())
    target.writelines(map(unknown_call, sorted(unknown)))


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
        if past.unreadable:
            logger.warning(
                "Lines of %s cannot be read, as after a power cut: %d. The calls that they were about may be made, and "
                "paid, again.",
                path,
                past.unreadable,
                extra={"action": "Poll"},
            )
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

    def take_back(self, custom_id: str) -> None:
        """Take back the last note that a call for this row begins: it does not."""
        line = f"?{custom_id}\n".encode()
        if line in self._lines:
            self._lines.remove(line)
        else:
            self.note("-", custom_id)  # it is in the file, so a line must say that nothing was paid

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
        """Write and sync what is left, and close the file. If the disk does not take it, all stays for the next try."""
        self.write()
        if self._syncing is not None:
            self._syncing.cancel()
            await asyncio.gather(self._syncing, return_exceptions=True)
        if self._dirty:
            await asyncio.to_thread(os.fdatasync, self._descriptor)
        self.let_go()

    def let_go(self) -> None:
        """Close the file, if it is open, without what is not written yet."""
        # Another file may get the number at once, so it is closed only once, and nothing more is written to it.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    async def _sync_soon(self) -> None:
        await asyncio.sleep(SYNC_EVERY)
        self._dirty = False
        try:
            # Shielded: the descriptor may be closed only once the call is back.
            await asyncio.shield(asyncio.to_thread(os.fdatasync, self._descriptor))
        except OSError:
            self._dirty = True  # the last sync, in `close`, raises

"""Time limits for the code of plugins in a worker: code that hangs is stopped, and named.

A timer interrupts Python code that makes no progress. Code that cannot be interrupted, such as a long loop in C, is
ended together with its process by faulthandler, which does not need the interpreter; the daemon reads its dump.
"""

from __future__ import annotations

import faulthandler
import json
import mmap
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

from msgspec import Struct

from ..errors import BatchdError
from ..plugin.blame import PluginPlace, place_of_dump, place_of_frame
from ..plugin.kept_off import died_of
from ..plugin.sources import Stopped

ROW_TIMEOUT, READ_TIMEOUT = 10.0, 120.0
"""Seconds that the code of a plugin may take for a row; and a reader, from one row to the next."""
LOAD_TIMEOUT = 60.0
"""Seconds for the plugins of a worker to load."""
_KILL_AFTER = 5.0
"""Further seconds after which code that did not stop is ended with its process."""
_HEAD = 16
"""Bytes at the start of a worker's notes: the row, and the seconds that it may take."""
_NO_TASK = b"\xff" * _HEAD
_note_row = struct.Struct("<Q").pack_into
_LIMIT = struct.Struct("<d")


class Hung(BatchdError):
    """The code of a plugin did not return in time. `row` is the row it was at, if known."""

    def __init__(self, row: int | None, seconds: float, where: str) -> None:
        super().__init__(f"{where} did not return within {seconds:g} s, and was stopped.")
        self.row = row
        self.seconds = seconds
        self.where = where

    def __reduce__(self) -> tuple[type[Hung], tuple[int | None, float, str]]:
        return (type(self), (self.row, self.seconds, self.where))


class TimeIsUp(Stopped):
    """Raised in the code of a plugin that takes too long."""

    def __init__(self, place: PluginPlace | None) -> None:
        super().__init__()
        self.place = place


@dataclass(slots=True)
class Progress:
    """How far a task is. Its time begins anew with each row."""

    count: int = 0
    row: int | None = None
    begun: Callable[[], None] | None = None
    ours: bool = False
    """Whether batchd's own code is at work, which has no limit."""

    def at(self, row: int) -> None:
        """This row is next."""
        self.row = row
        self.count += 1
        if self.count == 1 and self.begun is not None:
            self.begun()
        if _notes.position is not None:
            _note_row(_notes.position, 0, row + 1)


@dataclass(slots=True)
class _Notes:
    """The file in which a worker notes the row it is at, and why it ends."""

    file: IO[bytes] | None = None
    position: mmap.mmap | None = None


_notes = _Notes()


def keep_notes(path: str) -> None:
    """In a worker process that has no task yet: keep notes in this empty file."""
    file = open(path, "r+b", buffering=0)  # noqa: SIM115  # open as long as the process lives
    file.truncate(_HEAD)
    _notes.position = mmap.mmap(file.fileno(), _HEAD)
    note_task(begins=False)
    file.seek(_HEAD)
    _notes.file = file
    faulthandler.enable(file)


def note_task(*, begins: bool) -> None:
    """In a worker process: a task begins, or is over."""
    if _notes.position is not None:
        _notes.position[:_HEAD] = bytes(_HEAD) if begins else _NO_TASK


def note_plugin(plugin: str, what: str) -> None:
    """In a worker process: note whose code is run next, in case that ends the process."""
    if _notes.file is None:
        return
    _notes.file.truncate(_HEAD)
    _notes.file.seek(_HEAD)
    if plugin:
        _notes.file.write(json.dumps({"plugin": plugin, "what": what}).encode() + b"\n")


class WorkerEnd(Struct, frozen=True):
    """How a worker ended. `loading` is the plugin that it was loading, and what of it; `ended` says which code of a
    plugin ended it, empty if none is known; `hung` is what it hung over, if it did."""

    loading: tuple[str, str] | None = None
    ended: str = ""
    hung: Hung | None = None
    had_task: bool = False


def read_notes(path: Path | None) -> WorkerEnd:
    """In the daemon, once a worker has ended: what its notes say."""
    noted = b""
    if path is not None:
        with suppress(OSError):
            noted = path.read_bytes()
    text = noted[_HEAD:].decode(errors="replace")
    said = [json.loads(line) for line in text.splitlines() if line.startswith('{"plugin"')]
    loading = (said[0]["plugin"], said[0]["what"]) if said else None
    died, place = died_of(text), place_of_dump(text)
    ended = f"{place} ended it: {died}" if died and place is not None else ""
    had_task = noted[:_HEAD] not in {b"", _NO_TASK}
    if "Timeout" not in text:
        return WorkerEnd(loading, ended, had_task=had_task)
    row = int.from_bytes(noted[: _HEAD - _LIMIT.size], "little") - 1
    [seconds] = _LIMIT.unpack_from(noted, _HEAD - _LIMIT.size)
    hung = Hung(row if row >= 0 else None, seconds, str(place or "a worker process"))
    return WorkerEnd(loading, ended, hung, had_task)


@contextmanager
def limited(seconds: float) -> Iterator[Progress]:
    """Raise Hung if the code in the `with` block makes no progress for so many seconds."""
    progress = Progress()
    if _notes.position is not None:
        _notes.position[:_HEAD] = bytes(_HEAD)
    if threading.current_thread() is not threading.main_thread():
        yield progress  # no signal comes here: an executor that runs tasks in threads has limits of its own
        return
    watch = _Watch(seconds, progress)
    watch.start()
    progress.begun = watch.arm
    try:
        yield progress
    except TimeIsUp as up:
        raise Hung(progress.row, watch.allowed, str(up.place or "the code of a plugin")) from None
    finally:
        watch.stop()


@dataclass(slots=True)
class _Watch:
    seconds: float
    progress: Progress
    seen: int = -1
    waited: float = 0.0
    looked: float = 0.0
    raised: bool = False
    handler: Any = None
    timer: tuple[float, float] = field(default=(0.0, 0.0))

    @property
    def allowed(self) -> float:
        """Seconds: more before the first row, while plugins are loaded and prepare."""
        return self.seconds if self.progress.count else max(self.seconds, LOAD_TIMEOUT)

    @property
    def tick(self) -> float:
        return min(1.0, self.seconds / 4)

    def start(self) -> None:
        self.looked = time.monotonic()
        self.handler = signal.signal(signal.SIGALRM, self.look)
        self.timer = signal.setitimer(signal.ITIMER_REAL, self.tick, self.tick)
        self.arm()

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.handler)
        if self.timer[0]:
            signal.setitimer(signal.ITIMER_REAL, *self.timer)
        if _notes.file is not None:
            faulthandler.cancel_dump_traceback_later()

    def look(self, _number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        # While the whole machine stood still, no code could run: count a longer pause as two ticks.
        self.waited += min(now - self.looked, 2 * self.tick)
        self.looked = now
        if self.progress.count != self.seen or self.progress.ours:
            self.seen, self.waited, self.raised = self.progress.count, 0.0, False
        if self.waited < self.allowed:
            self.arm()
        elif not self.raised:
            # Once, or it would be raised again while it is handled. If a plugin catches it, the process is ended.
            self.raised = True
            raise TimeIsUp(place_of_frame(frame))

    def arm(self) -> None:
        if _notes.position is not None:
            # Only this process knows it: tasks have limits of their own, and the first row has more time.
            _LIMIT.pack_into(_notes.position, _HEAD - _LIMIT.size, self.allowed)
        if _notes.file is not None:
            faulthandler.dump_traceback_later(self.allowed - self.waited + _KILL_AFTER, exit=True, file=_notes.file)

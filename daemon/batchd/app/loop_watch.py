"""A thread that watches the event loop. If a plugin blocks it, the thread keeps the plugin off and ends the process.

Nothing else helps: the loop is one thread, and code that does not await cannot be cancelled. A service manager starts
batchd again, and all goes on but what needs that plugin.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..config.load import Config
from ..plugin.blame import PluginPlace, place_of_frame
from ..plugin.kept_off import DEAF, KeptOff, dump_of, keep_off, kept_off, note_dumps, state_of, stored

logger = logging.getLogger(__name__)

BLOCKED = 70
"""The exit status of a process that a plugin has blocked."""
_LOG_MAY_TAKE = 1.0


class LoopWatch:
    """Ends the process if a plugin keeps the loop from turning for `seconds`."""

    def __init__(self, state: Path, configuration: str, seconds: float) -> None:
        self._state = state
        self.configuration = configuration
        self._seconds = seconds
        self._tick = min(5.0, seconds / 4)
        self._turns = 0
        self._dump: IO[bytes] | None = None
        self._ended = threading.Event()
        self._arming = threading.Lock()
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="watch the loop")

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the loop inside the `with` block. To be entered on the loop."""
        loop = asyncio.get_running_loop()
        self._turn(loop)
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._handle.cancel()
            self._thread.join(_LOG_MAY_TAKE)
            with self._arming:  # or the thread could arm it once more after this
                faulthandler.cancel_dump_traceback_later()
            if self._dump is not None:
                faulthandler.disable()
                self._dump.close()
                dump_of(self._state, os.getpid()).unlink(missing_ok=True)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turns += 1
        self._handle = loop.call_later(self._tick, self._turn, loop)

    def _watch(self) -> None:
        seen, waited, looked, told = -1, 0.0, time.monotonic(), False
        while not self._ended.wait(self._tick):
            with self._arming:
                if self._ended.is_set():
                    return
                self._arm()
            now = time.monotonic()
            # While the whole machine stood still, no code could run: count a longer pause as two ticks.
            waited += min(now - looked, 2 * self._tick)
            looked = now
            if self._turns != seen:
                seen, waited, told = self._turns, 0.0, False
            elif waited >= self._seconds and not told:
                told = True
                place = place_of_frame(sys._current_frames().get(self._loop_thread))  # noqa: SLF001  # the only way
                if place is not None and not place.built_in:
                    self._end(place, waited)
                logger.warning("batchd's loop has not turned for %.0f s.", waited, extra={"action": "Watch"})

    def _arm(self) -> None:
        if self._dump is None:
            try:
                self._dump = dump_of(self._state, os.getpid()).open("wb")
            except OSError:
                return  # the state folder is not there yet, or not writable: then without the last resort
            faulthandler.enable(self._dump)
        faulthandler.dump_traceback_later(self._seconds + DEAF, exit=True, file=self._dump)

    def _end(self, place: PluginPlace, waited: float) -> None:
        kept = KeptOff(place.plugin, place.file, place.line, place.method, waited, time.time(), self.configuration)
        with contextlib.suppress(OSError):
            keep_off(self._state, [each for each in stored(self._state) if each.plugin != place.plugin] + [kept])
        # In a thread, since the blocked code may hold the log's lock.
        telling = threading.Thread(
            target=logger.critical, args=("%s", kept.sentence), kwargs={"extra": {"action": "Watch"}}, daemon=True
        )
        telling.start()
        telling.join(_LOG_MAY_TAKE)
        sys.stderr.flush()
        os._exit(BLOCKED)


def watch_of(config: Config) -> LoopWatch:
    """Return the watch for a configuration. First store what earlier processes have left in their dumps."""
    state, configuration = config.folders.state, state_of(config.path, config.plugin_dir)
    seconds = config.plugins.may_block
    note_dumps(state, seconds=seconds, configuration=configuration)
    for each in kept_off(state, configuration):
        logger.error("%s", each.sentence, extra={"action": "Start"})
    return LoopWatch(state, configuration, seconds)

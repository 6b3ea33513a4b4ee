"""Wakes the look at the inbox sooner than the next rescan would. That is all it is for.

Events get lost: of 8,000 files that came while a process was frozen watchdog reported 3,836, and an inbox that is
deleted, renamed, unmounted or mounted over leaves it deaf with all its threads alive. So what it says is never
looked at, only that it says something; and each look at the inbox ends with `check`, which puts a deaf one right.
Without watchdog, or on a network file system, a new file is merely seen at the next rescan.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..system.mounts import file_system, is_network

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

logger = logging.getLogger(__name__)

Mode: TypeAlias = Literal["auto", "inotify", "polling"]

_PATIENCE = 2.0
_PAIRING = 0.05
_LIMITS = {
    errno.EMFILE: "the system's limit of inotify instances is reached (sysctl fs.inotify.max_user_instances)",
    errno.ENOSPC: "the system's limit of watched folders is reached (sysctl fs.inotify.max_user_watches)",
}


class Watcher:
    """Calls `wake` in the event loop, soon after something has come into the inbox.

    Mode `auto` watches unless the inbox is on a network file system, `inotify` watches in any case, `polling` never.
    `start`, `check` and `stop` may wait for imports, threads and the disk, so call them in a thread.
    """

    def __init__(self, inbox: Path, wake: Callable[[], None], *, mode: Mode = "auto") -> None:
        self._inbox = inbox
        self._wake = wake
        self._mode = mode
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.observer: BaseObserver | None = None
        self._place: tuple[int, int, str] | None = None
        self._said = ""
        self._told = False

    @property
    def watching(self) -> bool:
        """Whether events come at present, as far as can be told."""
        observer = self.observer
        return observer is not None and _is_alive(observer)

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin to watch for this event loop, or the one that runs. Never fails: the rescan is the truth."""
        self._loop = loop or asyncio.get_running_loop()
        self.check()

    def check(self) -> None:
        """Watch again if the observer is dead, or if another folder has taken the place of the inbox."""
        with self._lock:
            if self._loop is None:
                return
            place = _place(self._inbox)
            if place == self._place and (self.observer is None or _is_alive(self.observer)) and not self._said:
                return
            self._drop()
            self._place = place
            if (
                place is not None
                and self._mode != "polling"
                and (self._mode == "inotify" or not is_network(self._inbox))
            ):
                self._watch()

    def stop(self) -> None:
        """End it. Nothing is called after that."""
        with self._lock:
            self._loop = None
            self._drop()

    def _watch(self) -> None:
        try:
            self.observer = _observe(self._inbox, self._notice)
        except (ImportError, OSError) as error:
            self._say(_reason(error))
        else:
            self._say("")

    def _drop(self) -> None:
        observer, self.observer = self.observer, None
        if observer is not None:
            # Dead or deaf threads may never end: they are given a while, and then left behind as the daemons they are.
            ending = threading.Thread(target=_end, args=(observer,), name="end the observer", daemon=True)
            ending.start()
            ending.join(_PATIENCE)

    def _say(self, reason: str) -> None:
        """Once, not at every rescan."""
        if reason and reason != self._said:
            text = "New files in %s are noticed at the next look, not at once: %s. Nothing else changes."
            logger.warning(text, self._inbox, reason, extra={"action": "watch"})
        self._said = reason

    def _notice(self) -> None:
        """Something has happened. Runs in watchdog's thread; a burst of events wakes the loop once."""
        loop = self._loop
        if loop is None or self._told:
            return
        self._told = True
        try:
            loop.call_soon_threadsafe(self._tell)
        except Exception:  # noqa: BLE001 - an exception from a handler would end watchdog's thread without a word
            self._told = False

    def _tell(self) -> None:
        self._told = False
        self._wake()


def _observe(inbox: Path, notice: Callable[[], None]) -> BaseObserver:
    # Imported here: without watchdog, the daemon is slower to notice, nothing else.
    from watchdog import events
    from watchdog.observers.inotify import InotifyObserver
    from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

    # It keeps back each name that goes away for half a second, in case it comes again under another, and whatever
    # happens meanwhile with it: a file that is renamed in would be noticed that much later. Both come in one breath.
    InotifyMoveEventGrouper.delay = _PAIRING

    class Handler(events.FileSystemEventHandler):
        def on_any_event(self, _event: events.FileSystemEvent) -> None:
            notice()

    observer = InotifyObserver()
    kinds: list[type[events.FileSystemEvent]] = [
        events.FileCreatedEvent,
        events.FileMovedEvent,
        events.FileClosedEvent,
        events.DirCreatedEvent,
        events.DirMovedEvent,
    ]
    try:
        observer.schedule(Handler(), str(inbox), recursive=True, event_filter=kinds)
        observer.start()
    except BaseException:
        observer.stop()
        raise
    return observer


def _is_alive(observer: BaseObserver) -> bool:
    # The thread that reads from the kernel has no public name; it has died alone before (watchdog#1388).
    reader = getattr(observer, "_inotify_fd", observer)
    threads = [observer, reader, *observer.emitters]
    return bool(observer.emitters) and all(thread.is_alive() for thread in threads)


def _end(observer: BaseObserver) -> None:
    observer.stop()
    observer.join(_PATIENCE)


def _place(inbox: Path) -> tuple[int, int, str] | None:
    """Which folder the inbox is just now: another one may be put, or mounted, in its place."""
    try:
        status = inbox.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, file_system(inbox)


def _reason(error: ImportError | OSError) -> str:
    if isinstance(error, ImportError):
        return "watchdog is not installed"
    return _LIMITS.get(error.errno or 0, f"watching is not possible here ({error})")

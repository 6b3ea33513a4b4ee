"""Starts a look at the inbox sooner than the next rescan would. It has no other purpose.

Events get lost: of 8,000 files that arrived while a process was frozen, watchdog reported 3,836. After an inbox was
deleted, renamed, unmounted or mounted over, it reports nothing more, with all its threads alive. So batchd ignores the
content of events, and each look at the inbox begins with `check`, which restarts a watcher that reports nothing.
Without watchdog, or on a network file system, the next rescan sees a new file.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..system.mounts import file_system, is_network

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

logger = logging.getLogger(__name__)

Mode: TypeAlias = Literal["auto", "inotify", "polling"]
Observe: TypeAlias = "Callable[[Path, Callable[[], None]], BaseObserver]"

_PATIENCE = 2.0
_PAIRING = 0.05
_LIMITS = {
    errno.EMFILE: "the system's limit of inotify instances is reached (sysctl fs.inotify.max_user_instances)",
    errno.ENOSPC: "the system's limit of watched folders is reached (sysctl fs.inotify.max_user_watches)",
}


class Watcher:
    """Calls `wake` in the event loop, soon after something has arrived in the inbox.

    `observe` starts an observer of changes, `network` says of a folder whether none would be reported there.
    Mode `auto` watches unless the inbox is on a network file system, `inotify` watches in any case, `polling` never.
    `start`, `check` and `stop` may wait for imports, threads and the disk, so call them in a thread.
    """

    def __init__(
        self,
        inbox: Path,
        wake: Callable[[], None],
        *,
        mode: Mode = "auto",
        network: Callable[[Path], bool] = is_network,
        observe: Observe | None = None,
    ) -> None:
        self._network = network
        self._observe = observe or inotify_observer
        self._inbox = inbox
        self._wake = wake
        self._mode = mode
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.observer: BaseObserver | None = None
        self._place: tuple[int, int, str] | None = None
        self._reason = ""
        self._waking = False

    @property
    def watching(self) -> bool:
        """Whether events arrive at present, as far as is known."""
        observer = self.observer
        return observer is not None and _is_alive(observer)

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin to watch for this event loop, or the running one. Never fails: batchd relies on the rescan."""
        self._loop = loop or asyncio.get_running_loop()
        self.check()

    def check(self) -> None:
        """Watch again if the observer is dead, or if another folder has replaced the inbox."""
        with self._lock:
            if self._loop is None:
                return
            place = _place(self._inbox)
            if place == self._place and (self.observer is None or _is_alive(self.observer)) and not self._reason:
                return
            self._drop()
            self._place = place
            if (
                place is not None
                and self._mode != "polling"
                and (self._mode == "inotify" or not self._network(self._inbox))
            ):
                self._watch()

    def stop(self) -> None:
        """Stop watching. `wake` is not called after that."""
        with self._lock:
            self._loop = None
            self._drop()

    def _watch(self) -> None:
        try:
            self.observer = self._observe(self._inbox, self._notice)
        except (ImportError, OSError) as error:
            self._warn(_reason(error))
        else:
            self._warn("")

    def _drop(self) -> None:
        observer, self.observer = self.observer, None
        if observer is not None:
            # Its threads may never end: wait a while, then leave them behind as daemon threads.
            ending = threading.Thread(target=_end, args=(observer,), name="end the observer", daemon=True)
            ending.start()
            ending.join(_PATIENCE)

    def _warn(self, reason: str) -> None:
        """Log the reason, once and not at every rescan."""
        if reason and reason != self._reason:
            text = "batchd notices new files in %s at the next rescan, not at once: %s. Nothing else changes."
            logger.warning(text, self._inbox, reason, extra={"action": "watch"})
        self._reason = reason

    def _notice(self) -> None:
        """Handle an event. Runs in watchdog's thread; many events at once wake the loop once."""
        loop = self._loop
        if loop is None or self._waking:
            return
        self._waking = True
        try:
            loop.call_soon_threadsafe(self._wake_once)
        except Exception:  # noqa: BLE001 - an exception from a handler would end watchdog's thread silently
            self._waking = False

    def _wake_once(self) -> None:
        self._waking = False
        self._wake()


def inotify_observer(inbox: Path, notice: Callable[[], None]) -> BaseObserver:
    """Call `notice`, in a thread, for each file and folder that arrives in the inbox."""
    # Imported here: without watchdog the daemon notices files later, nothing else.
    from watchdog import events
    from watchdog.observers.inotify import InotifyObserver
    from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

    # By default watchdog holds back the removal of a name for half a second, with all events after it, in case the
    # file gets another name: a file that is renamed into the inbox would be noticed that much later. The two events of
    # a rename come together, so a shorter delay suffices.
    InotifyMoveEventGrouper.delay = _PAIRING
    # A folder that is copied in is seen twice, in its parent and by its own event. watchdog handles that, and warns.
    warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)

    # watchdog logs an error for an event that comes while it stops. Whether it still reports events, `check` finds out.
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)

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
    """The identity of the inbox folder: another folder may replace it, or be mounted over it."""
    try:
        status = inbox.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, file_system(inbox)


def _reason(error: ImportError | OSError) -> str:
    if isinstance(error, ImportError):
        return "watchdog is not installed"
    return _LIMITS.get(error.errno or 0, f"watching is not possible here ({error})")

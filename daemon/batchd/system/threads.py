"""A pool of threads for each owner: no plugin makes another one, or the end of the process, wait for its threads.

`asyncio.to_thread` shares a handful of threads among all callers. A sink whose web calls hang would take them all, and
the daemon could not even look into a folder.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_owner: ContextVar[str | None] = ContextVar("owner of threads", default=None)


@contextlib.contextmanager
def threads_of(owner: str) -> Iterator[None]:
    """What runs in here, and the tasks it starts, use the threads of this owner."""
    token = _owner.set(owner)
    try:
        yield
    finally:
        _owner.reset(token)


class _Pool:
    """The threads of one owner. They end with the process, which does not wait for them."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._running = 0

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            self._waiting.append((future, call))
            if self._running >= self._most:
                return future
            self._running += 1
        threading.Thread(target=self._work, daemon=True, name=self._name).start()
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                future, call = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  # whatever it is, the caller gets it
                future.set_exception(error)


class ThreadPools(ThreadPoolExecutor):
    """The default executor of the event loop. Calls inside of `threads_of` run in threads of that owner alone."""

    def __init__(self, *, most: int = 8) -> None:
        super().__init__(thread_name_prefix="asyncio")
        self._most_each = most
        self._pools: dict[str, _Pool] = {}

    def submit(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See ThreadPoolExecutor."""
        owner = _owner.get()
        if owner is None:
            return super().submit(call, *args, **kwargs)
        pool = self._pools.setdefault(owner, _Pool(owner, self._most_each))
        return pool.submit(lambda: call(*args, **kwargs))

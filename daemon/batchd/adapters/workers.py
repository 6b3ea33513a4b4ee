"""Worker processes: one task at a time each, replaced when they die.

Each worker is an executor of its own. With a shared pool, one process that dies breaks the tasks of all, and
nobody can say which of them was to blame.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ..errors import BatchdError

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")


_WORK = f"{__package__}.work"
_PRELOADED = [f"{_WORK}.{module}" for module in ("read", "plan", "collect", "split", "strike")]


class WorkerLost(BatchdError):
    """The process that ran a task died over it."""


class Workers:
    """As many local worker processes as there are cores to use. They start when there is something to do."""

    def __init__(self, number: int) -> None:
        self.number = number
        # Fork with threads is unsafe, so a process without any forks the workers. It imports once for all of them.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._idle: asyncio.LifoQueue[ProcessPoolExecutor | None] = asyncio.LifoQueue()
        for _ in range(number):
            self._idle.put_nowait(None)
        self._all: set[ProcessPoolExecutor] = set()

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        """Run the function in a worker; WorkerLost if its process dies, else whatever the function does."""
        worker = await self._idle.get() or self._start()
        try:
            result = await asyncio.wrap_future(worker.submit(function, task))
        except BrokenProcessPool:
            self._drop(worker)
            self._idle.put_nowait(None)
            raise WorkerLost(f"The worker process died while it ran {function.__name__}.") from None
        except asyncio.CancelledError:
            # It may still be at it; its output is harmless, but nobody must be made to wait for it.
            self._drop(worker)
            self._idle.put_nowait(None)
            raise
        except BaseException:
            self._idle.put_nowait(worker)
            raise
        self._idle.put_nowait(worker)
        return result

    def close(self) -> None:
        """End the processes, without waiting for what they are at: all of it may be done again."""
        for worker in list(self._all):
            self._drop(worker)

    def _start(self) -> ProcessPoolExecutor:
        worker = ProcessPoolExecutor(1, mp_context=self._context, initializer=_begin)
        self._all.add(worker)
        return worker

    def _drop(self, worker: ProcessPoolExecutor) -> None:
        self._all.discard(worker)
        processes = list((worker._processes or {}).values())  # noqa: SLF001  # 3.14 has kill_workers() for this
        worker.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def _begin() -> None:
    """In each worker: leave signals to the daemon, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Rows make many objects and no cycles: looking for cycles after every 700 of them is a tenth of the work.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        # A daemon that was killed leaves its workers waiting for work for ever.
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="follow the daemon").start()

"""Worker processes: one task at a time each, replaced when they die.

Each worker is an executor of its own. With a shared pool, one process that dies breaks the tasks of all, and
it is not known which of them was the cause.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import TypeVar

from ..errors import BatchdError, PluginError

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")


_GRACE = 2.0
_TASKS = ("read", "plan", "collect", "render", "split", "fail_rows", "vocabulary")
_PRELOADED = [f"{__package__}.{module}" for module in _TASKS]


def _context() -> ForkServerContext:
    # Fork with threads is unsafe, so a process without any forks the workers. It imports once for all of them.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def start_fork_server() -> None:
    """Let the process that will fork the workers begin with its imports, for a command that will need them."""
    _context()
    forkserver.ensure_running()


class WorkerLost(BatchdError):
    """The process that ran a task died over it."""


class Workers:
    """As many local worker processes as there are cores to use. They start when there is something to do."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._context = _context()
        self._idle: asyncio.LifoQueue[ProcessPoolExecutor | None] = asyncio.LifoQueue()
        for _ in range(number):
            self._idle.put_nowait(None)
        self._all: set[ProcessPoolExecutor] = set()
        self._outdated: set[ProcessPoolExecutor] = set()
        self._ending: list[threading.Thread] = []

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        """Run the function in a worker; WorkerLost if its process dies, else whatever the function does."""
        worker = await self._idle.get()
        try:
            worker, future = await self._submit(worker, function, task)
            result = await asyncio.wrap_future(future)
        except BrokenProcessPool:
            self._drop(worker)
            worker = None
            raise WorkerLost(f"The worker process died while it ran {function.__name__}.") from None
        except MemoryError:
            # Where memory is limited and not overcommitted, this comes in place of the kernel's kill.
            self._drop(worker)
            worker = None
            raise WorkerLost(f"The worker process ran out of memory while it ran {function.__name__}.") from None
        except asyncio.CancelledError:
            # It may still be working; its output is harmless, and nothing may wait for it.
            self._drop(worker)
            worker = None
            raise
        finally:
            if worker in self._outdated:
                self._drop(worker)
                worker = None
            self._idle.put_nowait(worker)
        return result

    def renew(self) -> None:
        """Let the next tasks run in new processes, which load their plugins again; none is interrupted."""
        self._outdated |= self._all

    def close(self) -> None:
        """End the processes, without waiting for what they are at: all of it may be done again."""
        for worker in list(self._all):
            self._drop(worker)
        # The threads that managed them: where one is just ending while the interpreter does, a traceback is printed.
        for thread in self._ending:
            thread.join(_GRACE)

    async def _submit(
        self, worker: ProcessPoolExecutor | None, function: Callable[[TaskT], DoneT], task: TaskT
    ) -> tuple[ProcessPoolExecutor, Future[DoneT]]:
        if worker in self._outdated:
            self._drop(worker)
            worker = None
        if worker is not None:
            try:
                return worker, worker.submit(_run, function, task)
            except BrokenProcessPool:
                # It died while it had nothing to do: that is not the fault of the task that comes next.
                self._drop(worker)
        worker = ProcessPoolExecutor(1, mp_context=self._context, initializer=_begin, initargs=(os.getcwd(),))
        self._all.add(worker)
        # In a thread: it waits until the fork server has imported everything.
        starting = asyncio.ensure_future(asyncio.to_thread(worker.submit, _run, function, task))
        try:
            return worker, await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Its thread goes on: without a wait the process would come after all have been ended.
            await asyncio.wait([starting], timeout=_GRACE)
            self._drop(worker)
            raise

    def _drop(self, worker: ProcessPoolExecutor | None) -> None:
        if worker is None:
            return
        self._all.discard(worker)
        self._outdated.discard(worker)
        # 3.14 has kill_workers() for this; until then, names that are not public.
        thread: threading.Thread | None = getattr(worker, "_executor_manager_thread", None)
        self._ending = [each for each in self._ending if each.is_alive()] + ([thread] if thread is not None else [])
        processes = list((worker._processes or {}).values())  # noqa: SLF001
        worker.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def _run(function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
    """The task, in the worker. What a plugin raises may not survive the way back; then its words do."""
    try:
        return function(task)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  # our own, a moment old
        except Exception:  # noqa: BLE001  # whatever is wrong with it, it cannot travel
            raise PluginError(f"{type(error).__name__}: {error}") from None
        raise


def _begin(folder: str) -> None:
    """In each worker: stand where the daemon stands, leave signals to it, and do not outlive it."""
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Rows make many objects and no cycles: looking for cycles after every 700 of them is a tenth of the work.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        # A daemon that was killed leaves its workers waiting for work forever.
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="follow the daemon").start()

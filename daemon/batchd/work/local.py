"""Worker processes of this machine: one task at a time each, replaced when they die.

Each worker is an executor of its own. With a shared pool, one process that dies breaks the tasks of all, and
nobody can say which of them was to blame.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from ..contracts import Settings
from ..errors import WorkerLost
from ..executor import DoneT, Executor, TaskT
from .fork_server import fork_server
from .run_task import run_task

_GRACE = 2.0


class Workers(Executor[Settings]):
    """As many local worker processes as there are cores to use. They start when there is something to do."""

    def __init__(self, settings: Settings | None = None, *, number: int = 0) -> None:
        super().__init__(settings or Settings())
        self.number = number
        self._context = fork_server()
        self._idle: asyncio.LifoQueue[ProcessPoolExecutor | None] = asyncio.LifoQueue()
        self._slots = 0
        self.processes: set[ProcessPoolExecutor] = set()
        self._outdated: set[ProcessPoolExecutor] = set()
        self._ending: list[threading.Thread] = []

    async def aopen(self) -> None:
        """Settle the number. No process starts before there is a task for it."""
        self._make_room()

    async def aclose(self) -> None:
        """As `close`."""
        self.close()

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        """Run the function in a worker; WorkerLost if its process dies, else whatever the function does."""
        self._make_room()
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
        self._outdated |= self.processes

    def close(self) -> None:
        """End the processes, without waiting for what they are at: all of it may be done again."""
        for worker in list(self.processes):
            self._drop(worker)
        # The threads that managed them: where one is just ending while the interpreter does, a traceback is printed.
        for thread in self._ending:
            thread.join(_GRACE)

    def _make_room(self) -> None:
        self.number = self.number or os.cpu_count() or 1
        while self._slots < self.number:
            self._slots += 1
            self._idle.put_nowait(None)

    async def _submit(
        self, worker: ProcessPoolExecutor | None, function: Callable[[TaskT], DoneT], task: TaskT
    ) -> tuple[ProcessPoolExecutor, Future[DoneT]]:
        if worker in self._outdated:
            self._drop(worker)
            worker = None
        if worker is not None:
            try:
                return worker, worker.submit(run_task, function, task)
            except BrokenProcessPool:
                # It died while it had nothing to do: that is not the fault of the task that comes next.
                self._drop(worker)
        worker = ProcessPoolExecutor(1, mp_context=self._context, initializer=_begin, initargs=(os.getcwd(),))
        self.processes.add(worker)
        # In a thread: it waits until the fork server has imported everything.
        starting = asyncio.ensure_future(asyncio.to_thread(worker.submit, run_task, function, task))
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
        self.processes.discard(worker)
        self._outdated.discard(worker)
        # 3.14 has kill_workers() for this; until then, names that are not public.
        thread: threading.Thread | None = getattr(worker, "_executor_manager_thread", None)
        self._ending = [each for each in self._ending if each.is_alive()] + ([thread] if thread is not None else [])
        processes = list((worker._processes or {}).values())  # noqa: SLF001
        worker.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def _begin(folder: str) -> None:
    """In each worker: stand where the daemon stands, leave signals to it, and do not outlive it."""
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        # A daemon that was killed leaves its workers waiting for work forever.
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="follow the daemon").start()

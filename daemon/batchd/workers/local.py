"""Worker processes of this machine: each runs one task at a time, and is replaced when it dies.

Each worker is an executor of its own. In a shared pool, one process that dies breaks the tasks of all, and nothing
tells which of them was the cause.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ..contracts import Settings
from ..errors import NodeLost, WorkerLost
from ..executor import DoneT, Executor, TaskT
from .fork_server import fork_server
from .limits import READ_TIMEOUT, Hung, keep_notes, read_end, read_loading, read_notes
from .run_task import run_task

_GRACE = 2.0
MAX_ENDED = 3
"""So often in a row workers may end without a word while they load a plugin: the system's memory may be short."""


class Workers(Executor[Settings]):
    """As many worker processes as this machine has usable cores. Each starts with its first task."""

    def __init__(self, settings: Settings | None = None, *, number: int = 0) -> None:
        super().__init__(settings or Settings())
        self.number = number
        self._context = fork_server()
        self._idle: asyncio.LifoQueue[ProcessPoolExecutor | None] = asyncio.LifoQueue()
        self._slots = 0
        self.processes: set[ProcessPoolExecutor] = set()
        self._notes: dict[ProcessPoolExecutor, Path] = {}
        self._outdated: set[ProcessPoolExecutor] = set()
        self._ended_loading: Counter[str] = Counter()
        self._ending: list[threading.Thread] = []
        self.on_not_loaded: Callable[[str, str], object] | None = None
        """Called with a plugin that blocks or ends worker processes while they load it, and with what it did."""

    async def aopen(self) -> None:
        """Determine the number of processes. They start with their first tasks."""
        self._add_slots()

    async def aclose(self) -> None:
        """See `close`."""
        self.close()

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        """Run the function in a worker. Raises WorkerLost if its process dies, else what the function raises."""
        self._add_slots()
        worker = await self._idle.get()
        try:
            worker, future = await self._submit(worker, function, task)
            try:
                result = await asyncio.wrap_future(future)
            finally:
                # A future holds its exception, whose traceback holds this frame. Without the cycle a dead worker's
                # semaphores are freed here, and not by a garbage collection that may interrupt the resource tracker.
                del future
        except (BrokenProcessPool, Hung) as error:
            notes = self._notes.get(worker) if worker else None
            loading, ended = read_loading(notes), read_end(notes)
            late = read_notes(notes, getattr(task, "row_timeout", READ_TIMEOUT))
            hung = error if isinstance(error, Hung) else late
            if loading is not None:
                self._drop(worker)
                worker = None
                raise self._not_loaded(*loading, ended, hung) from None
            if isinstance(error, Hung):
                raise
            self._drop(worker)
            worker = None
            if hung is not None:
                raise hung from None
            lost = WorkerLost(
                f"The worker process died while it ran {function.__name__}{f': {ended}' if ended else ''}."
            )
            lost.where = ended
            raise lost from None
        except MemoryError:
            # If memory is limited and not overcommitted, Python raises this before the kernel kills the process.
            self._drop(worker)
            worker = None
            raise WorkerLost(f"The worker process ran out of memory while it ran {function.__name__}.") from None
        except asyncio.CancelledError:
            # It may still be working. Its output is harmless, and nothing waits for it.
            self._drop(worker)
            worker = None
            raise
        finally:
            if worker in self._outdated:
                self._drop(worker)
                worker = None
            self._idle.put_nowait(worker)
        self._ended_loading.clear()
        return result

    def _not_loaded(self, plugin: str, what: str, ended: str, hung: Hung | None) -> NodeLost:
        """A plugin blocks or ends each worker that loads it. No task is at fault, and each may be tried again."""
        if hung is None and not ended:
            # It may have been killed from outside, by a system that is short of memory, say.
            self._ended_loading[plugin] += 1
            if self._ended_loading[plugin] < MAX_ENDED:
                return NodeLost(f'A worker process ended while it loaded the plugin "{plugin}" ({what}).')
        if hung is not None:
            why = f"{what} did not return in a worker process, within {hung.seconds:g} s ({hung.where})"
        else:
            why = f"{what} ended a worker process{f' ({ended})' if ended else ''}"
        if self.on_not_loaded is not None:
            self.on_not_loaded(plugin, why)
        return NodeLost(f'A worker process could not load the plugin "{plugin}": {why}.')

    def renew(self) -> None:
        """Run the next tasks in new processes, which load their plugins again. No running task is interrupted."""
        self._outdated |= self.processes

    def close(self) -> None:
        """End the processes without waiting for their tasks, which may all be repeated."""
        for worker in list(self.processes):
            self._drop(worker)
        # Wait for their manager threads: one that ends together with the interpreter prints a traceback.
        for thread in self._ending:
            thread.join(_GRACE)
        self._ending.clear()

    def _add_slots(self) -> None:
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
                # It died while it was idle, so the next task is not the cause.
                self._drop(worker)
        handle, notes = tempfile.mkstemp(prefix="batchd-worker-")
        os.close(handle)
        worker = ProcessPoolExecutor(1, mp_context=self._context, initializer=_begin, initargs=(os.getcwd(), notes))
        self.processes.add(worker)
        self._notes[worker] = Path(notes)
        # In a thread: it waits until the fork server has imported everything.
        starting = asyncio.ensure_future(asyncio.to_thread(worker.submit, run_task, function, task))
        try:
            return worker, await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread goes on: without this wait it would start the process after all others have ended.
            await asyncio.wait([starting], timeout=_GRACE)
            self._drop(worker)
            raise

    def _drop(self, worker: ProcessPoolExecutor | None) -> None:
        if worker is None:
            return
        self.processes.discard(worker)
        self._outdated.discard(worker)
        if (notes := self._notes.pop(worker, None)) is not None:
            notes.unlink(missing_ok=True)
        # 3.14 has kill_workers() for this; until then, names that are not public.
        thread: threading.Thread | None = getattr(worker, "_executor_manager_thread", None)
        self._ending = [each for each in self._ending if each.is_alive()] + ([thread] if thread is not None else [])
        processes = list((worker._processes or {}).values())  # noqa: SLF001
        worker.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def _begin(folder: str, notes: str) -> None:
    """In each worker: use the daemon's working folder, leave SIGINT and SIGHUP to the daemon, and end when it ends."""
    os.chdir(folder)
    # Open already when the daemon dies: then nothing of it is left behind.
    keep_notes(notes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        # Without this, the workers of a daemon that was killed would wait for work without end.
        parent.join()
        Path(notes).unlink(missing_ok=True)
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="follow the daemon").start()

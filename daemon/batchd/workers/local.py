"""Worker processes of this machine: each runs one task at a time, and is replaced when it dies.

Each has a socket of its own: a process that dies breaks no other's task, and it is known which task was the cause.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ..contracts import Settings
from ..errors import NodeLost, WorkerLost
from ..executor import DoneT, Executor, TaskT
from .fork_server import fork_server
from .limits import Hung, read_notes
from .process import Ended, WorkerProcess

_GRACE = 2.0
MAX_ENDED = 3
"""How many workers in a row must end silently while they load a plugin to blame it: memory may just be short."""


class Workers(Executor[Settings]):
    """As many worker processes as this machine has cores, unless `number` is set. Each starts with its first task."""

    def __init__(self, settings: Settings | None = None, *, number: int = 0) -> None:
        super().__init__(settings or Settings())
        self.number = number
        self._context = fork_server()
        self._idle: asyncio.LifoQueue[WorkerProcess | None] = asyncio.LifoQueue()
        self._slots = 0
        self.processes: set[WorkerProcess] = set()
        self._outdated: set[WorkerProcess] = set()
        self._ended_loading: Counter[str] = Counter()
        self.on_not_loaded: Callable[[str, str], object] | None = None
        """Called with a plugin that blocks or ends worker processes while they load it, and with what it did."""

    async def aopen(self) -> None:
        """Determine the number of processes. They start with their first tasks."""
        self._add_slots()

    async def aclose(self) -> None:
        self.close()

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        """Run the function in a worker. Raises WorkerLost if its process dies, else what the function raises."""
        self._add_slots()
        worker = await self._idle.get()
        try:
            worker = await self._ready(worker)
            result = await worker.run(function, task)
        except (Ended, Hung) as error:
            end = read_notes(worker.notes if worker else None)
            hung = error if isinstance(error, Hung) else end.hung
            if end.loading is not None:
                self._drop(worker)
                raise self._not_loaded(*end.loading, end.ended, hung) from None
            if isinstance(error, Hung):
                raise
            self._drop(worker)
            if hung is not None:
                raise hung from None
            if not end.had_task:
                why = "A worker process ended while it had no task: the system may be short of memory."
                raise NodeLost(why) from None
            why = f": {end.ended}" if end.ended else ""
            lost = WorkerLost(f"The worker process died while it ran {function.__name__}{why}.")
            lost.where = end.ended
            raise lost from None
        except MemoryError:
            # If memory is limited and not overcommitted, Python raises this before the kernel kills the process.
            self._drop(worker)
            raise WorkerLost(f"The worker process ran out of memory while it ran {function.__name__}.") from None
        except asyncio.CancelledError:
            # It may still be working. Its output is harmless, and nothing waits for it.
            self._drop(worker)
            raise
        finally:
            if worker in self._outdated:
                self._drop(worker)
            # None in place of a dropped worker: a new one starts with the next task.
            self._idle.put_nowait(worker if worker in self.processes else None)
        self._ended_loading.clear()
        return result

    def _not_loaded(self, plugin: str, what: str, ended: str, hung: Hung | None) -> NodeLost:
        """The error if a worker blocked or ended while it loaded a plugin. The task is not the cause."""
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

    def _add_slots(self) -> None:
        self.number = self.number or os.cpu_count() or 1
        while self._slots < self.number:
            self._slots += 1
            self._idle.put_nowait(None)

    async def _ready(self, worker: WorkerProcess | None) -> WorkerProcess:
        """This worker, or a new one if it is outdated or has ended while it was idle."""
        if worker is not None:
            if worker not in self._outdated and not worker.has_ended():
                return worker
            self._drop(worker)
        handle, notes = tempfile.mkstemp(prefix="batchd-worker-")
        os.close(handle)
        worker = WorkerProcess(self._context, Path(notes))
        self.processes.add(worker)
        starting = asyncio.ensure_future(asyncio.to_thread(worker.start))
        try:
            await asyncio.shield(starting)
        except BaseException:
            # The thread goes on: without this wait it would start the process after all others have ended.
            await asyncio.wait([starting], timeout=_GRACE)
            self._drop(worker)
            raise
        return worker

    def _drop(self, worker: WorkerProcess | None) -> None:
        if worker not in self.processes:
            return
        self.processes.discard(worker)
        self._outdated.discard(worker)
        worker.kill()
        worker.notes.unlink(missing_ok=True)

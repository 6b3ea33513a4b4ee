"""The tests of an Executor."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any, ClassVar

from ...errors import FileRefused, PluginError, WorkerLost
from ...executor import Executor, Node
from .plugin import PATIENCE, PluginConformance, ask, passes_cancellation, raised_by, skip


@dataclass(frozen=True, slots=True)
class Sum:
    """A task, which is also its result."""

    numbers: list[int]


def add(task: Sum) -> Sum:
    return Sum([sum(task.numbers)])


class Large:
    """A large result, which a weak reference can follow."""

    def __init__(self, size: int) -> None:
        self.content = bytes(size)


def make_large(size: int) -> Large:
    return Large(size)


def note_a_run(path: str) -> int:
    """Append a line to a file, and return how many lines it has."""
    with open(path, "a") as file:
        file.write("run\n")
    with open(path) as file:
        return len(file.readlines())


def refuse(code: str) -> None:
    """Raise one of batchd's errors that has an additional field."""
    raise FileRefused(code, "This file cannot be taken.")


def raise_what_cannot_travel(words: str) -> None:
    class LocalError(Exception):
        pass

    raise LocalError(words)


def wait_for(path: str, seconds: float = 2.0) -> bool:
    """Wait until a file exists. Return False if it does not appear in time."""
    until = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def wait_long(path: str) -> bool:
    """Wait for a file as `wait_for` does, for half of PATIENCE."""
    return wait_for(path, PATIENCE / 2)


def whereabouts(_: None) -> tuple[int, int]:
    """Return the ids of the process and the thread that a task runs in."""
    return os.getpid(), threading.get_ident()


def die(_: None) -> None:
    """Kill the worker process, as the kernel does when there is no memory left."""
    os.kill(os.getpid(), signal.SIGKILL)


class ExecutorConformance(PluginConformance):
    """Inherit it and write `make`.

    class TestCluster(ExecutorConformance):
        def make(self) -> ClusterExecutor:
            return ClusterExecutor(ClusterExecutor.Settings(address="tcp://127.0.0.1:8786"))

    Each test opens a new executor, checks one thing, and closes it. The tasks are functions of
    `batchd.testing.conformance.executor`, which worker processes must be able to import. They write files into a
    temporary folder of this machine, so nodes must run here, or share it.

    The kit cannot simulate the loss of a task's machine: raise `NodeLost` then, or run the task elsewhere.
    """

    on_the_loop: ClassVar[bool] = False
    """Whether the executor runs each task at once on the event loop, as `batchd.testing.fakes.InlineExecutor` does.
    Tests that need another process are then skipped."""

    # Workers are processes, perhaps on other machines. On a busy machine their start alone takes as long as a test.
    _within = 3 * PATIENCE

    tasks_at_a_time: ClassVar[int] = 200
    """How many tasks a test gives at a time: more than there are workers."""

    def make(self) -> Executor[Any]:
        raise NotImplementedError("Write make(self): it returns a new executor.")

    async def test_it_says_how_many_tasks_it_works_on(self, executor: Executor[Any]) -> None:
        """`number` is settled once it is open."""
        number = executor.number
        assert isinstance(number, int), f"After aopen() its number is {number!r}; it must be a whole number."
        assert number >= 1, f"After aopen() its number is {number}; 0 asks you to choose, so set it to 1 or more."

    async def test_a_task_comes_back_with_its_result(self, executor: Executor[Any]) -> None:
        """Tasks and results are plain values."""
        done = await executor.run(add, Sum([20, 22]))
        assert done == Sum([42]), f"run(add, Sum([20, 22])) gave {done!r}, not Sum([42])."

    async def test_many_tasks_at_a_time_come_back_each_with_its_own_result(self, executor: Executor[Any]) -> None:
        """More than it has workers: the others wait."""
        done = await asyncio.gather(*(executor.run(add, Sum([number])) for number in range(self.tasks_at_a_time)))
        wrong = [number for number, each in enumerate(done) if each != Sum([number])]
        assert not wrong, f"Of {len(done)} tasks at a time {len(wrong)} came back with the result of another."

    async def test_a_task_that_is_given_twice_runs_twice(self, executor: Executor[Any]) -> None:
        """What a task finds on the disk may have changed: batchd gives the same task again to have it done again."""
        file = str(self.folder / "runs")
        counted = [await executor.run(note_a_run, file) for _ in range(2)]
        assert counted[0] == 1, f"A task that was given once ran {counted[0]} times."
        assert counted[1] == 2, (
            "The same task was given twice, and ran once. Remember no results: switch off what finds equal tasks."
        )

    async def test_results_are_let_go(self, executor: Executor[Any]) -> None:
        """A daemon runs for months, so results must not pile up in memory."""
        kept = []
        for _ in range(3):
            kept.append(weakref.ref(await executor.run(make_large, 1_000_000)))
            await asyncio.sleep(0)
        gc.collect()
        alive = sum(each() is not None for each in kept[:-1])
        assert not alive, f"Of {len(kept)} results that were given, it keeps {alive} in memory. Let go of each."

    async def test_the_event_loop_goes_on(self, executor: Executor[Any]) -> None:
        """While tasks run, the daemon talks to services."""
        self._needs_a_process()
        file = self.folder / "go"
        task = asyncio.ensure_future(executor.run(wait_for, str(file)))
        await asyncio.sleep(0.05)
        file.touch()
        assert await task, "The event loop stood still while a task ran. Run tasks in another process."

    async def test_what_a_task_raises_comes_back_whole(self, executor: Executor[Any]) -> None:
        """People see a refused file's code and message."""
        error = await raised_by(executor.run(refuse, "empty"))
        assert isinstance(error, FileRefused), f"A task raised FileRefused, and run() raised {error!r}."
        assert (error.code, str(error)) == ("empty", "This file cannot be taken."), (
            f"A task raised FileRefused('empty', 'This file cannot be taken.'), and run() raised it with the code "
            f"{error.code!r} and the words {str(error)!r}."
        )

    async def test_what_cannot_travel_comes_back_in_words(self, executor: Executor[Any]) -> None:
        """A plugin may raise anything, and its message is what helps people."""
        self._needs_a_process()
        error = await raised_by(executor.run(raise_what_cannot_travel, "no such column"))
        complete = isinstance(error, PluginError) and "no such column" in str(error)
        assert complete, (
            f"A task raised an error that cannot be pickled, with the words “no such column”, and run() raised "
            f"{error!r}. Let the process call batchd.run_task(function, task)."
        )

    async def test_a_cancellation_passes_through(self, executor: Executor[Any]) -> None:
        """batchd does not wait for a task that it no longer needs, and the worker is free for the next task."""
        self._needs_a_process()
        file = self.folder / "go"
        await passes_cancellation(executor.run(wait_for, str(file)), "run()", release=file.touch)
        assert await executor.run(add, Sum([1])) == Sum([1]), "After a cancelled task the next one does not run."

    async def test_a_worker_that_dies_is_reported(self, executor: Executor[Any]) -> None:
        """`WorkerLost` tells batchd that a part may need more memory than there is."""
        self._needs_a_process()
        process, _ = await executor.run(whereabouts, None)
        if process == os.getpid():
            skip("It runs tasks in this process, which would die.")
        error = await raised_by(executor.run(die, None))
        assert isinstance(error, WorkerLost), (
            f"The process of a task was killed, and run() raised {error!r}. Raise batchd.WorkerLost."
        )
        done = await executor.run(add, Sum([1]))
        assert done == Sum([1]), f"After a worker was lost, run(add, Sum([1])) gave {done!r}."

    async def test_it_goes_on_when_its_workers_are_renewed(self, executor: Executor[Any]) -> None:
        """batchd renews the workers on each reload of a configuration with a plugin_dir."""
        self._needs_a_process()
        file = self.folder / "go"
        going = asyncio.ensure_future(executor.run(wait_for, str(file)))
        await asyncio.sleep(0.05)
        executor.renew()
        file.touch()
        error = await raised_by(going)
        assert error is None, (
            f"renew() ended a task that was under way: run() raised {error!r}. Only the next go to new processes."
        )
        assert await executor.run(add, Sum([1])) == Sum([1]), "After renew() the next task does not run."

    def test_it_closes_without_waiting_for_tasks(self) -> None:
        """All tasks may be repeated, and a service manager does not wait for long."""
        self._needs_a_process()

        async def question() -> None:
            executor = self.make()
            await executor.aopen()
            going = asyncio.ensure_future(executor.run(wait_long, str(self.folder / "never")))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await executor.aclose()
            took = time.monotonic() - began
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            assert took < PATIENCE / 4, f"aclose() took {took:.1f} s: it waited for a task that was under way."

        ask(question)

    async def test_it_names_its_machines(self, executor: Executor[Any]) -> None:
        """Each node has its installed versions, to compare with those on this machine."""
        found: list[object] = list(executor.nodes())
        strange = [each for each in found if not isinstance(each, Node)]
        assert not strange, f"nodes() returned {strange[0]!r}; each must be a batchd.Node."
        names = [node.name for node in found if isinstance(node, Node)]
        assert len(set(names)) == len(names), f"nodes() names one machine twice: {', '.join(sorted(names))}."

    def _needs_a_process(self) -> None:
        if self.on_the_loop:
            skip("It runs tasks on the event loop.")

    async def _open(self, executor: Executor[Any]) -> None:
        await executor.aopen()

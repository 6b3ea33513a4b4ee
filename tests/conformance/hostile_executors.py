"""Executors that break one promise each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

from batchd import Node, WorkerLost

from .good_plugins import DoneT, Pool, TaskT


class Uncounted(Pool):
    """Leaves the number as it was."""

    fails = "test_it_says_how_many_tasks_it_works_on"

    async def aopen(self) -> None:
        self.number = 2
        await super().aopen()
        self.number = 0


class Echoing(Pool):
    """Gives the task back."""

    fails = "test_a_task_comes_back_with_its_result"

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        done = await super().run(function, task)
        return task if getattr(task, "numbers", None) == [20, 22] else done


class Muddled(Pool):
    """Has one place for the results of all tasks."""

    fails = "test_many_tasks_at_a_time_come_back_each_with_its_own_result"
    last: Any = None

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        self.last = await super().run(function, task)
        await asyncio.sleep(0.01)
        return self.last


class Remembering(Pool):
    """Does not do again what it has done."""

    fails = "test_a_task_that_is_given_twice_runs_twice"
    done: dict[Any, Any] = {}

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        if function.__name__ != "note_a_run":
            return await super().run(function, task)
        if task not in self.done:
            self.done[task] = await super().run(function, task)
        return self.done[task]


class Hoarding(Pool):
    """Keeps all results."""

    fails = "test_results_are_let_go"

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.results: list[Any] = []

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        done = await super().run(function, task)
        self.results.append(done)
        return done


class Standstill(Pool):
    """Runs some tasks on the event loop."""

    fails = "test_the_event_loop_goes_on"

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        if function.__name__ == "wait_for":
            # For less long than the kit would: it stands still all the same.
            return function(task, 0.2)
        return await super().run(function, task)


class Rephrasing(Pool):
    """Tells of an error in words alone."""

    fails = "test_what_a_task_raises_comes_back_whole"

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        try:
            return await super().run(function, task)
        except Exception as error:
            if hasattr(error, "code"):
                raise RuntimeError(str(error)) from None
            raise


class Raw(Pool):
    """Lets exceptions travel as they are."""

    fails = "test_what_cannot_travel_comes_back_in_words"

    def submit(self, pool: ProcessPoolExecutor, function: Callable[[TaskT], DoneT], task: TaskT) -> Future[DoneT]:
        return pool.submit(function, task)


class Patient(Pool):
    """Waits for the end of what was cancelled."""

    fails = "test_a_cancellation_passes_through"

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        going = asyncio.ensure_future(super().run(function, task))
        try:
            return await asyncio.shield(going)
        except asyncio.CancelledError:
            return await going


class Vague(Pool):
    """Says of a dead worker what Python says."""

    fails = "test_a_worker_that_dies_is_reported"

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        try:
            return await super().run(function, task)
        except WorkerLost as lost:
            raise OSError(str(lost)) from None


class Abrupt(Pool):
    """Renews its processes in the middle of their work."""

    fails = "test_it_goes_on_when_its_workers_are_renewed"

    def renew(self) -> None:
        for pool in self.pools:
            self.end(pool)


class Lingering(Pool):
    """Lets all tasks come to their end, as far as they do within `PATIENCE`."""

    fails = "test_it_closes_without_waiting_for_tasks"
    PATIENCE = 1.5

    async def aclose(self) -> None:
        ends = [asyncio.ensure_future(asyncio.to_thread(pool.shutdown)) for pool in self.pools]
        if ends:
            await asyncio.wait(ends, timeout=self.PATIENCE)
        await super().aclose()


class Twice(Pool):
    """Names a machine for each of its processes."""

    fails = "test_it_names_its_machines"

    def nodes(self) -> Sequence[Node]:
        return [Node("here", "0.2.0", "3.11") for _ in range(2)]

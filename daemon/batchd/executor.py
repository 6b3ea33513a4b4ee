"""What the author of an executor writes: where the functions run that work on files of the spool."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from .contracts import Plugin, SettingsT
from .model import Node

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")


class Executor(Plugin[SettingsT]):
    """Runs functions in worker processes: of this machine, or of others that see the spool at the same path.

    `number` is how many tasks it works on at a time. Before `aopen` batchd sets it to what the operator asks for,
    0 for as many as is good; at the end of `aopen` it is what it will be, 1 or more.
    """

    number: int = 0

    @abstractmethod
    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        """Run `function(task)` in a worker process, never on the event loop; what it returns or raises comes out.

        Functions, tasks and results can be pickled. A function may run twice, and leaves its output by a rename. Let
        the process call `batchd.run_task(function, task)`: it prepares a new process, and has exceptions travel.

        Raise `WorkerLost` if the process died over the task: after the third time the part stands still. Raise
        `NodeLost` if its whole machine went away, which tells nothing of the task: it is tried again. Called many
        times at once, it lets tasks wait. A cancelled task may run on.
        """

    async def aopen(self) -> None:
        """Connect, start what is needed. Called once, before anything runs; what it raises ends the start."""

    async def aclose(self) -> None:
        """Let go of the workers. Called once, at the end; does not wait for tasks that are under way."""

    def renew(self) -> None:
        """Let the next tasks run in processes that load their plugins anew: files of `plugin_dir` may have changed."""

    def nodes(self) -> Sequence[Node]:
        """The machines that it runs on, with what is installed there. Empty: on this one alone."""
        return ()

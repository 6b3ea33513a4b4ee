"""The base class of executors, which choose where the functions that work on the working files run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from .contracts import Plugin, SettingsT

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that an executor runs on. `plugins` are the distributions with plugins, and their versions.

    `plugin_files` is a hash of the files in the plugin_dir, empty if that folder is not there. `slots` is how many
    tasks it runs at a time, `running` says in words what it runs now. `fault` says why it is not used; empty if it is.
    """

    name: str
    batchd: str
    python: str
    plugins: Mapping[str, str] = field(default_factory=dict)
    plugin_files: str = ""
    slots: int = 0
    running: Sequence[str] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Hello:
    """What batchd asks a machine before it uses its workers. `here` is what is installed where batchd runs.

    `mark` is in a file of the folder `spool`: a machine that reads it there sees the working files. If the spool is
    `private` here (no other user can read it), it must be private there.
    """

    here: Node
    plugin_dir: str | None = None
    disabled: frozenset[str] = frozenset()
    spool: str | None = None
    mark: str = ""
    private: bool = False


class Executor(Plugin[SettingsT]):
    """Runs functions in worker processes: on this machine, or on others that have the spool at the same path.

    `number` is how many tasks it runs at a time. Before `aopen` batchd sets it to the operator's setting; 0 leaves it
    to the executor. At the end of `aopen` it must be 1 or more; later it may change, as machines come and go.
    """

    number: int = 0
    hello: Hello = Hello(Node("", "", ""))
    """What to ask a machine before its workers are used: `batchd.describe_node(hello)`, called there, returns its Node,
    with the `fault` that keeps it from being used. batchd sets it before `aopen`, and again before each `renew`."""
    trouble: str = ""
    """Why no task can be run at present, as a sentence for the operator; empty if tasks can be run."""

    @abstractmethod
    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        """Run `function(task)` in a worker process, never on the event loop; return or raise what the function does.

        Functions, tasks and results can be pickled. A function may run twice, and writes its output by a rename. The
        process must call `batchd.run_task(function, task)`, which prepares a new process and makes exceptions
        picklable.

        Raise `WorkerLost` if the process died during the task; after the third time batchd stops working on the part.
        Raise `NodeLost` if its whole machine went away, which says nothing about the task; batchd tries it again. Many
        calls may run at once; a call without a free worker must wait. A cancelled task may run on.
        """

    async def aopen(self) -> None:
        """Connect, start what is needed. Called once, before any task; what it raises ends the start of batchd."""

    async def aclose(self) -> None:
        """Release the workers. Called once, at the end; does not wait for running tasks."""

    def renew(self) -> None:
        """Run the next tasks in processes that load their plugins again: files of `plugin_dir` may have changed."""

    def nodes(self) -> Sequence[Node]:
        """The machines that it runs on, with what is installed there and what they run now.

        Those with a `fault` are not used; batchd names them. Empty if it runs on this machine alone.
        """
        return ()

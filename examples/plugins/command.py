"""An executor that starts workers by a command of yours: `nice -n 19`, `srun`, `ssh node7`. A process for each task."""

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import TypeVar

from batchd import Executor, Register, Settings, WorkerLost, hookimpl

Task = TypeVar("Task")
Done = TypeVar("Done")

WORKER = """
import pickle, sys
from batchd import run_task
answers, sys.stdout = sys.stdout.buffer, sys.stderr
function, task = pickle.load(sys.stdin.buffer)
try:
    answer = run_task(function, task), None
except Exception as error:
    answer = None, error
pickle.dump(answer, answers)
"""


class CommandSettings(Settings):
    command: list[str]
    python: str = sys.executable


class CommandExecutor(Executor[CommandSettings]):
    Settings = CommandSettings

    async def aopen(self) -> None:
        self.number = self.number or os.cpu_count() or 1
        self.free = asyncio.Semaphore(self.number)
        self.running: set[Process] = set()

    async def run(self, function: Callable[[Task], Done], task: Task) -> Done:
        pipe = asyncio.subprocess.PIPE
        async with self.free:
            command = (*self.settings.command, self.settings.python, "-c", WORKER)
            process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
            self.running.add(process)
            try:
                answer, _ = await process.communicate(pickle.dumps((function, task)))
            finally:
                self.running.discard(process)
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0:
            raise WorkerLost(f"The process that ran {function.__name__} ended with {process.returncode}.")
        done: Done
        done, error = pickle.loads(answer)  # noqa: S301  # a process of ours wrote it
        if error is not None:
            raise error
        return done

    async def aclose(self) -> None:
        running = list(self.running)
        for process in running:
            process.kill()
        await asyncio.gather(*(process.wait() for process in running))


@hookimpl
def register_executors(register: Register) -> None:
    register("command", CommandExecutor)

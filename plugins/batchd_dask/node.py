"""Runs on a node, in the process of its Dask worker, and passes tasks on to worker processes of batchd below it.

So plugins have the same limits as everywhere, a task that uses up the memory ends only its own process, and the end of
the Dask worker says nothing about a task.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import pickle
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from batchd import Hello, Node, Workers, describe_node

NAME = "batchd"
logger = logging.getLogger("distributed.batchd")
"""A child of Dask's logger, which is shown in the log of a Dask worker."""


class Pool(WorkerPlugin):
    """The worker processes of one node. They start with their first tasks, and end with its Dask worker."""

    name = NAME

    def __init__(self) -> None:
        self.workers: Workers | None = None
        self.seen: set[str] = set()
        self.running: dict[str, asyncio.Task[Any]] = {}

    def setup(self, worker: Worker) -> None:
        # The worker of a nanny is a daemonic process, which may not have children unless this flag is cleared.
        multiprocessing.current_process().daemon = False
        self.workers = Workers(number=worker.state.nthreads)

    def teardown(self, worker: Worker) -> None:
        del worker
        if self.workers is not None:
            self.workers.close()

    async def run(self, generation: str, key: str, payload: bytes, kept: Path | None) -> bytes:
        assert self.workers is not None, "it was set up"
        if kept is not None:
            with suppress(OSError):
                return await asyncio.to_thread(kept.read_bytes)
        if generation not in self.seen:
            # Another daemon, or another configuration: files of the plugin_dir may have changed.
            self.seen.add(generation)
            self.workers.renew()
        logger.info("begins: %s", key.rpartition("-")[0])
        task = asyncio.ensure_future(self._outcome(self.workers, payload, kept))
        self.running[key] = task
        try:
            return await task
        except asyncio.CancelledError:
            return pickle.dumps((None, RuntimeError("it was cancelled")))
        finally:
            del self.running[key]

    @staticmethod
    async def _outcome(workers: Workers, payload: bytes, kept: Path | None) -> bytes:
        try:
            function, task = pickle.loads(payload)  # noqa: S301  # from the daemon, whose code runs here
            outcome = pickle.dumps((await workers.run(function, task), None))
            if kept is not None:
                with suppress(OSError):  # then it is only in the memory of this node
                    await asyncio.to_thread(_keep, kept, outcome)
            return outcome
        except Exception as error:  # noqa: BLE001  # whatever a task raises goes back to the daemon
            # Pickled here, because Dask cuts off long exceptions.
            return pickle.dumps((None, error))


async def hello(question: Hello, dask_worker: Worker) -> Node:
    """Make this node ready, and say what is installed here."""
    if NAME not in dask_worker.plugins:
        await dask_worker.plugin_add(plugin=Pool(), name=NAME)
    named = str(dask_worker.name)
    name = named if named != dask_worker.address else f"{describe_node(question).name} ({dask_worker.address})"
    node = await asyncio.to_thread(describe_node, question, name, slots=dask_worker.state.nthreads)
    return replace(node, slots=dask_worker.state.nthreads)


async def work(generation: str, key: str, payload: bytes, kept: Path | None) -> bytes:
    """Run a task here, and return its pickled outcome.

    The outcome is written to the file `kept` as well: if this node goes away before the daemon has it, Dask gives the
    task to another node, which finds the outcome there.
    """
    pool = _pool(get_worker())
    assert pool is not None, "the node was asked what it has"
    return await pool.run(generation, key, payload, kept)


async def stop(key: str, dask_worker: Worker) -> None:
    """End the process of a task that batchd no longer waits for, if it is here."""
    pool = _pool(dask_worker)
    if pool is not None and key in pool.running:
        pool.running[key].cancel()


def _keep(file: Path, outcome: bytes) -> None:
    draft = file.with_suffix(".draft")
    draft.write_bytes(outcome)
    draft.replace(file)


def _pool(worker: Worker) -> Pool | None:
    found = worker.plugins.get(NAME)
    return found if isinstance(found, Pool) else None

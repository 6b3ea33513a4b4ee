"""Measures the overhead of a task on a node, and how much more work several nodes do than one.

    python -m bench.cluster

Starts a Dask scheduler and nodes of one task each on this machine. Their tasks sleep, so that the nodes do not share
its processors. Ends with status 1 if a limit is missed: at most 20 ms a task with 200 in flight, at most 5 % for tasks
of half a second, at least 0.9 of linear growth with 2 and 4 nodes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.dask_plugin.cluster import cluster

from batchd.executor import Executor
from batchd.plugin.catalogue import Catalogue

IN_FLIGHT, MAX_TASK = 200, 0.020
MAX_SHARE = 0.05
MIN_OF_LINEAR = 0.9


async def timed(executor: Executor[Any], function: Callable[[Any], Any], tasks: list[Any], *, at_once: int) -> float:
    """Seconds for all tasks, `at_once` at a time, measured after each node has started its processes."""
    await asyncio.gather(*(executor.run(time.sleep, 0.05) for _ in range(4 * executor.number)))
    room = asyncio.Semaphore(at_once)

    async def one(task: Any) -> None:
        async with room:
            await executor.run(function, task)

    began = time.perf_counter()
    await asyncio.gather(*(one(task) for task in tasks))
    return time.perf_counter() - began


async def measured(address: str) -> tuple[float, float, float]:
    """Seconds for a task that does nothing; the overhead of a task of half a second, as a share of it; how many
    tasks of a second are done a second.
    """
    executor = Catalogue.load().create("executor", "dask", {"address": address})
    await executor.aopen()
    try:
        number = executor.number
        nothing = await timed(executor, abs, list(range(1000)), at_once=IN_FLIGHT) / 1000
        halves = await timed(executor, time.sleep, [0.5] * 20 * number, at_once=2 * number) / 10 - 1
        seconds = 10 * number / await timed(executor, time.sleep, [1.0] * 10 * number, at_once=2 * number)
    finally:
        await executor.aclose()
    return nothing, halves, seconds


def main() -> int:
    """Measure, and compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4])
    counts = parser.parse_args().nodes
    wrong: list[str] = []
    linear = 0.0
    print("nodes  task that does nothing, 200 in flight  beyond half a second  tasks of a second  of linear")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), nodes=count) as there:
            there.wait_for_nodes()
            nothing, halves, seconds = asyncio.run(measured(there.address))
        linear = linear or seconds / count
        share = seconds / count / linear
        print(f"{count:5}  {nothing * 1000:30.1f} ms       {halves:18.1%}  {seconds:12.2f} a second  {share:8.2f}")
        if nothing > MAX_TASK:
            wrong.append(f"{count} nodes: {nothing * 1000:.1f} ms a task, more than {MAX_TASK * 1000:.0f}")
        if halves > MAX_SHARE:
            wrong.append(f"{count} nodes: {halves:.1%} beyond half a second, more than {MAX_SHARE:.0%}")
        if share < MIN_OF_LINEAR:
            wrong.append(f"{count} nodes: {share:.2f} of linear, less than {MIN_OF_LINEAR}")
    for each in wrong:
        print(f"wrong: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

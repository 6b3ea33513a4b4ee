"""A cluster on this machine works on a file of 50,000 rows, and loses a node after a third of the work.

    make cluster-demo

Starts a sandbox in place of a paid service, a Dask scheduler and three nodes, drops the file, ends a node with kill -9,
and compares the results, byte for byte, with those of the executor `local`. It shows that nothing is lost, not how fast
clusters are: everything shares this machine.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.dask_plugin.cluster import Cluster, cluster
from tests.dask_plugin.rig import ClusterRig
from tests.end_to_end.conftest import until

ROWS, PART_ROWS, NODES = 50_000, 1_000, 3
LIMIT = 150.0


def begun(there: Cluster) -> Counter[tuple[str, str]]:
    """How often each node has begun each task on each part."""
    found: Counter[tuple[str, str]] = Counter()
    for log in there.folder.glob("*/log"):
        for task in re.findall(r"begins: (.+)", log.read_text()):
            found[log.parent.name, task] += 1
    return found


def worked(folder: Path, there: Cluster | None, rows: int) -> tuple[ClusterRig, float]:
    """Work on the file; with a cluster, kill a node after a third of the work."""
    rig = ClusterRig(folder, there, part_rows=PART_ROWS, pause=None)
    rig.serve("--latency", "200ms")
    rig.log.touch()
    life = rig.begin("run")
    until(lambda: life.ended or b"Watching" in rig.said(), "the daemon watches", seconds=60)
    started = time.monotonic()
    rig.drop_rows("may", rows)
    if there is not None:
        parts = rows // PART_ROWS

        def a_third() -> bool:
            return sum(begun(there).values()) >= 2 * parts // 3  # each part is planned and collected

        until(a_third, "a third is done", seconds=LIMIT)
        there.kill("node-2")
        print(f"{time.monotonic() - started:6.1f} s  a third is done; node-2 is killed")
    rig.drain(life, seconds=LIMIT)
    took = time.monotonic() - started
    life.stop()
    return rig, took


def main() -> int:
    """Run the daemon with and without a cluster, and print how the results compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    rigs = []
    with tempfile.TemporaryDirectory(prefix="batchd-cluster-") as place:
        folder = Path(place)
        (folder / "nodes").mkdir()
        try:
            began = time.monotonic()
            with cluster(folder / "nodes", nodes=NODES) as there:
                print(f"{rows:,} rows in parts of {PART_ROWS:,}; a scheduler and {NODES} nodes at {there.address}")
                rig, took = worked(folder / "dask", there, rows)
                rigs.append(rig)
                tasks = begun(there)
            alone, took_alone = worked(folder / "local", None, rows)
            rigs.append(alone)
            wrong = report(tasks, rows, took, took_alone)
            counts = rig.checked()
            wrong += counts.wrong
            same = rig.results() == alone.results()
            names = ", ".join(name for name in rig.results())
            print(f"outbox ({names}): {'byte for byte that of local' if same else 'DIFFERS from that of local'}")
            print(f"asked {counts.executed:,} times for {rows:,} rows, paid twice {counts.paid_twice}")
            print(f"{time.monotonic() - began:.0f} s in all")
        finally:
            for each in rigs:
                each.close()
        for each in wrong:
            print(f"wrong: {each}")
    return 0 if same and not wrong else 1


def report(tasks: Counter[tuple[str, str]], rows: int, took: float, took_alone: float) -> list[str]:
    """Print parts by node, attempts and time; return what is wrong with them."""
    parts = -(-rows // PART_ROWS)
    kinds = sorted({task.split()[0] for _, task in tasks if " from row " in task})
    for name in sorted({node for node, _ in tasks}):
        mine = Counter(dict.fromkeys(kinds, 0))
        for (node, task), times in tasks.items():
            if node == name and task.split()[0] in kinds:
                mine[task.split()[0]] += times
        print(f"{name}: " + ", ".join(f"{kind} {number} parts" for kind, number in sorted(mine.items())))
    by_task: Counter[str] = Counter()
    for (_, task), times in tasks.items():
        if " from row " in task:
            by_task[task] += times
    again = {task: times for task, times in by_task.items() if times > 1}
    print(f"attempts: {sum(by_task.values())} for {parts} parts ({', '.join(kinds)}); {len(again)} repeated")
    print(f"time: {took:.1f} s on the nodes, {took_alone:.1f} s on one machine without them")
    return [f"{len(again)} parts were repeated, and one node went away"] if len(again) > 1 else []


if __name__ == "__main__":
    sys.exit(main())

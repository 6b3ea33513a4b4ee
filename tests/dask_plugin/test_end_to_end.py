"""Nodes, the scheduler and the daemon are killed in the middle: nothing is lost, and nothing is asked twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..durability.rig import Life
from ..end_to_end.conftest import until
from .cluster import Cluster, cluster
from .rig import ClusterRig

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dask"), pytest.mark.field("neighbours")]

ROWS, PART_ROWS = 160, 4


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    with cluster(tmp_path / "cluster", nodes=2) as ours:
        yield ours


@pytest.fixture
def rig(tmp_path: Path, there: Cluster) -> Iterator[ClusterRig]:
    folder = tmp_path / "place"
    folder.mkdir()
    ours = ClusterRig(folder, there, part_rows=PART_ROWS)
    try:
        ours.serve("--latency", "50ms")
        yield ours
    finally:
        ours.close()


def begun(rig: ClusterRig) -> Life:
    """A daemon that watches."""
    rig.log.touch()
    life = rig.begin("run")
    until(lambda: life.ended or b"Watching" in rig.said(), "the daemon watches")
    assert not life.ended, rig.tail()
    return life


def progressed(rig: ClusterRig, rows: int) -> None:
    until(lambda: len(rig.rows_built()) >= rows, f"{rows} rows were worked on")


def repeated_parts(rig: ClusterRig) -> int:
    """Parts of which some row was worked on more than once."""
    return len({row // PART_ROWS for row, times in rig.rows_built().items() if times > 1})


def test_a_worker_a_node_the_scheduler_and_the_daemon_are_killed(
    rig: ClusterRig, there: Cluster, tmp_path: Path
) -> None:
    life = begun(rig)
    rig.drop_rows("may", ROWS)
    progressed(rig, 20)
    assert set(rig.nodes_seen()) == {"node-1", "node-2"}, "both work"

    pid = int(rig.built.read_text().splitlines()[-1].split()[2])
    os.kill(pid, signal.SIGKILL)  # a worker process of batchd on a node
    progressed(rig, 40)
    there.kill("node-1")
    progressed(rig, 60)
    assert repeated_parts(rig) <= 2, "one for the process, one for the node"
    there.start_node("node-3")
    there.kill_scheduler()
    there.start_scheduler()
    there.kill("node-2")  # a Dask worker does not come back to a scheduler that was started anew
    there.start_node("node-4")
    progressed(rig, 90)
    life.kill()
    life = begun(rig)
    rig.drain(life)
    assert life.stop() == 0

    counts = rig.checked()
    assert not counts.wrong, str(counts)
    assert repeated_parts(rig) <= 2 + 2 + 2, "each of the four took one or two parts along"
    assert rig.results() == on_one_machine(tmp_path / "alone")


def on_one_machine(folder: Path) -> object:
    """What the executor `local` gives for the same file."""
    folder.mkdir()
    alone = ClusterRig(folder, None, part_rows=PART_ROWS, pause=0.0)
    try:
        alone.serve("--latency", "50ms")
        life = begun(alone)
        alone.drop_rows("may", ROWS)
        alone.drain(life)
        assert life.stop() == 0
        return alone.results()
    finally:
        alone.close()

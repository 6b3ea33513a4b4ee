"""Nodes, the scheduler and the daemon are killed in the middle: nothing is lost, and nothing is asked twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..durability.rig import Life
from ..end_to_end.conftest import until
from .cluster import Cluster, cluster
from .rig import ClusterRig

pytestmark = [pytest.mark.slow, pytest.mark.field("neighbours")]

ROWS, PART_ROWS = 160, 4
SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
only_long = pytest.mark.skipif(not os.environ.get("BATCHD_LONG"), reason="takes long: make cluster-tests")
AWAY = 60.0
"""Seconds that the shared folder is gone."""


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    with cluster(tmp_path / "cluster", nodes=2) as ours:
        ours.wait_for_nodes()
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


@pytest.mark.third
@pytest.mark.slow(seconds=20)
def test_a_worker_a_node_the_scheduler_and_the_daemon_are_killed(
    rig: ClusterRig, there: Cluster, tmp_path: Path
) -> None:
    life = begun(rig)
    rig.drop_rows("may", ROWS)
    progressed(rig, 20)
    until(lambda: set(rig.nodes_seen()) == {"node-1", "node-2"}, "both work")

    pid = int(rig.built.read_text().splitlines()[-1].split()[2])
    os.kill(pid, signal.SIGKILL)  # a worker process of batchd on a node
    progressed(rig, 40)
    there.kill("node-1")
    progressed(rig, 60)
    assert repeated_parts(rig) <= 2, "one for the process, one for the node"
    there.kill_scheduler()
    there.start_scheduler()
    there.kill("node-2")  # a Dask worker does not come back to a scheduler that was started anew
    there.start_node("node-3")
    progressed(rig, 90)
    life.kill()
    life = begun(rig)
    rig.drain(life)
    assert life.stop() == 0

    counts = rig.checked()
    assert not counts.wrong, str(counts)
    assert repeated_parts(rig) <= 2 + 2 + 2, "each of the four took one or two parts along"
    assert rig.results() == on_one_machine(tmp_path / "alone")


@only_long
def test_a_node_stands_still_and_the_shared_folder_goes_away(rig: ClusterRig, there: Cluster, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root and the mount command")
    with shared(tmp_path / "exported", rig.folders["spool"]) as share:
        life = begun(rig)
        rig.drop_rows("may", ROWS)
        progressed(rig, 20)
        there.stand_still("node-1")
        progressed(rig, 60)
        share.leave()
        until(lambda: b"the spool is not there" in rig.said() or b"No such file" in rig.said(), "the daemon says so")
        time.sleep(AWAY)  # the fault itself, as long as it lasts
        assert [*rig.folders["spool"].iterdir()] == [], "nothing was written below the mount point"
        assert not life.ended
        share.come_back()
        progressed(rig, ROWS)
        there.go_on("node-1")  # it finishes what was done elsewhere long ago
        rig.drain(life)
        assert life.stop() == 0
        counts = rig.checked()
        assert not counts.wrong, str(counts)
        assert repeated_parts(rig) <= 2 + 4, "those of the node, and those that the folder was taken away from"


@only_long
def test_nodes_that_come_late_or_have_something_else(rig: ClusterRig, there: Cluster, tmp_path: Path) -> None:
    there.close()
    life = begun(rig)
    rig.drop_rows("may", 8)
    until(lambda: "cannot be reached" in said_of(rig, "workers"), "the daemon says that there is no scheduler")
    there.start_scheduler()
    until(lambda: "has no workers" in said_of(rig, "workers"), "the daemon says that there is no node")
    odd = tmp_path / "odd" / "batchd_odd-1.0.dist-info"
    odd.mkdir(parents=True)
    (odd / "METADATA").write_text("Metadata-Version: 2.1\nName: batchd-odd\nVersion: 1.0\n")
    (odd / "entry_points.txt").write_text("[batchd]\nodd = os\n")
    there.start_node("odd", env={"PYTHONPATH": str(odd.parent)})
    until(lambda: "batchd-odd 1.0, which the daemon does not have" in said_of(rig, "node odd"), "the odd one is named")
    assert not rig.rows_built(), "it is not used"
    there.start_node("node-1", nanny=True)
    rig.drain(life)
    assert set(rig.nodes_seen()) == {"node-1"}
    until(lambda: not said_of(rig, "workers"), "all is well with the workers")
    listed = rig.batchd("nodes")
    assert listed.returncode == 0, listed.stderr
    assert "✓ node-1: 1 task at a time" in listed.stdout
    assert "✗ odd: is not used: it has the plugin batchd-odd 1.0" in listed.stdout
    there.kill("odd")
    until(lambda: not said_of(rig, "node odd"), "a node that went away is not named any more")
    assert life.stop() == 0


def said_of(rig: ClusterRig, subject: str) -> str:
    """What `batchd status` has about it."""
    found = rig.query("SELECT text FROM conditions WHERE subject = ?", subject)
    return str(found[0]["text"]) if found else ""


@only_long
def test_each_machine_has_a_mount_of_its_own(rig: ClusterRig, there: Cluster, tmp_path: Path) -> None:
    """As on several hosts: what one of them writes, the others see through a server."""
    server = next((each for each in SERVERS if os.access(each, os.X_OK)), None)
    if os.geteuid() != 0 or shutil.which("sshfs") is None or server is None or not os.path.exists("/dev/fuse"):
        pytest.skip("needs root, sshfs, sftp-server and /dev/fuse")
    exported, spool = tmp_path / "exported", rig.folders["spool"]
    exported.mkdir(mode=0o700)
    pipe = tmp_path / "pipe"
    pipe.write_text(f"#!/bin/sh\nexec {server}\n")
    pipe.chmod(0o755)
    mount = f"sshfs -f -o ssh_command={pipe},dir_cache=no server:{exported} {spool}"
    waiting = f"until [ $(stat -f -c %T {spool}) = fuseblk ]; do sleep 0.1; done"
    for name in list(there.nodes):
        there.kill(name)
    private = ["unshare", "--mount", "--propagation", "private", "bash", "-c"]
    own = (*private, f'umount -l {spool}; {mount} & {waiting}; exec "$@"', "node")
    ours = subprocess.Popen(mount.split())
    try:
        until(lambda: os.path.ismount(spool), "the daemon's machine has it")
        for name in ("node-1", "node-2"):
            there.start_node(name, within=own)
        there.wait_for_nodes()
        life = begun(rig)
        rig.drop_rows("may", ROWS)
        progressed(rig, 60)
        until(lambda: len(rig.nodes_seen()) == 2, "both work")
        there.kill("node-1")
        rig.drain(life)
        assert life.stop() == 0
        counts = rig.checked()
        assert not counts.wrong, str(counts)
        assert repeated_parts(rig) <= 2
        assert rig.results() == on_one_machine(tmp_path / "alone")
    finally:
        subprocess.run(["umount", "--lazy", spool], check=True)
        ours.wait(20)


class Share:
    """A folder that is mounted elsewhere, and may be taken away under those who use it."""

    def __init__(self, exported: Path, mounted: Path) -> None:
        self.exported, self.mounted, self.is_there = exported, mounted, False

    def come_back(self) -> None:
        """Mount it."""
        done = subprocess.run(["mount", "--bind", self.exported, self.mounted], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        self.is_there = True

    def leave(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "--lazy", self.mounted], check=True)
        self.is_there = False


@contextmanager
def shared(exported: Path, mounted: Path) -> Iterator[Share]:
    """Mounted there."""
    exported.mkdir(mode=0o700)
    share = Share(exported, mounted)
    share.come_back()
    try:
        yield share
    finally:
        if share.is_there:
            share.leave()


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

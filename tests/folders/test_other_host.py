"""An inbox on a share, and files that another host writes to it: no event tells of them, and no lease.

The share is an sshfs of the folder beside it, through sftp-server on the loopback, without an ssh: the far side writes
into the folder itself.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import Shared, only_long, rows_of, size, until

pytestmark = pytest.mark.slow

SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")


@contextmanager
def sshfs(far: Path, near: Path) -> Iterator[None]:
    """`far` seen as a share at `near`."""
    server = next((path for path in SERVERS if os.access(path, os.X_OK)), None)
    if shutil.which("sshfs") is None or server is None:
        pytest.skip("needs sshfs and sftp-server: apt-get install sshfs openssh-sftp-server")
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("needs root and /dev/fuse to mount a share")
    listening = socket.create_server(("127.0.0.1", 0))
    serving: list[subprocess.Popen[bytes]] = []

    def serve() -> None:
        connection, _ = listening.accept()
        serving.append(subprocess.Popen([server], stdin=connection, stdout=connection))
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    port = listening.getsockname()[1]
    # Attributes are remembered for a second here and for twenty by default; that only makes it take longer.
    command = ["sshfs", "-o", f"directport={port},dcache_timeout=1", f"localhost:{far}", str(near)]
    mounted = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if mounted.returncode:
        pytest.skip(f"no share can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(near)], check=True)
        for process in serving:
            process.terminate()
            process.wait()
        listening.close()


@pytest.mark.slow(seconds=5)
def test_files_that_another_host_writes(shared: Shared) -> None:
    number = size(12, 100)
    far = shared.folder / "far"
    (far / "reviews").mkdir(parents=True)
    shared.configure(settle='"2s"')
    with sshfs(far, shared.inbox):
        until((shared.inbox / "reviews").is_dir, "the share is there")
        daemon = shared.start()
        # Looks at a share are further apart: what a look costs is paid by the server.
        for each in range(number):
            (far / "reviews" / f"{each:03d}.csv").write_text("\n".join(rows_of(str(each), 2)) + "\n")
        # On the near side too, and in a tree that is moved in on the far one.
        shared.drop("reviews/near.csv", "\n".join(rows_of("near", 2)) + "\n")
        tree = shared.folder / "aside" / "deep"
        tree.mkdir(parents=True)
        (tree / "inner.csv").write_text("\n".join(rows_of("inner", 2)) + "\n")
        (shared.folder / "aside").rename(far / "reviews" / "tree")
        expected = {*(f"{each:03d}" for each in range(number)), "near", "tree/deep/inner"}
        until(lambda: set(shared.reports()) == expected, f"{number} files of another host are through", seconds=180)
        assert {report["rows"]["ok"] for report in shared.reports().values()} == {2}
        # Taken for good on the far side, without a hidden rest.
        assert [path for path in far.rglob("*") if path.is_file()] == []
        shared.stop(daemon)


@only_long
def test_a_slow_writer_on_another_host(shared: Shared) -> None:
    """Nobody can tell that it has the file open; `settle` is all there is, and it counts while we look."""
    far = shared.folder / "far"
    (far / "reviews").mkdir(parents=True)
    shared.configure(settle='"4s"')
    with sshfs(far, shared.inbox):
        daemon = shared.start()
        writer = Path(__file__).with_name("slow_writer.py")
        command = ["python3", str(writer), "held", str(far / "reviews" / "slow.csv"), "30", "6", "1.5"]
        slow = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        until(lambda: "slow" in shared.reports(), "it is through", seconds=180)
        if float(slow.stdout) < 3.5:
            assert shared.reports()["slow"]["rows"]["total"] == 30
        shared.stop(daemon)


def test_a_state_folder_on_a_share_is_refused_in_words(shared: Shared) -> None:
    far, near = shared.folder / "far", shared.folder / "state"
    far.mkdir()
    near.mkdir()
    with sshfs(far, near):
        said = shared.batchd("run")
        assert said.returncode == 5
        assert said.stderr.strip().count("\n") == 0, said.stderr
        assert "network file system (fuse.sshfs)" in said.stderr
        assert "[folders] state" in said.stderr
        assert list(far.iterdir()) == []

"""An inbox on a real Samba share: names, renames, locks and half-written files as Explorer and Excel make them.

The server and its clients talk SMB on the loopback address: smbclient, and rclone, which mounts the share.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Shared, rows_of, until

pytestmark = [pytest.mark.slow, pytest.mark.outside, pytest.mark.field("folders")]

CONFIG = """
[global]
smb ports = {port}
interfaces = lo
bind interfaces only = yes
map to guest = bad user
guest account = root
disable netbios = yes
load printers = no
private dir = {place}
lock directory = {place}
state directory = {place}
cache directory = {place}
pid directory = {place}
ncalrpc dir = {place}/ncalrpc
log file = {place}/log
[inbox]
path = {folder}
guest ok = yes
read only = no
"""


@dataclass(frozen=True)
class Server:
    """A running server, which exports a folder as the share `inbox`."""

    port: int
    folder: Path

    def client(self, command: str, *, stdin: int | None = None) -> subprocess.Popen[str]:
        """A client that carries out this command in the folder of the reviews."""
        call = ["smbclient", "//127.0.0.1/inbox", "-p", str(self.port), "-N", "-D", "reviews", "-c", command]
        pipe = subprocess.PIPE
        return subprocess.Popen(call, stdin=stdin, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def do(self, command: str) -> None:
        """Carry out the command, to its end."""
        client = self.client(command, stdin=subprocess.DEVNULL)
        said, _ = client.communicate(timeout=60)
        assert client.returncode == 0, said
        assert "NT_STATUS" not in said, said


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    """A server of an empty folder."""
    missing = [each for each in ("smbd", "smbclient", "rclone", "fusermount3") if shutil.which(each) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install samba smbclient rclone fuse3")
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("needs root and /dev/fuse")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place, folder = tmp_path / "samba", tmp_path / "share"
    place.mkdir()
    (folder / "reviews").mkdir(parents=True)
    config = place / "smb.conf"
    config.write_text(CONFIG.format(port=port, place=place, folder=folder))
    command = ["smbd", "--foreground", "--no-process-group", f"--configfile={config}"]
    # In a session of its own: it ends its whole process group when it is ended.
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    server = Server(port, folder)
    try:
        until(lambda: listens(port), "the server listens")
        yield server
    finally:
        process.terminate()
        process.wait(30)


def listens(port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def text(tag: str, rows: int = 3) -> str:
    """A file of reviews."""
    return "\n".join(rows_of(tag, rows)) + "\n"


@pytest.mark.third
@pytest.mark.slow(seconds=5)
def test_a_server_whose_clients_are_explorer_and_excel(shared: Shared, served: Server, tmp_path: Path) -> None:
    shared.inbox.rmdir() if not list(shared.inbox.iterdir()) else shutil.rmtree(shared.inbox)
    shared.inbox.symlink_to(served.folder)
    shared.configure(settle='"300ms"')
    daemon = shared.start()
    names = ("đánh giá tháng 5", "A & B (1)", "may#2", "REVIEWS", "Copy of may - Copy")
    for name in names:
        (tmp_path / f"{name}.csv").write_text(text(name))
        served.do(f'put "{tmp_path}/{name}.csv" "{name}.csv"')
    # Excel: a lock beside the file, a draft of eight letters and digits, the old one away, the draft in its place.
    (tmp_path / "excel.csv").write_text(text("excel"))
    served.do(f'put "{tmp_path}/excel.csv" "~$excel.csv"; put "{tmp_path}/excel.csv" "5D2C1A00"')
    served.do('mkdir "#recycle"; mkdir "@eaDir"')
    served.do(f'put "{tmp_path}/excel.csv" "#recycle/old.csv"; put "{tmp_path}/excel.csv" "@eaDir/old.csv"')
    until(lambda: set(shared.reports()) >= set(names), "the files of people are through")
    served.do('rename "5D2C1A00" "excel.csv"; del "~$excel.csv"')
    # A client that has created its file, and takes its time to fill it.
    slow = served.client('put - "slow.csv"', stdin=subprocess.PIPE)
    assert slow.stdin is not None
    until((served.folder / "reviews" / "slow.csv").exists, "the file is there")
    whole = text("slow")
    slow.stdin.write(whole[: len(whole) // 2])
    slow.stdin.flush()
    until(lambda: "excel" in shared.reports(), "what Excel saved is through")
    seen = time.monotonic()
    while time.monotonic() < seen + 1.5:
        assert (served.folder / "reviews" / "slow.csv").exists(), "taken while its writer has it open"
        time.sleep(0.1)
    slow.communicate(whole[len(whole) // 2 :], timeout=60)
    assert slow.returncode == 0
    until(lambda: "slow" in shared.reports(), "it is through")
    assert {name: report["rows"]["ok"] for name, report in shared.reports().items()} == dict.fromkeys(
        [*names, "excel", "slow"], 3
    )
    left = sorted(str(path.relative_to(served.folder)) for path in served.folder.rglob("*") if path.is_file())
    assert left == ["reviews/#recycle/old.csv", "reviews/@eaDir/old.csv"]
    shared.stop(daemon)


@pytest.mark.third
@pytest.mark.slow(seconds=20)
def test_inbox_and_outbox_are_mounted_from_a_server(shared: Shared, served: Server) -> None:
    inbox, outbox = served.folder / "inbox", served.folder / "outbox"
    (inbox / "reviews").mkdir(parents=True)
    outbox.mkdir()
    shared.configure(settle='"500ms"')
    with mounted(served, "inbox", shared.inbox), mounted(served, "outbox", shared.folder / "outbox"):
        daemon = shared.start()
        for number in range(3):
            (inbox / "reviews" / f"far {number}.csv").write_text(text(f"far {number}"))
        # In its place: the mount sends a file on when it is closed, and loses a new name that it gets meanwhile.
        (shared.inbox / "reviews" / "near.csv").write_text(text("near"))
        expected = {*(f"far {number}" for number in range(3)), "near"}
        until(lambda: set(shared.reports()) == expected, "all are through", seconds=120)
        assert {report["rows"]["ok"] for report in shared.reports().values()} == {3}
        shared.stop(daemon)
        # The mount sends what was written to it a little later, and ends without the rest.
        until(lambda: len(list(outbox.rglob("*.results.csv"))) == 4, "all results are on the server")
    assert list((inbox / "reviews").iterdir()) == []


class mounted:  # noqa: N801  # used as a function
    """The share, or a folder of it, at `place`."""

    def __init__(self, server: Server, folder: str, place: Path) -> None:
        self._source = f":smb,host=127.0.0.1,port={server.port},user=guest:inbox/{folder}"
        self._place = place

    def __enter__(self) -> None:
        cache = f"--cache-dir={self._place.parent / f'cache of {self._place.name}'}"
        options = ["--vfs-cache-mode=writes", "--vfs-write-back=0s", "--dir-cache-time=1s", "--config=/dev/null", cache]
        call = ["rclone", "mount", self._source, str(self._place), "--daemon", *options]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60)
        if done.returncode:
            pytest.skip(f"no share can be mounted here: {done.stderr.strip()}")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["fusermount3", "-u", "-z", str(self._place)], check=True)

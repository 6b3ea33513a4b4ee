"""Which file system a path is on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchd.errors import StateUnusable
from batchd.system import mounts
from batchd.system.mounts import file_system, is_network, refuse_network

from .conftest import Mounts

TABLE = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw
30 27 0:40 / /srv/share rw,relatime shared:9 - nfs4 server:/x rw
31 30 0:41 / /srv/share/local rw - xfs /dev/vdb rw
32 27 0:42 / /mnt/two\040words\134\011x rw - cifs //server/x rw
33 27 0:43 / /home/me/remote rw - fuse.sshfs me@host: rw
34 27 0:44 / /media/stick rw - fuseblk /dev/sdb1 rw
35 27 0:45 / /over/inner rw - nfs server:/y rw
36 27 0:46 / /over rw - tmpfs tmpfs rw
37 27 0:47 / /twice rw - ext4 /dev/vdc rw
38 37 0:48 / /twice rw - cifs //server/y rw
"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    path = tmp_path / "mountinfo"
    path.write_bytes(TABLE)
    monkeypatch.setattr(mounts.os.path, "realpath", os.fspath)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv", "ext4"),
        ("/srv/shared", "ext4"),
        ("/srv/share", "nfs4"),
        ("/srv/share/inbox", "nfs4"),
        ("/srv/share/local/state", "xfs"),
        ("/mnt/two words\\\tx/inbox", "cifs"),
        ("/home/me/remote/inbox", "fuse.sshfs"),
        ("/media/stick", "fuseblk"),
        ("/dev/shm/x", "tmpfs"),
        ("/over/inner/x", "tmpfs"),
        ("/twice/x", "cifs"),
    ],
)
def test_file_system(table, path, kind):
    assert file_system(Path(path), mountinfo=table) == kind


def test_without_a_root_in_the_table(table):
    """In a chroot the list may begin anywhere."""
    table.write_bytes(b"30 29 0:40 / /srv/share rw - nfs4 server:/x rw\n")
    assert file_system(Path("/srv/share/inbox"), mountinfo=table) == "nfs4"
    assert file_system(Path("/home"), mountinfo=table) == ""


def test_a_loop_in_the_table_ends(table):
    table.write_bytes(b"1 2 0:1 / / rw - ext4 x rw\n2 1 0:2 / / rw - tmpfs y rw\n")
    assert file_system(Path("/home"), mountinfo=table) in {"ext4", "tmpfs"}


def test_without_proc(tmp_path):
    nothing = tmp_path / "nothing"
    assert file_system(tmp_path, mountinfo=nothing) == ""
    assert not is_network(tmp_path, mountinfo=nothing)
    refuse_network(tmp_path, mountinfo=nothing)


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        *((kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.rclone", "fuse")),
        *((kind, True) for kind in ("afs", "ceph", "lustre", "virtiofs", "vboxsf", "fuse.vmhgfs-fuse")),
        *((kind, False) for kind in ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "f2fs", "vfat", "")),
    ],
)
def test_is_network(table, kind, network):
    table.write_text(f"1 0 0:1 / / rw - {kind or '-'} x rw\n")
    assert is_network(Path("/srv/inbox"), mountinfo=table) == network
    if network:
        with pytest.raises(StateUnusable, match="network file system") as caught:
            refuse_network(Path("/srv/state"), mountinfo=table)
        assert kind in str(caught.value)
        assert "Set [folders] state" in str(caught.value)
    else:
        refuse_network(Path("/srv/state"), mountinfo=table)


def test_the_real_table(tmp_path, elsewhere):
    assert file_system(Path("/proc")) == "proc"
    assert "tmpfs" in {file_system(tmp_path), file_system(elsewhere)}
    assert file_system(elsewhere / "not" / "there" / "yet") == file_system(elsewhere)
    assert file_system(tmp_path) not in {"", "proc"}


def test_a_real_mount(tmp_path, mounts: Mounts):
    point = tmp_path / "with a space\n"
    point.mkdir()
    before = file_system(point)
    (tmp_path / "link").symlink_to(point)
    mounts.mount(point)
    assert file_system(point / "x") == file_system(tmp_path / "link") == "tmpfs"
    mounts.unmount(point)
    assert file_system(point) == before

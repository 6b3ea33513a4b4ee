"""The file system of a path. Network ones do not report changes by other machines, and cannot hold the state folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec import Struct

from ..errors import StateUnusable

MOUNTINFO = Path("/proc/self/mountinfo")

# `fuse` stands for fuse.sshfs, fuse.rclone and so on. `fuseblk` is a local disk. virtiofs and similar ones are folders
# of the host of this machine, whose changes are not reported.
_NETWORK = re.compile(
    r"(nfs\d?|cifs|smb\w*|ncpfs|afs|ceph|lustre|gfs2?|ocfs2|beegfs|glusterfs|9p|virtiofs|vboxsf|vmhgfs|prl_fs|fuse)(\..*)?"
)
_OCTAL = re.compile(rb"\\([0-7]{3})")


class _Mount(Struct, frozen=True):
    number: int
    parent: int
    point: str
    kind: str

    def holds(self, path: str) -> bool:
        return path == self.point or path.startswith(self.point.rstrip("/") + "/")


def file_system(path: Path, *, mountinfo: Path = MOUNTINFO) -> str:
    """The type of the file system of `path`, which need not exist: `ext4`, `nfs4`, `fuse.sshfs`; "" if unknown."""
    try:
        table = mountinfo.read_bytes()
    except OSError:
        return ""
    mount = _mount_of(os.path.realpath(path), [_parsed(line) for line in table.splitlines()])
    return mount.kind if mount else ""


def is_network(path: Path, *, mountinfo: Path = MOUNTINFO) -> bool:
    """True if other machines can change `path` without a report to this one."""
    return _NETWORK.fullmatch(file_system(path, mountinfo=mountinfo)) is not None


def refuse_network(path: Path, *, mountinfo: Path = MOUNTINFO) -> None:
    """Raises StateUnusable if SQLite's log, locks and fsync are not reliable at the state folder."""
    kind = file_system(path, mountinfo=mountinfo)
    if _NETWORK.fullmatch(kind):
        raise StateUnusable(
            f"The state folder {path} is on a network file system ({kind}). There its database can be damaged and "
            "a batch be paid twice. Set [folders] state to a folder on a disk of this machine, such as "
            "/var/lib/batchd; the inbox and the outbox may stay where they are."
        )


def _mount_of(path: str, mounts: list[_Mount]) -> _Mount | None:
    """Walk down as the kernel does, mount by mount.

    The longest mount point alone is wrong if something was mounted over a folder that has mounts of its own.
    """
    holding = [mount for mount in mounts if mount.holds(path)]
    numbers = {mount.number for mount in mounts}
    roots = [mount for mount in holding if mount.parent not in numbers or mount.parent == mount.number]
    here = max(roots, key=lambda mount: len(mount.point), default=None)
    if here is None:
        return max(holding, key=lambda mount: len(mount.point), default=None)
    passed = {here.number}
    while True:
        inner = [mount for mount in holding if mount.parent == here.number and mount.number not in passed]
        if not inner:
            return here
        here = min(inner, key=lambda mount: len(mount.point))
        passed.add(here.number)


def _parsed(line: bytes) -> _Mount:
    """`36 35 98:0 /root /mnt/point rw,noatime shared:1 - ext3 /dev/root rw`: any number of fields before the dash."""
    before, _, after = line.partition(b" - ")
    fields = before.split(b" ")
    point = _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), fields[4])
    return _Mount(int(fields[0]), int(fields[1]), os.fsdecode(point), os.fsdecode(after.split(b" ")[0]))

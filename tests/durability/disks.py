"""Small disks: to fill, to make read-only, to take away and to bring back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def require_mounting() -> None:
    """Skip where nothing can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    if shutil.which("mount") is None:
        pytest.skip("needs the mount command")


class Disk:
    """A tmpfs at `point`: large enough for all that a house keeps of its jobs, however many tests meet in it."""

    def __init__(self, point: Path, megabytes: int = 64) -> None:
        self.point = point
        point.mkdir(parents=True, exist_ok=True)
        done = command("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(point))
        if done.returncode:
            pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")

    def fill(self, *, leave: int = 0) -> None:
        """Take all room but so many bytes."""
        disk = os.statvfs(self.point)
        # The daemon may take of the room meanwhile: then the disk is full sooner.
        with suppress(OSError), (self.point / ".ballast").open("wb", buffering=0) as ballast:
            ballast.write(bytes(max(0, disk.f_bavail * disk.f_frsize - leave)))

    def grow(self) -> None:
        """There is room again."""
        self._remount("size=128m")
        (self.point / ".ballast").unlink()

    def freeze(self) -> None:
        """Nothing can be written any more."""
        self._remount("ro")

    def thaw(self) -> None:
        """It can be written again."""
        self._remount("rw")

    @contextmanager
    def unmounted(self, *, removed: bool = False) -> Iterator[None]:
        """Only the bare folder below it is there, or, `removed`, not even that."""
        elsewhere = self.point.with_name(f"{self.point.name}.elsewhere")
        elsewhere.mkdir()
        _must("mount", "--bind", str(self.point), str(elsewhere))
        _must("umount", str(self.point))
        if removed:
            self.point.rmdir()
        try:
            yield
        finally:
            self.point.mkdir(exist_ok=True)
            _must("mount", "--bind", str(elsewhere), str(self.point))
            _must("umount", str(elsewhere))
            elsewhere.rmdir()

    def close(self) -> None:
        """Unmount it, even if a process still has files open there."""
        command("umount", "--lazy", str(self.point))

    def _remount(self, how: str) -> None:
        _must("mount", "-o", f"remount,{how}", str(self.point))


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run it and say how it went."""
    return subprocess.run(words, capture_output=True, text=True, check=False)


def _must(*words: str) -> None:
    done = command(*words)
    assert not done.returncode, f"{' '.join(words)}: {done.stderr}"

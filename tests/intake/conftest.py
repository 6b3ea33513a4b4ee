"""What the intake tests share: folders, a second file system, mounts, and waiting without sleeping blindly."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings

from batchd.intake.settling import Stamp

NOBODY = 65534

# A time limit for each example fails on a busy machine, and finds nothing in functions of a few lines.
unhurried = settings(deadline=None)


@dataclass
class Place:
    """An inbox and the folder of a job, perhaps on two file systems."""

    inbox: Path
    job_folder: Path
    job: str = "k3j9x2ab"

    @property
    def target(self) -> Path:
        return self.job_folder / "source"

    def drop(self, relative: str = "may.csv", content: bytes = b"review\ngood\n") -> Stamp:
        path = self.inbox / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return Stamp.of(path.lstat())

    def left_in_inbox(self) -> list[str]:
        return sorted(str(path.relative_to(self.inbox)) for path in self.inbox.rglob("*") if not path.is_dir())

    def left_in_job(self) -> list[str]:
        return sorted(os.listdir(self.job_folder))


def until(condition: Callable[[], object], *, seconds: float = 10.0, what: str = "") -> None:
    """Wait for the condition; fail, saying what was waited for, when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s in vain for {what or condition}")
        time.sleep(0.005)


@pytest.fixture(params=["one file system", "two file systems"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Within one file system, and across two."""
    base = tmp_path if request.param == "one file system" else request.getfixturevalue("elsewhere")
    return make_place(tmp_path, base)


def make_place(state: Path, inbox: Path) -> Place:
    place = Place(inbox / "inbox", state / "state" / "jobs" / "k3j9x2ab")
    place.inbox.mkdir(parents=True, exist_ok=True)
    place.job_folder.mkdir(parents=True, exist_ok=True)
    return place


@dataclass
class Mounts:
    """Mounts tmpfs, and takes away what is left of it."""

    points: list[Path] = field(default_factory=list)

    def mount(self, point: Path) -> None:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", point], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        self.points.append(point)

    def unmount(self, point: Path) -> None:
        # Lazily: an observer that is being ended may still have a hand on it.
        subprocess.run(["umount", "--lazy", point], check=True)
        self.points.remove(point)


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    if shutil.which("mount") is None:
        pytest.skip("needs the mount command")
    ours = Mounts()
    yield ours
    for point in reversed(ours.points[:]):
        ours.unmount(point)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights, for which there are no unreadable files."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter; pytest's own are for their owner alone."""
    folder = Path(tempfile.mkdtemp(prefix="batchd-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)

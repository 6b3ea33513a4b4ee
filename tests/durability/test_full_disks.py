"""No room, or nothing to write to: the daemon waits, says so, and goes on by itself. Nothing is lost or asked twice.

One daemon (in each process that runs tests) meets these troubles one after the other: what one of them left behind would
show in the next.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ..cases import pairs
from ..end_to_end.conftest import until
from .disks import Disk, require_mounting
from .rig import Life, Nursery, Rig

pytestmark = pytest.mark.slow

ROWS = 1_000
WATCHED = 0.6
"""Seconds for which a daemon that waits is looked at: long enough for one that does not wait to try dozens of times."""
NO_SPACE = "No space left on device"
NO_ROOM = "No room is left on the disk of"
FULL = "database or disk is full"


@dataclass
class House:
    """A rig with a disk for each of its folders, and its daemon."""

    rig: Rig
    life: Life
    disks: dict[str, Disk]
    well: bool = True
    known: int = field(default=0)

    @classmethod
    def build(cls, folder: Path, nursery: Nursery) -> House:
        """All of it anew; the daemon has worked once, so that only a disk can be in its way."""
        places = {name: folder / name for name in ("outbox", "archive", "rejected", "state")}
        rig = Rig(folder, nursery, **places)
        rig.terms |= {"part_rows": 500, "rescan": "1s"}
        names = [*places, "state/jobs", "state/batches"]
        disks = {name: Disk(folder / name) for name in names}
        rig.serve("--latency", "50ms")
        life = rig.live("--log-level", "debug")
        house = cls(rig, life, disks)
        rig.drop_rows("warm", 3)
        rig.drain(life)
        return house

    def trouble(self, name: str, rows: int = ROWS) -> None:
        """A file that will meet what is wrong with a disk now."""
        self.well, self.known = False, self.rig.log.stat().st_size
        self.rig.drop_rows(name, rows)

    def waits_and_says_so(self, *, shown: str, logged: str) -> None:
        """`batchd status` and the log say what is the matter, and the daemon does not spin over it."""
        rig, life = self.rig, self.life
        pattern = re.compile(rf"(warning|error) .*{re.escape(logged)}")
        until(lambda: life.ended or pattern.search(rig.said(self.known).decode()), f"the log says {logged}")
        assert not life.ended, f"the daemon ended by itself with {life.status}"
        since, cpu, began = rig.log.stat().st_size, life.cpu_seconds(), time.monotonic()
        until(lambda: shown in rig.batchd("status").stdout, f"batchd status says {shown}")
        time.sleep(max(0.0, WATCHED - (time.monotonic() - began)))
        seconds = time.monotonic() - began
        tries = Counter(re.findall(r"debug +(.+?\)) failed", rig.said(since).decode()))
        assert all(number <= seconds + 2 for number in tries.values()), f"in {seconds:.1f} s: {tries}"
        assert life.cpu_seconds() - cpu < 0.3 * seconds + 0.05, "it spins"
        told = re.sub(r".* debug .*\n(    .*\n)*", "", rig.said(self.known).decode())
        assert "Traceback" not in told, told

    def goes_on(self) -> None:
        """Without any help, and nothing was lost, halved or asked twice."""
        rig = self.rig
        rig.drain(self.life)
        until(lambda: rig.query("SELECT * FROM conditions") == [], "there is nothing to complain about any more")
        until(lambda: not rig.query("SELECT 1 FROM jobs WHERE finished_at IS NULL"), "every job is finished")
        counts = rig.checked()
        assert not counts.wrong, str(counts)
        assert rig.ledger()["create_calls"] == len(rig.dropped), "one batch a file, each created once"
        self.well = True

    def close(self) -> None:
        """End it all."""
        self.rig.close()
        for disk in reversed(self.disks.values()):
            disk.close()


class Houses:
    """The house that the tests share; after one that failed, another."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._folder = Path(tempfile.mkdtemp(prefix="batchd-disks-"))
        self._built: list[House] = []

    def one(self) -> House:
        """A house in which all is well."""
        if not self._built or not self._built[-1].well:
            folder = self._folder / str(len(self._built))
            folder.mkdir()
            self._built.append(House.build(folder, self._nursery))
        return self._built[-1]

    def close(self) -> None:
        """Tear them down."""
        for house in self._built:
            house.close()
        if all(house.well for house in self._built):
            shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="module")
def houses(nursery: Nursery) -> Iterator[Houses]:
    require_mounting()
    ours = Houses(nursery)
    yield ours
    ours.close()


@pytest.fixture
def house(houses: Houses) -> House:
    return houses.one()


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize(("where", "leave"), pairs(["outbox", "archive", "state/jobs", "state"], [0, 60_000]))
def test_full(house: House, where: str, leave: int) -> None:
    disk, database = house.disks[where], where == "state"
    if database:
        house.rig.shorten_log()
    disk.fill(leave=leave if where != "archive" else min(leave, 20_000))
    house.trouble(f"full-{where.replace('/', '-')}-{leave}")
    shown = f"{NO_ROOM} {disk.point}" if database else f"{NO_SPACE} ({disk.point}/"
    house.waits_and_says_so(shown=shown, logged=FULL if database else NO_SPACE)
    assert [wrong for wrong in house.rig.looked_over() if "draft" not in wrong] == [], "half a file is to be seen"
    disk.grow()
    house.goes_on()


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("where", ["state/batches", "state"])
def test_full_while_the_batch_is_at_the_provider(house: House, where: str) -> None:
    disk, database, rig = house.disks[where], where == "state", house.rig
    rig.fault("retrieve:slow:delay=3000ms")  # long enough to fill a disk on a busy machine
    house.trouble(f"out-{where.replace('/', '-')}")
    until(lambda: rig.query("SELECT 1 FROM batches WHERE state = 'submitted'"), "the batch is at the provider")
    if database:
        rig.shorten_log()
    disk.fill()
    shown = f"{NO_ROOM} {disk.point}" if database else f"{NO_SPACE} ({disk.point}/"
    house.waits_and_says_so(shown=shown, logged=FULL if database else NO_SPACE)
    disk.grow()
    house.goes_on()


@pytest.mark.parametrize("where", ["outbox", "archive"])
def test_read_only(house: House, where: str) -> None:
    disk = house.disks[where]
    disk.freeze()
    house.trouble(f"frozen-{where}")
    house.waits_and_says_so(shown=f"Read-only file system ({disk.point}/", logged="mount it for writing")
    disk.thaw()
    house.goes_on()


@pytest.mark.parametrize(("where", "removed"), pairs(["outbox", "archive"], [False, True]))
def test_gone(house: House, where: str, removed: bool) -> None:
    disk = house.disks[where]
    with disk.unmounted(removed=removed):
        house.trouble(f"gone-{where}-{removed}")
        shown = f"({disk.point})" if removed else f"is not mounted any more ({disk.point})"
        house.waits_and_says_so(shown=shown, logged="mounted")
        assert removed or not list(disk.point.iterdir()), "what is written below a mount point is found by nobody"
    house.goes_on()


def test_a_full_rejected_folder(house: House) -> None:
    disk, rig = house.disks["rejected"], house.rig
    disk.fill()
    house.trouble("good", 3)
    (rig.folders["inbox"] / "reviews" / "bad.csv").write_text("id,review\n")
    house.waits_and_says_so(shown=f"{NO_SPACE} ({disk.point}/", logged=NO_SPACE)
    disk.grow()
    rejected = disk.point / "reviews"
    # The file can be seen before its draft is gone.
    until(lambda: rig.query("SELECT 1 FROM jobs WHERE state = 'rejected'"), "the file lies in the rejected folder")
    assert sorted(path.name for path in rejected.iterdir()) == ["bad.csv", "bad.csv.why.txt"]
    assert "no rows" in (rejected / "bad.csv.why.txt").read_text()
    shutil.rmtree(rejected)
    house.goes_on()

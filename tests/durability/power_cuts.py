"""Cuts the power of a daemon again and again, and counts what is left.

    python -m tests.durability.power_cuts --cuts 150

Everything of the daemon lies on an image with a file system of its own, which writes nothing by itself for minutes. A
cut is a kill -9 and, at once, a copy of the image: it holds what had reached the disk, and nothing of what the kernel
only had in memory. The next daemon starts on the copy. The server is the provider: it stands outside and loses nothing.

A rig that finds nothing may be a rig that is blind. So it must find what is wrong with two builds that are sabotaged.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from batchd.values import replace

from ..end_to_end.conftest import until
from .disks import command
from .rig import Counts, Life, Nursery, Rig

SABOTAGES = {path.name: path for path in sorted(Path(__file__).with_name("sabotage").iterdir()) if path.is_dir()}
DRAINED_EVERY = 10
"""After so many cuts everything is let run out and counted; in between one cut hits what another has left."""
MAX_ROWS = 12
LIVE_ROWS = 300
LIVE_AT_ONCE = 4
LIVE_A_SECOND = 40
"""Answers: four calls at once, of a tenth of a second each."""
LOST_SECONDS = 1.5
"""Of answers that a power cut may take away: a second from one sync of the journal to the next, and the sync."""


class NoLoopMounts(Exception):
    """The machine does not let us mount an image; the message says why."""


class Image:
    """A file system in a file, mounted at `point`."""

    def __init__(self, folder: Path, megabytes: int = 64) -> None:
        self.point = folder / "disk"
        self.point.mkdir()
        self._folder = folder
        self._number = 0
        with self._file.open("wb") as file:
            file.truncate(megabytes << 20)
        # What is initialised later, beside the work, is written later, too.
        made = command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self._file))
        if made.returncode:
            raise NoLoopMounts(f"mkfs.ext4: {made.stderr.strip()}")
        self._mount()

    @property
    def _file(self) -> Path:
        return self._folder / f"{self._number}.img"

    def cut(self) -> None:
        """From here on there is only what had reached the disk."""
        before = self._file
        self._number += 1
        copied = command("cp", "--sparse=always", str(before), str(self._file))
        assert not copied.returncode, copied.stderr
        self.close()
        before.unlink()
        self._mount()

    def close(self) -> None:
        """Unmount it."""
        # The workers were killed as well, but nobody has waited for them.
        until(lambda: not command("umount", str(self.point)).returncode, f"{self.point} can be unmounted")

    def _mount(self) -> None:
        # With the usual commit interval the journal would be written every five seconds.
        mounted = command("mount", "-o", "loop,commit=300", str(self._file), str(self.point))
        if mounted.returncode:
            raise NoLoopMounts(f"mount -o loop: {mounted.stderr.strip()}")


@dataclass
class PowerCuts:
    """One run: a rig on an image. The same seed makes the same instants; what they hit is the machine's."""

    folder: Path
    nursery: Nursery
    seed: int
    patience: float
    """Seconds in which everything must have come out once the cuts are over."""
    say: Callable[[str], object] = lambda _: None
    live: bool = False
    """A service without batches, asked by live calls."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._image = Image(self.folder)
        place = self.folder / "place"
        place.mkdir()
        folders = {name: self._image.point / name for name in ("inbox", "outbox", "archive", "rejected", "state")}
        self.rig = Rig(place, self.nursery, **folders)
        if self.live:
            self.rig.terms |= {"mode": "live", "at_once": LIVE_AT_ONCE, "part_rows": LIVE_ROWS}
            self.rig.serve("--no-batches", "--live-latency", f"{1000 * LIVE_AT_ONCE // LIVE_A_SECOND}ms")
        else:
            # Files of more rows than a batch holds are sent while they are planned.
            self.rig.terms["max_requests"] = 8
            self.rig.serve("--latency", "100ms")
        self.cuts = 0
        self.wrong: list[str] = []

    def run(self, cuts: int) -> Counts:
        """So many cuts, or until something is wrong; what was counted at the end."""
        self._prepare()
        counts = Counts()
        while self.cuts < cuts and not self.wrong:
            self._one()
            if self.cuts % DRAINED_EVERY == 0 or self.cuts == cuts:
                counts = self._count()
        return replace(counts, wrong=self.wrong)

    def close(self) -> None:
        """End it all."""
        self.rig.close()
        self._image.close()

    def _prepare(self) -> None:
        """Use the database's journal up once. From then on it is overwritten, and stays as long as it is.

        While it grows, each of its syncs makes the file system write all that it has in memory, and with that what
        somebody forgot to sync.
        """
        life = self.rig.live()
        connection = sqlite3.connect(self.rig.folders["state"] / "batchd.db", isolation_level=None, timeout=30)
        for number in range(1_500):
            connection.execute("UPDATE heartbeat SET at = at + ?", [(-1) ** number])
        connection.close()
        assert (self.rig.folders["state"] / "batchd.db-wal").stat().st_size > 4_000_000
        life.kill()

    def _one(self) -> None:
        life = self.rig.live()
        self._drop()
        came = self._wait(life)
        life.kill()
        if not came:
            # Something that an earlier cut took may hold it up: the count says what is lost.
            self._count()
            return
        self._image.cut()
        self.cuts += 1
        if self.live:
            self.rig.untold += int(LIVE_AT_ONCE + LIVE_A_SECOND * LOST_SECONDS)
        # What is there now must be whole by itself, before anyone mends it, and hold all that we were told of.
        found = (*self.rig.looked_over(), *self._database())
        self.wrong += [f"after cut {self.cuts}: {wrong}" for wrong in found]

    def _drop(self) -> None:
        if self.live:
            self.rig.drop_rows(f"file-{len(self.rig.dropped)}", LIVE_ROWS)
            return
        for _ in range(self._chance.randint(1, 3)):
            self.rig.drop_rows(f"file-{len(self.rig.dropped)}", self._chance.randint(1, MAX_ROWS))

    def _wait(self, life: Life) -> bool:
        """Until a random instant, or until a report is to be seen and the moment after it; False if it never came."""
        if self.live:
            answers = self.rig.ledger()["live"]["answers"]
            until(lambda: self.rig.ledger()["live"]["answers"] > answers, "calls are made")
            time.sleep(self._chance.uniform(1.0, 5.0))
        elif self._chance.random() < 0.5:
            end = time.monotonic() + self._chance.uniform(0.05, 2.0)
            while time.monotonic() < end:
                time.sleep(0.01)
        else:
            last = list(self.rig.dropped)[-1]
            report = self.rig.folders["outbox"] / "reviews" / f"{last}.report.json"
            with contextlib.suppress(AssertionError):
                what = f"the report of {last} is there"
                until(lambda: life.ended or report.exists(), what, seconds=self.patience)
            time.sleep(self._chance.uniform(0.0, 0.1))
            if not life.ended and not report.exists():
                return False
        assert not life.ended, f"the daemon ended by itself with {life.status}:\n{self.rig.tail()}"
        return True

    def _count(self) -> Counts:
        """Let everything run out, and count."""
        life = self.rig.live()
        try:
            # What is lost will never come: a daemon that has nothing left to do is not waited for.
            with contextlib.suppress(AssertionError):
                until(lambda: self.rig.drained() or self._idle(), "it has come out", seconds=self.patience)
            counts = self.rig.checked()
        finally:
            life.kill()
        self.say(f"cuts {self.cuts:,}  {counts}")
        self.wrong += counts.wrong
        return counts

    def _idle(self) -> bool:
        """No job is under way and no file waits, though not everything has come out; looked at twice."""
        for _ in range(2):
            if self.rig.query("SELECT 1 FROM jobs WHERE state NOT IN ('done', 'rejected', 'cancelled')"):
                return False
            if any(path.is_file() for path in self.rig.folders["inbox"].rglob("*")):
                return False
            time.sleep(0.5)
        return True

    def _database(self) -> list[str]:
        """What is wrong with a copy of the database, so that looking changes nothing."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for ending in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(self.rig.folders["state"] / f"batchd.db{ending}", folder)
            connection = sqlite3.connect(Path(folder) / "batchd.db")
            try:
                found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
                done = {row[0] for row in connection.execute("SELECT source FROM jobs WHERE state = 'done'")}
            except sqlite3.DatabaseError as error:
                found, done = [str(error)], set()
            finally:
                connection.close()
        wrong = [] if found == ["ok"] else [f"the database: {fault}" for fault in found]
        # What the log tells was committed before.
        told = re.findall(r"Finished reviews/(.+)\.csv", self.rig.said().decode())
        wrong += [f"the database has forgotten that {name} was finished" for name in told if _path(name) not in done]
        return wrong + [f"{name} was finished, and is gone" for name in told if not self.rig.reported(name)]


def _path(name: str) -> str:
    return f"reviews/{name}.csv"


def power_cuts(
    folder: Path,
    cuts: int,
    seed: int,
    *,
    nursery: Nursery | None = None,
    sabotage: str | None = None,
    say: Callable[[str], object] = lambda _: None,
    live: bool = False,
) -> tuple[int, Counts]:
    """A whole run: how many cuts it took, and what was counted. NoLoopMounts where it cannot be done."""
    with contextlib.ExitStack() as stack:
        if nursery is None:
            nursery = Nursery(sabotage=SABOTAGES[sabotage] if sabotage else None)
            stack.callback(nursery.close)
        # A sabotaged build may wait without end for what is lost.
        run = PowerCuts(folder, nursery, seed, 15.0 if sabotage else 120.0, say, live)
        stack.callback(run.close)
        counts = run.run(cuts)
    return run.cuts, counts


def main() -> None:
    """The sound build, then the sabotaged ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=150)
    parser.add_argument("--seed", type=int, default=None, help="the same instants again")
    parser.add_argument("--only", choices=("sound", *SABOTAGES), help="only this build")
    parser.add_argument("--live", action="store_true", help="a service without batches; the sound build alone")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("This mounts images, so it needs root.")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}", flush=True)
    broken = False
    for build in [options.only] if options.only else ["sound"] if options.live else ["sound", *SABOTAGES]:
        sabotage = None if build == "sound" else build
        folder = Path(tempfile.mkdtemp(prefix="batchd-power-"))
        began = time.monotonic()
        try:
            cuts, counts = power_cuts(
                folder, options.cuts, seed, sabotage=sabotage, say=lambda line: print(f"  {line}"), live=options.live
            )
        except NoLoopMounts as reason:
            raise SystemExit(f"This machine mounts no images: {reason}") from None
        print(f"{build}: cuts {cuts:,}  {counts}  ({time.monotonic() - began:.0f} s)", flush=True)
        if bool(counts.wrong) == (sabotage is None):
            broken = True
            print(f"  That is not as it should be. Everything lies in {folder}.")
        else:
            shutil.rmtree(folder)
    if broken:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""The whole daemon killed, or told of an error, at the n-th of each system call that matters, for many n.

    python -m tests.durability.syscall_faults

Three places are struck: a daemon at work, its worker at work, and a daemon from its first own call on, on an empty
state folder with a file waiting, with all the processes that it starts. After each strike a clean daemon starts on the
same folders, and everything is counted: rows in the outbox, what was executed on the server's side, half files.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..end_to_end.conftest import until
from .rig import Life, Nursery, Rig
from .strace import Strace, workers_of

TARGETS = ("daemon", "worker", "start")
KINDS = ("SIGKILL", "EIO", "ENOSPC")
ROWS = 5
BY_ITSELF = 12.0
"""Seconds for a daemon to get over an error by itself. Where it does not, a clean start must do."""


@dataclass(frozen=True)
class Point:
    """Where to strike: the how manieth of which call, in what."""

    target: str
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.target}-{self.call}-{self.number}"


@dataclass
class Tally:
    """What was seen."""

    points: int = 0
    met: int = 0
    """Points that a run came to: threads take turns, so the last few numbers of a call are not always reached."""
    restarted: list[str] = field(default_factory=list)
    """Errors that the daemon did not get over without another start."""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"points {self.points:,}  met {self.met:,}  needed a clean start {len(self.restarted):,}  "
            f"wrong {len(self.wrong):,}"
        )

    def add(self, other: Tally) -> None:
        """Both together."""
        self.points += other.points
        self.met += other.met
        self.restarted += other.restarted
        self.wrong += other.wrong


class Striker:
    """Folders, a server, and one daemon after the other on them, each struck at a point."""

    def __init__(self, folder: Path, nursery: Nursery, *, live: bool = False) -> None:
        self.rig = Rig(folder, nursery)
        # A file of more rows than a batch holds is sent while it is planned.
        self.rig.terms |= {"part_rows": 3, "max_requests": 3}
        if live:
            self.rig.terms["mode"] = "live"
            self.rig.serve("--no-batches", "--live-latency", "20ms")
        else:
            self.rig.serve("--latency", "50ms")
        self._life: Life | None = None
        self._checked_log = 0

    def close(self) -> None:
        """End it all."""
        self.rig.close()

    # --- where ------------------------------------------------------------------------------------------------

    def points(self, target: str) -> list[Point]:
        """Every point of an undisturbed run."""
        processes = self._ready(target)
        strace = Strace(processes)
        try:
            self._go(target, "undisturbed-" + target)
            until(self._over, "the undisturbed run is over")
            calls = strace.calls()
        finally:
            strace.close()
        return [Point(target, call, number) for call in sorted(calls) for number in range(1, calls[call] + 1)]

    def strike(self, point: Point, kind: str, tally: Tally) -> None:
        """One run with one fault, a clean start, and the count."""
        tally.points += 1
        processes = self._ready(point.target)
        how = f"signal={kind}" if kind.startswith("SIG") else f"error={kind}"
        strace = Strace(processes, strike=f"{point.call}:{how}:when={point.number}")
        name = f"{point}-{kind}-{tally.points}"
        try:
            if kind == "SIGKILL":
                self._killed(point, strace, name)
            else:
                self._failed(point, kind, name, tally)
            tally.met += strace.struck()
        finally:
            strace.close()
        tally.wrong += [f"{point} {kind}: {wrong}" for wrong in self._faults()]

    def _killed(self, point: Point, strace: Strace, name: str) -> None:
        life = self._go(point.target, name)
        until(lambda: strace.struck() or self._over(), f"{name} is killed or over")
        # One process was killed; all of the others, at once.
        life.kill()
        self._clean_start()

    def _failed(self, point: Point, kind: str, name: str, tally: Tally) -> None:
        life = self._go(point.target, name)
        try:
            until(lambda: life.ended or self._over(), "it gets over it", seconds=BY_ITSELF)
        except AssertionError:
            pass
        if life.ended or not self._over():
            tally.restarted.append(f"{point} {kind}{f' (ended by itself with {life.status})' if life.ended else ''}")
            life.kill()
            self._clean_start()

    # --- how --------------------------------------------------------------------------------------------------

    def _ready(self, target: str) -> Sequence[int]:
        """The processes to strike, in a state in which all that went before has come out."""
        if target == "start":
            if self._life is not None:
                self._life.kill()
            # As if it had just been installed: a database is made, with all that goes with it.
            shutil.rmtree(self.rig.folders["state"])
            self._life = self.rig.begin("run", "--workers", "1", stopped=True)
            until(lambda: _stopped(self._life), "the daemon waits for its start")
            return [self._life.pid]
        if self._life is None or self._life.ended:
            self._clean_start()
        assert self._life is not None
        if not workers_of(self._life.pid):
            # None was needed so far, or it was the one that was killed.
            self.rig.drop_rows(f"warm-{len(self.rig.dropped)}", 1)
            self.rig.drain(self._life)
            until(self._over, "all is over")
        return [self._life.pid] if target == "daemon" else workers_of(self._life.pid)

    def _go(self, target: str, name: str) -> Life:
        """Something to do."""
        assert self._life is not None
        self.rig.drop_rows(name, ROWS)
        if target == "start":
            os.kill(self._life.pid, signal.SIGCONT)
        return self._life

    def _clean_start(self) -> None:
        self._life = self.rig.live()
        self.rig.drain(self._life)
        until(self._over, "all is over")

    def _over(self) -> bool:
        """Everything has come out, and the daemon knows it."""
        if not self.rig.drained():
            return False
        return not self.rig.query("SELECT 1 FROM jobs WHERE state NOT IN ('done', 'rejected', 'cancelled')")

    def _faults(self) -> list[str]:
        counts = self.rig.checked()
        log = self.rig.said(self._checked_log).decode(errors="replace")
        self._checked_log += len(log.encode())
        return [*counts.wrong, *(f"a traceback in the log:\n{text}" for text in _tracebacks(log))]


def _tracebacks(log: str) -> list[str]:
    """Those with a line of ours. Python prints some of its own where workers are started and cannot be."""
    texts = [text.partition("\n20")[0][:2000] for text in log.split("Traceback (most recent call last):\n")[1:]]
    return [text for text in texts if re.search(r'File ".*/batchd(_\w+)?/', text) and "/forkserver.py" not in text]


def _stopped(life: Life | None) -> bool:
    assert life is not None
    return Path(f"/proc/{life.pid}/stat").read_text().rpartition(") ")[2].startswith("T")


def spread(points: Sequence[Point], most: int, chance: random.Random) -> list[Point]:
    """Up to so many of each call, spread evenly from the first to the last."""
    calls: dict[str, list[Point]] = {}
    for point in points:
        calls.setdefault(point.call, []).append(point)
    chosen: list[Point] = []
    for each in calls.values():
        step = max(1.0, len(each) / most)
        start = chance.random() * step if step > 1 else 0.0
        chosen += [each[int(start + number * step)] for number in range(min(most, len(each)))]
    return chosen


def some(points: Sequence[Point], number: int, chance: random.Random) -> list[Point]:
    """So many, each call as likely as the others, however often it is made."""
    calls = sorted({point.call for point in points})
    chosen = chance.sample(calls, min(number, len(calls)))
    return [chance.choice([point for point in points if point.call == call]) for call in chosen]


def strike_all(
    striker: Striker, points: Sequence[Point], kind: str, *, say: Callable[[str], object] = lambda _: None
) -> Tally:
    """Strike at each point; a run that does not come to its end is one more thing that is wrong."""
    tally = Tally()
    for point in points:
        before = len(tally.wrong)
        try:
            striker.strike(point, kind, tally)
        except AssertionError as error:
            tally.wrong.append(f"{point} {kind}: {error}")
        for wrong in tally.wrong[before:]:
            say(wrong)
        if tally.wrong:
            break  # what was left behind would be found again and again
    return tally


def main() -> None:
    """All targets, all kinds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=12, help="points of each call, spread over all of its occurrences")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this; may be repeated")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this; may be repeated")
    parser.add_argument("--live", action="store_true", help="a service without batches, asked by live calls")
    parser.add_argument("--seed", type=int, default=None, help="the same points again")
    parser.add_argument("--at-a-time", type=int, default=2)
    options = parser.parse_args()
    if shutil.which("strace") is None:
        raise SystemExit("This needs strace.")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="batchd-faults-"))
    nursery = Nursery()

    def chain(kind: str, target: str) -> Tally:
        place = folder / f"{kind}-{target}"
        place.mkdir()
        began = time.monotonic()
        striker = Striker(place, nursery, live=options.live)
        try:
            points = spread(striker.points(target), options.most, random.Random(seed))
            tally = strike_all(striker, points, kind, say=lambda wrong: print(wrong, flush=True))
        finally:
            striker.close()
        print(f"{kind} in {target}: {tally}  ({time.monotonic() - began:.0f} s)", flush=True)
        return tally

    total = Tally()
    with ThreadPoolExecutor(options.at_a_time) as pool:
        chains = [(kind, target) for kind in options.kind or KINDS for target in options.target or TARGETS]
        for tally in pool.map(lambda each: chain(*each), chains):
            total.add(tally)
    nursery.close()
    print(f"in all: {total}")
    for each in total.restarted:
        print(f"  needed a clean start: {each}")
    if total.wrong:
        raise SystemExit(f"A promise was broken. Everything lies in {folder}.")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""A slow writer is waited for: no file is taken with fewer rows than are written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchd.intake.lease import held_open_for_writing

from .conftest import LONG, Shared, gone, rows_of, size, until

pytestmark = pytest.mark.slow

WRITER = Path(__file__).with_name("slow_writer.py")
SETTLE = 2.0 if LONG else 1.0
"""Seconds. `settle` is 2 s by default."""
ROWS = 40


def write(manner: str, target: Path, *, chunks: int, pause: float) -> subprocess.Popen[str]:
    """A writer that has begun."""
    command = [sys.executable, str(WRITER), manner, str(target), str(ROWS), str(chunks), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def longest_pause(writer: subprocess.Popen[str]) -> float:
    """Once it is through: how long it left the file alone in the middle."""
    out, _ = writer.communicate(timeout=300)
    assert writer.returncode == 0
    return float(out)


def needs_leases(folder: Path) -> None:
    probe = folder / "probe"
    with probe.open("w"):
        if held_open_for_writing(probe) is not True:
            pytest.skip("this file system has no leases, so nobody can tell that a file is open")


def whole(shared: Shared, name: str) -> bool:
    """Whether the file came back with all of its rows and in one piece."""
    reports = shared.reports()
    assert f"{name} (2)" not in reports, f"{name} was taken twice"
    return bool(reports[name]["rows"] == {"total": ROWS, "ok": ROWS, "failed": 0, "skipped": 0, "reused": 0})


@pytest.mark.slow(seconds=10)
def test_writers_that_pause_for_longer_than_settle_are_waited_for(shared: Shared) -> None:
    """In the long form with `settle` as it is by default. What holds the file, or has another name, may pause longer."""
    shared.configure(settle=f'"{SETTLE}s"')
    needs_leases(shared.folder)
    manners = ["held", "appended", "filepart", "rsync", "inplace"]
    each, chunks = size(2, 40), size(4, 10)
    pauses = {"held": 1.5 * SETTLE, "inplace": 1.5 * SETTLE, "appended": 0.55 * SETTLE}
    folder = shared.inbox / "reviews"
    shared.start()
    writers = {}
    for number in range(each):
        for manner in manners:
            name = f"{manner}{number:02d}"
            if manner == "inplace":
                # Over a longer file that was there a moment before, of which no row may be left.
                stale = "".join(f"{line} stale stale stale\n" for line in rows_of("old", ROWS))
                (folder / f"{name}.csv").write_text(stale)
            pause = pauses.get(manner, 0.3 * SETTLE)
            writers[name] = write(manner, folder / f"{name}.csv", chunks=chunks, pause=pause)
        time.sleep(0.05)
    paused = {name: longest_pause(writer) for name, writer in writers.items()}
    # An appended file is protected by `settle` alone; where the machine held up its writer for longer, that is no promise.
    kept = [name for name in writers if not name.startswith("appended") or paused[name] < 0.9 * SETTLE]
    assert paused["held00"] > SETTLE
    shared.quiet()
    assert [name for name in kept if not whole(shared, name)] == []
    assert len(kept) > each * (len(manners) - 1) or not any(name.startswith("appended") for name in kept)


@pytest.mark.slow(seconds=5)
def test_a_writer_that_is_stopped_in_the_middle_is_waited_for(shared: Shared) -> None:
    shared.configure(settle='"500ms"')
    needs_leases(shared.folder)
    target = shared.inbox / "reviews" / "stalled.csv"
    shared.start()
    writer = write("held", target, chunks=6, pause=0.3)
    until(lambda: target.exists() and target.stat().st_size > 0, "it has begun to write")
    writer.send_signal(signal.SIGSTOP)
    try:
        # A file that comes after it is through long before: the daemon looks, and leaves this one alone.
        shared.drop("reviews/after.csv", "\n".join(rows_of("after", ROWS)) + "\n")
        until(lambda: "after" in shared.reports(), "a later file is through")
        time.sleep(size(2, 10) * 0.5 * 3)  # the stall is what is tested: three times settle and more
        assert target.exists()
    finally:
        writer.send_signal(signal.SIGCONT)
    longest_pause(writer)
    shared.quiet()
    assert whole(shared, "stalled")


WAYS = {"plain": [], "inplace": ["--inplace"], "delayed": ["--delay-updates"], "partial": ["--partial-dir=.part"]}


@pytest.mark.slow(seconds=5)
def test_rsync_in_all_its_ways(shared: Shared) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    shared.configure(settle='"1s"')
    needs_leases(shared.folder)
    numbers = range(size(2, 40))
    running = []
    for way in WAYS:
        source = shared.folder / "aside" / way
        (source / "deep").mkdir(parents=True)
        for number in numbers:
            long = "".join(f"{line} {'and so on ' * 40}\n" for line in rows_of(f"{way}{number}", ROWS)[1:])
            (source / f"{way}{number}.csv").write_text(f"id,review\n{long}")
            os.utime(source / f"{way}{number}.csv", (1_000_000_000, 1_000_000_000))  # -t brings the old time along
        (source / "deep" / f"{way}.csv").write_text("\n".join(rows_of(way, ROWS)) + "\n")
    shared.start()
    for way, options in WAYS.items():
        # Some 16 kB a file: more than a second for each.
        command = [
            "rsync",
            "-rt",
            "--bwlimit=12",
            *options,
            f"{shared.folder}/aside/{way}/",
            f"{shared.inbox}/reviews/",
        ]
        running.append(subprocess.Popen(command))
    assert [process.wait(600) for process in running] == [0] * len(WAYS)
    shared.quiet()
    names = [f"{way}{number}" for way in WAYS for number in numbers] + [f"deep/{way}" for way in WAYS]
    assert [name for name in names if not whole(shared, name)] == []


def test_a_file_that_is_whole_but_open_is_left_until_it_is_closed(shared: Shared) -> None:
    target = shared.inbox / "reviews" / "open.csv"
    needs_leases(shared.folder)
    shared.start()
    with target.open("w") as file:
        file.write("\n".join(rows_of("open", ROWS)) + "\n")
        file.flush()
        shared.drop("reviews/after.csv", "\n".join(rows_of("after", ROWS)) + "\n")
        until(lambda: "after" in shared.reports(), "a later file is through")
        assert not gone(target)
    until(lambda: "open" in shared.reports(), "it is taken once it is closed")
    assert whole(shared, "open")

"""What a daemon costs that has nothing to do, and how soon it begins when there is something."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchd.intake.lease import held_open_for_writing

from .conftest import LONG, Shared, gone, now, rows_of, size, until

pytestmark = pytest.mark.speed

TICKS = os.sysconf("SC_CLK_TCK")


def family(root: int) -> list[int]:
    """A process and its descendants."""
    found, parents = [root], {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def processor(root: int) -> float:
    """Seconds of a processor that the process and its descendants have used."""
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in family(root)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def resident(process: int) -> float:
    """Megabytes of the process itself."""
    [line] = [each for each in Path(f"/proc/{process}/status").read_text().splitlines() if each.startswith("VmRSS")]
    return int(line.split()[1]) / 1_000


def cost(process: int, seconds: float) -> float:
    """The share of one processor that it takes, measured over so many seconds."""
    before, begun = processor(process), time.monotonic()
    time.sleep(seconds)
    return (processor(process) - before) / (time.monotonic() - begun)


HOLDER = """
import sys, time
files = [open(f"{sys.argv[1]}/held{number:05d}.csv", "w") for number in range(int(sys.argv[2]))]
for file in files:
    file.write("id,review\\n1,not yet\\n")
    file.flush()
print("all are open", flush=True)
time.sleep(3600)
"""


@pytest.mark.slow(seconds=10)
def test_files_that_sit_in_the_inbox_cost_next_to_nothing(shared: Shared) -> None:
    """Half of them under names of files on their way, half held open by a program that does not close them."""
    number = size(400, 10_000)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < number + 200:
        pytest.skip(f"a process may not have {number:,} files open here")
    reviews = shared.inbox / "reviews"
    for each in range(number // 2):
        (reviews / f"sits{each:05d}.csv.part").write_text("id,review\n1,not yet\n")
    if held_open_for_writing(reviews / "sits00000.csv.part") is None:
        pytest.skip("this file system has no leases")
    raise_limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # noqa: E731
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(reviews), str(number // 2)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=raise_limit,
    )
    shared.processes.append(holder)
    assert holder.stdout is not None
    holder.stdout.readline()
    shared.configure(settle='"2s"', rescan='"5s"')
    daemon = shared.start(measured=True)
    until(lambda: len(family(daemon.pid)) > 1, "it has begun to look at files")
    time.sleep(size(2, 60))  # the first looks cost what they cost; it is the rest that is measured
    share, megabytes = cost(daemon.pid, size(3, 60)), resident(daemon.pid)
    print(f"\n{number:,} files sit there: {share:.2%} of a processor, {megabytes:.0f} MB")
    assert len(list(reviews.iterdir())) == number, "one of them was taken"
    assert megabytes < 120
    assert share < 0.02 if LONG else 0.5
    # And a file that is to be taken is taken.
    shared.drop("reviews/good.csv", "\n".join(rows_of("good", 2)) + "\n")
    until(lambda: "good" in shared.reports(), "a good one is through")
    holder.kill()
    until(lambda: not list(reviews.glob("held*")), "those that are held are taken once they are let go", seconds=600)
    shared.stop(daemon)


@pytest.mark.slow(seconds=5)
def test_a_file_that_is_renamed_in_is_taken_as_soon_as_it_has_settled(shared: Shared) -> None:
    """Long before the rescan would see it, since the watcher says that it is there."""
    settle, rescan = 0.5, 20.0
    shared.configure(settle=f'"{settle}s"', rescan=f'"{rescan}s"')
    daemon = shared.start(measured=True)
    took = []
    for each in range(size(5, 60)):
        path = shared.inbox / "reviews" / f"file{each}.csv"
        begun = now()
        shared.drop(f"reviews/{path.name}", "\n".join(rows_of(path.stem, 1)) + "\n")
        while not gone(path):
            time.sleep(0.01)
            assert now() - begun < 300
        took.append(now() - begun)
        time.sleep(0.05 * (each % 7))  # at other moments of whatever turns round in there
    took.sort()
    p95 = took[int(len(took) * 0.95)]
    print(f"\nsettle {settle} s: taken after {statistics.median(took):.3f} s in the median, {p95:.3f} s at p95")
    assert took[0] >= settle
    if LONG:
        assert p95 < settle + 0.5
    else:
        assert statistics.median(took) < rescan / 2
    shared.stop(daemon)

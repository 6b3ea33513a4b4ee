"""What a hostile service sends takes a bounded amount of memory, in the daemon and in its workers, and is told in words."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import randrange

import pytest

from batchd.store.reading.snapshot import snapshot

from ..durability.rig import served_place
from ..end_to_end.conftest import Place, reviews, until

pytestmark = [pytest.mark.slow, pytest.mark.field("hostile services")]

MIB = 1 << 10
MAIN, WORKER = 64 * MIB, 100 * MIB
"""KiB above those of honest files."""
HOSTILE = [
    ("upload:crowd", "more than 8 MB"),
    ("retrieve:bomb", "more than 8 MB"),
    ("retrieve:digits", "not JSON"),
    ("retrieve:nested", "more than .* values"),
    ("retrieve:long-error", "status 500"),
    ("retrieve:long-header", "broke|cannot be called|could not"),
    ("content:endless", "more than the answers to these"),
    ("content:bomb", "more than the answers to these"),
    ("content:nested", "more than the answers to these"),
]
EVERY_CASE = os.environ.get("BATCHD_EVERY_CASE") == "1"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place with a sandbox running."""
    with served_place(tmp_path) as place:
        yield place


def family(process: int) -> list[int]:
    """The processes that it has started, and theirs."""
    children: list[int] = []
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            children += map(int, listed.read_text().split())
    return children + [each for child in children for each in family(child)]


def peak(process: int) -> int:
    """The most KiB that it had; 0 if it has ended."""
    try:
        return int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())[0])
    except (FileNotFoundError, IndexError, ProcessLookupError):
        return 0


def told(place: Place, words: str) -> bool:
    """Whether `batchd status` says it."""
    with snapshot(place.folder / "state") as state:
        return any(re.search(words, condition.text) for condition in state.conditions())


@pytest.mark.slow(seconds=20)
def test_hostile_bodies_take_no_memory_and_are_told_in_words(place: Place) -> None:
    daemon = place.run()
    place.drop("reviews/honest.csv", reviews(40))
    place.results("reviews/honest")
    main, worker = peak(daemon.pid), max(map(peak, family(daemon.pid)))
    faults = []
    # A third of them, other ones in each run, unless all are asked for.
    hostile = HOSTILE if EVERY_CASE else HOSTILE[randrange(3) :: 3]
    for number, (fault, words) in enumerate(hostile):
        place.fault(f"{fault}:count=always")
        place.drop(f"reviews/may{number}.csv", reviews(40, fault))
        try:
            until(partial(told, place, words), f"{fault} is told in words")
        except AssertionError:
            faults.append(f"{fault}: it is not said.")
        place.control("DELETE", "faults")
        # What waits is tried at once.
        os.kill(daemon.pid, signal.SIGHUP)
        if {row["status"] for row in place.results(f"reviews/may{number}")} != {"ok"}:
            faults.append(f"{fault}: rows without an answer")
        for what, now, most in (
            ("the daemon", peak(daemon.pid), main + MAIN),
            ("a worker", max(map(peak, family(daemon.pid))), worker + WORKER),
        ):
            if now > most:
                faults.append(f"{fault}: {what} took {(now - most) // MIB} MiB too many")
    ledger = place.ledger()
    if ledger["executed_twice"] or ledger["requests_executed"] != 40 * (1 + len(hostile)):
        faults.append("rows were executed twice")
    assert not faults, "\n".join(faults)

"""A file is settled when it has not changed while we watched; never by its age, never by an event."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.intake.settling import Settling, Stamp

from .conftest import unhurried

A = Stamp(1, 10, 100, 100)


def grown(stamp: Stamp) -> Stamp:
    return stamp._replace(size=stamp.size + 1, mtime_ns=stamp.mtime_ns + 1, ctime_ns=stamp.ctime_ns + 1)


def test_settles_after_its_time_and_not_before():
    settling = Settling(settle=2.0)
    assert settling.look({"may.csv": A}, 0.0) == []
    assert settling.look({"may.csv": A}, 1.99) == []
    assert settling.look({"may.csv": A}, 2.0) == ["may.csv"]


def test_is_named_until_it_is_gone():
    settling = Settling(settle=2.0)
    settling.look({"may.csv": A}, 0.0)
    assert settling.look({"may.csv": A}, 3.0) == settling.look({"may.csv": A}, 4.0) == ["may.csv"]
    assert settling.look({}, 5.0) == []


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(A._replace(size=11), id="grown"),
        pytest.param(A._replace(mtime_ns=101), id="rewritten"),
        pytest.param(A._replace(ctime_ns=101), id="rewritten in the same size, its time put back"),
        pytest.param(A._replace(inode=2), id="replaced"),
    ],
)
def test_any_change_starts_it_again(changed):
    settling = Settling(settle=2.0)
    settling.look({"may.csv": A}, 0.0)
    assert settling.look({"may.csv": changed}, 1.9) == []
    assert settling.look({"may.csv": changed}, 3.8) == []
    assert settling.look({"may.csv": changed}, 3.9) == ["may.csv"]


def test_due_in_says_when_to_look_next():
    settling = Settling(settle=2.0)
    assert settling.due_in(0.0) is None
    settling.look({"may.csv": A}, 10.0)
    settling.look({"may.csv": A, "june.csv": A}, 11.0)
    assert settling.due_in(11.0) == 1.0
    assert settling.due_in(11.5) == 0.5
    assert settling.due_in(99.0) == 0.0
    # One that is settled already is no reason to look again at once: that would be a tight loop.
    settling.look({"may.csv": A, "june.csv": A}, 12.0)
    assert settling.due_in(12.0) == 1.0
    settling.look({"may.csv": A, "june.csv": A}, 13.0)
    assert settling.due_in(13.0) is None


# --- Busy files ------------------------------------------------------------------------------------------------


def test_a_busy_file_waits_and_is_asked_about_again():
    settling = Settling(settle=2.0)
    settling.look({"may.csv": A}, 0.0)
    assert settling.look({"may.csv": A}, 2.0) == ["may.csv"]
    assert settling.busy("may.csv", 2.0)
    assert settling.look({"may.csv": A}, 3.0) == []
    assert settling.due_in(3.0) == 1.0
    assert settling.look({"may.csv": A}, 4.0) == ["may.csv"]


def test_the_longer_a_busy_file_stands_still_the_less_often_it_is_asked_about():
    settling, steady, asked = Settling(settle=2.0), 0.0, []
    while steady < 400.0:
        if settling.look({"may.csv": A}, steady):
            assert settling.busy("may.csv", steady)
            asked.append(steady)
        steady += 0.5
    assert asked[:4] == [2.0, 4.0, 6.0, 8.0]
    assert len(asked) < 40
    assert all(2.0 <= later - sooner <= 30.0 for sooner, later in pairwise(asked))
    # One that is written to again is asked about as soon as any other.
    settling.look({"may.csv": grown(A)}, 400.0)
    assert settling.due_in(400.0) == 2.0


def test_a_handle_that_is_never_closed_does_not_hold_the_file_for_ever():
    settling, steady, waited = Settling(settle=2.0), 0.0, 0
    while True:
        if settling.look({"may.csv": A}, steady) and not settling.busy("may.csv", steady):
            break
        steady += 1.0
        waited += 1
        assert waited < 1000
    assert 600.0 <= steady <= 634.0


def test_after_the_longest_wait_a_busy_file_must_be_still_for_a_minute():
    settling, steady, stamp = Settling(settle=2.0), 0.0, A
    taken_at = None
    while taken_at is None:
        steady += 1.0
        if steady < 900.0 and steady % 30.0 == 0.0:
            stamp = grown(stamp)  # something comes every half minute, for a quarter of an hour
        if settling.look({"may.csv": stamp}, steady) and not settling.busy("may.csv", steady):
            taken_at = steady
    assert 870.0 + 60.0 <= taken_at <= 870.0 + 60.0 + 20.0


def test_another_file_of_that_name_is_not_busy_yet():
    settling = Settling(settle=2.0, busy_max=10.0)
    settling.look({"may.csv": A}, 0.0)
    settling.look({"may.csv": A}, 2.0)
    settling.busy("may.csv", 2.0)
    other = A._replace(inode=2)
    settling.look({"may.csv": other}, 100.0)
    assert settling.look({"may.csv": other}, 200.0) == ["may.csv"]
    assert settling.busy("may.csv", 200.0)


def test_a_file_that_is_not_known_is_not_busy():
    assert not Settling(settle=2.0).busy("may.csv", 0.0)


# --- Against a model that remembers everything -----------------------------------------------------------------

stamps = st.builds(Stamp, st.integers(1, 2), st.integers(0, 2), st.integers(0, 1), st.integers(0, 1))
looks = st.lists(st.tuples(st.integers(0, 3), st.dictionaries(st.sampled_from("abc"), stamps, max_size=3)), max_size=30)


@unhurried
@given(looks, st.integers(0, 5))
def test_agrees_with_the_model(looks, settle):
    settling = Settling(settle=float(settle))
    history: list[tuple[int, dict[str, Stamp]]] = []
    steady = 0
    for pause, seen in looks:
        steady += pause
        history.append((steady, seen))
        waits = {}
        for path, stamp in seen.items():
            since = steady
            for at, before in reversed(history):
                if before.get(path) != stamp:
                    break
                since = at
            waits[path] = since + settle - steady
        assert settling.look(seen, float(steady)) == [path for path in seen if waits[path] <= 0]
        ahead = [wait for wait in waits.values() if wait > 0]
        assert settling.due_in(float(steady)) == (min(ahead) if ahead else None)
        assert len(settling) == len(seen)


# --- Slow writers (T5) -----------------------------------------------------------------------------------------


@dataclass
class SlowWriter:
    """Writes ten pieces with pauses of 0.2 to 0.9 times the settling time, perhaps keeping the source's mtime."""

    inode: int
    times: list[float]
    keeps_mtime: bool

    def stamp(self, steady: float) -> Stamp | None:
        written = sum(at <= steady for at in self.times)
        if not written:
            return None
        return Stamp(self.inode, written * 100, 1 if self.keeps_mtime else written, written)


@pytest.mark.parametrize("seed", range(10))
def test_no_slow_writer_is_cut_short(seed):
    chance = random.Random(seed)
    settle = 2.0
    writers = {}
    for number in range(200):
        at, times = chance.uniform(0, 60), []
        for _ in range(10):
            times.append(at)
            at += settle * chance.uniform(0.2, 0.9)
        writers[f"{number}.csv"] = SlowWriter(number, times, keeps_mtime=chance.random() < 0.5)
    settling, steady = Settling(settle=settle), 0.0
    taken: dict[str, float] = {}
    while len(taken) < len(writers):
        seen = {
            path: stamp
            for path, writer in writers.items()
            if path not in taken and (stamp := writer.stamp(steady)) is not None
        }
        for path in settling.look(seen, steady):
            assert seen[path].size == 1000, "a part of the file was taken for the whole"
            taken[path] = steady
        # A rescan every 5 s, woken sooner by events and by what is due.
        due = settling.due_in(steady)
        steady += min(chance.uniform(0.0, 5.0), 5.0 if due is None else due)
    for path, at in taken.items():
        # Seen within a rescan of the last write, taken at the latest `settle` and a rescan later.
        assert settle <= at - writers[path].times[-1] <= settle + 5.0 + 5.0

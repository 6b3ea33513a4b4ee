"""Names that occur twice are found exactly, in memory that does not grow with them."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.store import duplicate_finder as duplicates
from batchd.store.duplicate_finder import Duplicate, DuplicateFinder

from ..memory import peak_of

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def expected(names: Sequence[tuple[str, int]], kind: int) -> list[Duplicate]:
    """The same by a dictionary."""
    firsts: dict[str, int] = {}
    found = []
    for number, (name, of) in enumerate(names, start=1):
        if of != kind:
            continue
        if name in firsts:
            found.append(Duplicate(number, number * 10, name, firsts[name], firsts[name] * 10))
        firsts.setdefault(name, number)
    return found


@PATIENT
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "B", "b ", "", "é", "e\u0301", "\x00", "a\x00"]), st.integers(-1, 1)))
)
def test_they_are_those_that_a_dictionary_finds(names: list[tuple[str, int]]) -> None:
    with DuplicateFinder() as table:
        for number, (name, kind) in enumerate(names, start=1):
            table.add(number, name, kind, number * 10)
        table.find(0)
        assert list(table.duplicates(0)) == expected(names, 0)
        assert list(table.duplicates(0)) == expected(names, 0)
        assert list(table.others(0)) == [
            (number, number * 10) for number, (_, kind) in enumerate(names, start=1) if kind != 0
        ]


def test_more_than_are_handed_over_at_once() -> None:
    count = 3 * duplicates.AT_ONCE + 7
    with DuplicateFinder() as table:
        for number in range(count):
            table.add(number, f"name {number % (count - 5)}", 0, number)
        table.find()
        assert [(duplicate.number, duplicate.first) for duplicate in table.duplicates()] == [
            (count - 5 + number, number) for number in range(5)
        ]


def test_a_name_can_be_looked_up() -> None:
    with DuplicateFinder() as table:
        for number, name in enumerate(["a", "b", "a"]):
            table.add(number, name, kind=number)
        table.find()
        table.prepare_search()
        assert (table.has("a"), table.has("b"), table.has("c")) == (True, True, False)


def test_the_file_is_gone_afterwards_and_one_of_a_run_that_was_killed_is_not_minded(tmp_path: Path) -> None:
    place = tmp_path / "names"
    place.write_bytes(b"what a killed run has left")
    with DuplicateFinder(place) as table:
        table.add(0, "a")
        table.add(1, "a")
        table.find()
        assert len(list(table.duplicates())) == 1
        assert place.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with DuplicateFinder(tmp_path / "names") as table:
        table.database.execute("pragma max_page_count = 10")
        with pytest.raises(OSError, match="(?i)space") as raised:
            for number in range(100_000):
                table.add(number, f"a name that takes some room {number}")
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(tmp_path / "names")


def test_a_folder_that_is_not_there_is_too(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="names"):
        DuplicateFinder(tmp_path / "gone" / "names")


LOOKING = """
import sys
from batchd.store.duplicate_finder import DuplicateFinder
count = int(sys.argv[1])
with DuplicateFinder() as table:
    for number in range(count):
        table.add(number, f"request-{number % (count // 2)}")
    table.find()
    assert sum(1 for _ in table.duplicates()) == count // 2
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_names() -> None:
    # Below the first, the caches are still filling. Half of the names are duplicates.
    (small, _), (large, _) = peak_of(LOOKING, "100000"), peak_of(LOOKING, "300000")
    assert large < small + 2_000, f"{small} kB for 100,000 names, {large} kB for 300,000"

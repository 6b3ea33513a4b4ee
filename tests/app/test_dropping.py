"""A file that a command hands in comes into the inbox whole, under a name that is free there, and replaces none."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from types import FrameType

import pytest

from batchd.app.dropping import DRAFT, LEFT_AFTER, drop
from batchd.domain.never_taken import is_never_taken

PATIENCE = 30.0
CJK = "評" * 83 + ".csv"
"""As long as a name can be: 253 bytes in 87 characters."""


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox" / "reviews"


def handed_in(folder: Path, content: str) -> Path:
    """A file to be dropped."""
    path = folder / f"{content}.csv"
    path.write_text(content)
    return path


def dropped(inbox: Path) -> dict[str, str]:
    """What is in the inbox, by name."""
    return {each.name: each.read_text() for each in inbox.iterdir()}


@pytest.mark.parametrize("name", [CJK, "x" * 251 + ".csv", "may.csv", "x" * 255], ids=["cjk", "long", "short", "bare"])
def test_a_name_of_any_length_is_taken_again_and_again(tmp_path: Path, inbox: Path, name: str) -> None:
    for content in ("one", "two", "three"):
        drop(handed_in(tmp_path, content), inbox / name)
    found = dropped(inbox)
    assert found[name] == "one"
    assert sorted(found.values()) == ["one", "three", "two"]
    stem, suffix = os.path.splitext(name)
    again = [each for each in found if each != name]
    assert all(each.startswith(stem[:40]) and each.endswith(f"){suffix}") for each in again)
    assert {each.removesuffix(suffix)[-4:] for each in again} == {" (2)", " (3)"}


def test_a_second_name_keeps_bytes_that_are_no_text(tmp_path: Path, inbox: Path) -> None:
    for content in ("one", "two"):
        drop(handed_in(tmp_path, content), inbox / "may\udcff.csv")
    assert dropped(inbox) == {"may\udcff.csv": "one", "may\udcff (2).csv": "two"}


@contextmanager
def another_comes_first(place: Path, content: str) -> Iterator[None]:
    """Put a file there just before ours gets its name, after any look whether that name is free."""

    def called(_frame: FrameType, event: str, what: object) -> None:
        if event == "c_call" and what in (os.link, os.rename) and not place.exists():
            place.write_text(content)

    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(None)


def test_a_file_that_comes_at_the_last_moment_is_not_replaced(tmp_path: Path, inbox: Path) -> None:
    ours = handed_in(tmp_path, "ours")
    with another_comes_first(inbox / "may.csv", "theirs"):
        drop(ours, inbox / "may.csv")
    assert dropped(inbox) == {"may.csv": "theirs", "may (2).csv": "ours"}


def test_files_of_one_name_that_come_at_once_are_all_there(tmp_path: Path, inbox: Path) -> None:
    number, rounds = 4, 50
    together = Barrier(number)
    files = [handed_in(tmp_path, content) for content in "abcd"]

    def come(file: Path) -> None:
        together.wait(PATIENCE)
        for each in range(rounds):
            drop(file, inbox / f"{each}.csv")

    with ThreadPoolExecutor(number) as threads:
        assert list(threads.map(come, files)) == [None] * number
    found = dropped(inbox)
    assert len(found) == number * rounds
    assert Counter(found.values()) == dict.fromkeys("abcd", rounds)


def test_a_file_that_cannot_be_copied_leaves_nothing_behind(tmp_path: Path, inbox: Path) -> None:
    with pytest.raises(FileNotFoundError):
        drop(tmp_path / "none.csv", inbox / "may.csv")
    assert dropped(inbox) == {}


def test_what_a_killed_command_has_left_is_removed_and_what_another_writes_stays(tmp_path: Path, inbox: Path) -> None:
    inbox.mkdir(parents=True)
    for age, name in ((LEFT_AFTER + 60, f"{DRAFT}1.part"), (60, f"{DRAFT}2.part"), (LEFT_AFTER + 60, "old.part")):
        (inbox / name).write_text(name)
        then = (inbox / name).stat().st_mtime - age
        os.utime(inbox / name, (then, then))
    drop(handed_in(tmp_path, "one"), inbox / "may.csv")
    assert set(dropped(inbox)) == {"may.csv", f"{DRAFT}2.part", "old.part"}
    assert is_never_taken(f"{DRAFT}2.part")

"""The notes about files in work: only ours are replaced and removed, and none comes after the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchd.delivery.waiting_notes import WaitingNotes


@pytest.fixture
def notes(tmp_path: Path) -> WaitingNotes:
    return WaitingNotes(tmp_path, mounted=frozenset())


def test_a_note_is_written_renewed_and_removed(notes: WaitingNotes, tmp_path: Path) -> None:
    path = tmp_path / "reviews" / "may.waiting.txt"
    notes.write("job1", "reviews/may", "One.\n")
    assert path.read_text() == "One.\n[batchd job1]\n"
    path.write_text(f"{path.read_text()}\n\n")  # an editor saved it
    notes.write("job1", "reviews/may", "Two.\n")
    assert path.read_text() == "Two.\n[batchd job1]\n"
    notes.take_away("job1", "reviews/may")
    assert [each.name for each in path.parent.iterdir()] == []


@pytest.mark.parametrize("left", [b"", b"\0" * 80], ids=["empty", "zeros"])
def test_what_a_power_cut_leaves_of_a_note_is_replaced_and_removed(
    notes: WaitingNotes, tmp_path: Path, left: bytes
) -> None:
    path = tmp_path / "may.waiting.txt"
    path.write_bytes(left)
    notes.write("job1", "may", "One.\n")
    assert path.read_text() == "One.\n[batchd job1]\n"
    path.write_bytes(left)
    notes.take_away("job1", "may")
    assert not path.exists()


def test_no_note_comes_after_the_end(notes: WaitingNotes, tmp_path: Path) -> None:
    notes.take_away("job1", "may")
    notes.write("job1", "may", "Late.\n")
    assert list(tmp_path.iterdir()) == []
    notes.forget_ended({"job2"})
    notes.write("job1", "may", "The job is asked again.\n")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", ["text", "another job's", "large", "link", "folder"])
def test_what_is_not_ours_stays(notes: WaitingNotes, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "may.waiting.txt"
    match kind:
        case "text":
            path.write_text("Mine.\n")
        case "another job's":
            path.write_text("[batchd job2]\n")
        case "large":
            path.write_text("x" * 20_000 + "[batchd job1]\n")
        case "link":
            (tmp_path / "target").write_text("[batchd job1]\n")
            os.symlink("target", path)
        case _:
            path.mkdir()
    before = path.lstat()
    with pytest.raises(FileExistsError):
        notes.write("job1", "may", "Ours.\n")
    notes.take_away("job1", "may")
    assert path.lstat() == before


def test_a_missing_outbox_is_not_made(tmp_path: Path) -> None:
    notes = WaitingNotes(tmp_path / "gone", mounted=frozenset())
    with pytest.raises(FileNotFoundError, match="share"):
        notes.write("job1", "may", "Ours.\n")
    notes.take_away("job1", "may")
    assert list(tmp_path.iterdir()) == []

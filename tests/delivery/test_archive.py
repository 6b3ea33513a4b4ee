"""Out of the spool: into the archive, or among the rejected with the reason beside it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from batchd.delivery.archive import holds, move, names_before, reserve, retire_rejected, write_why

CONTENT = b"review\n" + b"good\n" * 300_000


@pytest.fixture(params=["one file system", "two file systems"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    base = tmp_path if request.param == "one file system" else request.getfixturevalue("elsewhere")
    return base / "archive"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "job" / "source"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    path.chmod(0o644)
    os.utime(path, ns=(1, 1_700_000_000_000_000_000))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_moves_and_makes_the_folders(source, archive):
    assert move(source, archive / "reviews" / "may.csv")
    assert contents(archive) == {"reviews/may.csv": CONTENT}
    assert not source.exists()
    status = (archive / "reviews" / "may.csv").stat()
    assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o644, 1_700_000_000_000_000_000)


def test_again_after_success_is_success(source, archive):
    move(source, archive / "may.csv")
    assert move(source, archive / "may.csv")
    assert contents(archive) == {"may.csv": CONTENT}


def test_again_after_somebody_took_it_away(source, archive):
    move(source, archive / "may.csv")
    (archive / "may.csv").unlink()
    assert not move(source, archive / "may.csv")


def test_never_over_another_file(source, archive):
    archive.mkdir()
    (archive / "may.csv").write_bytes(b"other\n")
    with pytest.raises(FileExistsError):
        move(source, archive / "may.csv")
    assert contents(archive) == {"may.csv": b"other\n"}
    assert source.read_bytes() == CONTENT


def test_never_through_a_link(source, archive):
    archive.mkdir()
    (archive / "duplicate_of").write_bytes(CONTENT)
    (archive / "may.csv").symlink_to("duplicate_of")
    with pytest.raises(FileExistsError):
        move(source, archive / "may.csv")
    assert source.exists()


def test_the_same_bytes_there_are_as_good(source, archive):
    """Killed after the copy, before the source was unlinked."""
    archive.mkdir()
    (archive / "may.csv").write_bytes(CONTENT)
    assert move(source, archive / "may.csv")
    assert not source.exists()


def test_an_old_draft_is_no_obstacle(source, archive):
    archive.mkdir()
    (archive / ".may.csv.draft").write_bytes(b"half")
    move(source, archive / "may.csv")
    assert contents(archive) == {"may.csv": CONTENT}


def test_no_file_is_lost_when_the_copy_fails(source, elsewhere, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fadvise", fail)
    with pytest.raises(OSError, match="No space"):
        move(source, elsewhere / "archive" / "may.csv")
    assert source.exists()
    assert contents(elsewhere) == {}


def test_a_rejected_file_is_put_away_once_though_killed_before_it_was_removed(tmp_path, archive):
    rejected = tmp_path / "rejected"
    write_why(rejected / "may.csv", "empty\n")
    (rejected / "may.csv").write_bytes(CONTENT)
    retire_rejected(rejected, archive, "may.csv", "k3j9x2ab")
    (rejected / "may.csv").write_bytes(CONTENT)
    retire_rejected(rejected, archive, "may.csv", "k3j9x2ab")
    assert contents(archive) == {"may (rejected k3j9x2ab).csv": CONTENT}
    assert contents(rejected) == {}


def test_no_other_file_counts_as_an_original(source, tmp_path):
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert holds(source, len(CONTENT), sha256)
    other = tmp_path / "other"
    other.write_bytes(CONTENT.upper())
    (tmp_path / "link").symlink_to(source)
    too_long = tmp_path / ("x" * 300)  # to look for a file there is an error, even for root
    for path in (other, tmp_path / "link", tmp_path, tmp_path / "none", too_long):
        assert not holds(path, len(CONTENT), sha256)


# --- Names -----------------------------------------------------------------------------------------------------


def test_reserve_takes_a_folder_that_another_file_makes_meanwhile(tmp_path):
    class MadeMeanwhile(type(tmp_path)):
        """A folder that was not there a moment ago."""

        def is_dir(self):
            found = super().is_dir()
            if self.name == "reviews":
                self.mkdir(exist_ok=True)
            return found

    assert reserve(MadeMeanwhile(tmp_path), "reviews/may.csv") == "reviews/may.csv"


def test_reserve_finds_a_free_name(tmp_path):
    assert reserve(tmp_path, "reviews/may.csv") == "reviews/may.csv"
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "may.csv").touch()
    assert reserve(tmp_path, "reviews/may.csv") == "reviews/may (2).csv"
    (tmp_path / "reviews" / "may (2).csv").symlink_to("nowhere")
    assert reserve(tmp_path, "reviews/may.csv") == "reviews/may (3).csv"


def test_reserve_asks_what_others_have_reserved(tmp_path):
    taken = {"may.csv", "may (2).csv"}
    assert reserve(tmp_path, "may.csv", taken.__contains__) == "may (3).csv"


def test_reserve_leaves_an_old_note_its_file(tmp_path):
    (tmp_path / "may.csv.why.txt").touch()
    assert reserve(tmp_path, "may.csv") == "may (2).csv"


def test_reserve_goes_round_a_file_in_the_way_of_a_folder(tmp_path, source):
    (tmp_path / "reviews").write_text("a file without a suffix, archived before\n")
    name = reserve(tmp_path, "reviews/2026/may.csv")
    assert name == "reviews (2)/2026/may.csv"
    assert move(source, tmp_path / name)
    assert reserve(tmp_path, "reviews/2026/june.csv") == "reviews (2)/2026/june.csv"


@pytest.mark.parametrize("relative", ["reviews/may.csv", "reviews/may (2).csv", "2026.05", "x" * 255, "a\nb.csv"])
def test_the_names_before_one_are_those_that_were_taken(tmp_path, relative):
    names = []
    for _ in range(3):
        names.append(reserve(tmp_path, relative))
        path = tmp_path / names[-1]
        path.parent.mkdir(exist_ok=True)
        path.touch()
        assert names_before(names[-1], relative) == names[:-1]


def test_reserve_makes_names_safe(tmp_path):
    for hostile in ("../../etc/passwd", "/etc/passwd", os.fsdecode(b"\xff.csv"), "a\nb.csv", "x" * 255):
        name = reserve(tmp_path, hostile)
        name.encode("utf-8")
        assert (tmp_path / name).resolve().is_relative_to(tmp_path.resolve())


# --- Reasons ---------------------------------------------------------------------------------------------------


def test_write_why(tmp_path):
    target = tmp_path / "reviews" / "may.csv"
    assert write_why(target, "Die Datei ist leer.\n") == tmp_path / "reviews" / "may.csv.why.txt"
    write_why(target, "Die Datei ist leer.\n")
    assert contents(tmp_path) == {"reviews/may.csv.why.txt": b"Die Datei ist leer.\n"}


def test_write_why_keeps_another_reason(tmp_path):
    write_why(tmp_path / "may.csv", "empty\n")
    with pytest.raises(FileExistsError):
        write_why(tmp_path / "may.csv", "broken\n")
    assert contents(tmp_path) == {"may.csv.why.txt": b"empty\n"}


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "x" * 251 + ".csv", "x" + "é" * 127])
def test_write_why_fits_beside_the_longest_name(tmp_path, name):
    path = write_why(tmp_path / name, "why\n")
    assert path.read_text() == "why\n"
    assert path.name.endswith(".why.txt")


def test_write_why_of_text_that_is_not_valid(tmp_path):
    write_why(tmp_path / "may.csv", "the name is caf\udce9\n")
    assert (tmp_path / "may.csv.why.txt").read_bytes() == b"the name is caf\\udce9\n"

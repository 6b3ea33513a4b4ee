"""Taking a file out of the inbox, within one file system and across two."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from batchd.errors import FileRefused
from batchd.intake import claiming, plain_files
from batchd.intake.claiming import Changed, Claimed, Gone, claim
from batchd.intake.plain_files import open_source, stamp_of
from batchd.intake.settling import Stamp

from ..open_files import open_below
from .conftest import NOBODY, Place, as_nobody, make_place

CONTENT = b"review\n" + b"good\n" * 300_000


def take(place: Place, relative: str, stamp: Stamp) -> Claimed | Gone | Changed:
    return claim(place.inbox, relative, stamp, place.target, place.job)


def assert_taken(place: Place, outcome: object, content: bytes) -> None:
    assert isinstance(outcome, Claimed)
    assert outcome.stamp == stamp_of(place.target)
    assert place.target.read_bytes() == content
    assert place.left_in_job() == ["source"]


NAMES = ["may.csv", "reviews/2026/may.csv", "two\nlines.csv", os.fsdecode(b"caf\xe9.csv"), f"{'x' * 251}.csv"]


@pytest.mark.parametrize("relative", NAMES)
@pytest.mark.parametrize("content", [b"", CONTENT], ids=["empty", "large"])
def test_takes_the_file(place, relative, content):
    stamp = place.drop(relative, content)
    assert_taken(place, take(place, relative, stamp), content)
    assert place.left_in_inbox() == []


def test_a_stored_stamp_is_a_plain_tuple(place):
    stamp = tuple(place.drop(content=b"a\n"))
    assert_taken(place, claim(place.inbox, "may.csv", stamp, place.target, place.job), b"a\n")


def test_again_after_success_is_success(place):
    stamp = place.drop(content=CONTENT)
    first = take(place, "may.csv", stamp)
    place.drop(content=b"another\n")
    assert take(place, "may.csv", stamp) == first
    assert_taken(place, first, CONTENT)
    assert place.left_in_inbox() == ["may.csv"], "the next file of that name is another job's"


def test_time_and_mode_stay(place):
    place.drop(content=b"a\n")
    path = place.inbox / "may.csv"
    path.chmod(0o644)
    os.utime(path, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    take(place, "may.csv", stamp_of(path))
    status = place.target.stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (1_700_000_000_123_456_789, 0o644)


def test_gone(place):
    stamp = place.drop()
    (place.inbox / "may.csv").unlink()
    assert take(place, "may.csv", stamp) == Gone()
    assert place.left_in_job() == []


def test_gone_with_its_folder(place):
    stamp = place.drop("reviews/may.csv")
    (place.inbox / "reviews" / "may.csv").rename(place.inbox / "may.csv")
    (place.inbox / "reviews").rmdir()
    assert take(place, "reviews/may.csv", stamp) == Gone()
    assert place.left_in_inbox() == ["may.csv"], "another file of that name is left alone"


def test_a_missing_inbox_is_a_passing_fault(place):
    stamp = place.drop()
    place.inbox.rename(place.inbox.with_name("unmounted"))
    with pytest.raises(FileNotFoundError):
        take(place, "may.csv", stamp)


def test_a_missing_job_folder_is_an_error_and_harms_nothing(place):
    stamp = place.drop()
    place.job_folder.rmdir()
    with pytest.raises(FileNotFoundError):
        take(place, "may.csv", stamp)
    assert place.left_in_inbox() == ["may.csv"]


def replace_with_link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def replace_with_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_with_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def rewrite(path: Path) -> None:
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more\n")


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)


def link(path: Path) -> None:
    os.link(path, path.with_name("other"))


CHANGES = [replace_with_link, replace_with_pipe, replace_with_folder, rewrite, append, replace, link]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_before_the_claim(place, change):
    stamp = place.drop()
    path = place.inbox / "may.csv"
    change(path)
    before = path.lstat()
    assert take(place, "may.csv", stamp) == Changed()
    assert path.lstat() == before, "it was not touched"
    assert place.left_in_job() == []


def takes_it(place: Place, source: object, target: object) -> bool:
    """Whether this rename is the one that takes the file away from everybody else."""
    within = place.inbox.stat().st_dev == place.job_folder.stat().st_dev
    return source == "may.csv" and (within or os.fspath(target).endswith(".claim"))


# All but the rewrite that puts the time back: only the ctime tells of it, and a rename moves that too.
@pytest.mark.parametrize("change", [change for change in CHANGES if change is not rewrite])
def test_changed_in_the_very_moment(place, change, monkeypatch):
    """After the last look, before the rename: what we got hold of goes back, whatever it is."""
    stamp = place.drop()
    path = place.inbox / "may.csv"
    real, todo = os.rename, [change]
    left: list[str] = []

    def change_and_rename(source, target, *, src_dir_fd=None, dst_dir_fd=None):
        if takes_it(place, source, target):
            for change in todo:
                change(path)
            todo.clear()
            left[:] = left or place.left_in_inbox()
        return real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(claiming.os, "rename", change_and_rename)
    assert take(place, "may.csv", stamp) == Changed()
    assert not todo
    assert place.left_in_inbox() == left
    assert place.left_in_job() == []


@pytest.mark.parametrize("again", ["the name is free", "the name is taken"])
def test_what_goes_back_never_covers_another_file(place, again, monkeypatch):
    stamp = place.drop(content=b"old\n")
    path = place.inbox / "may.csv"
    real = os.rename

    def rename(source, target, *, src_dir_fd=None, dst_dir_fd=None):
        first = takes_it(place, source, target)
        if first:
            append(path)
        real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if first and again == "the name is taken":
            path.write_bytes(b"new\n")

    monkeypatch.setattr(claiming.os, "rename", rename)
    assert take(place, "may.csv", stamp) == Changed()
    if again == "the name is free":
        assert {name: (place.inbox / name).read_bytes() for name in place.left_in_inbox()} == {
            "may.csv": b"old\nmore\n"
        }
    else:
        assert {name: (place.inbox / name).read_bytes() for name in place.left_in_inbox()} == {
            "may (2).csv": b"old\nmore\n",
            "may.csv": b"new\n",
        }


def test_changed_while_it_is_copied(tmp_path, elsewhere, monkeypatch):
    place = make_place(tmp_path, elsewhere)
    stamp = place.drop(content=CONTENT)
    real = os.posix_fadvise

    def written_to(descriptor, offset, length, advice):
        append(place.inbox / "may.csv")
        real(descriptor, offset, length, advice)

    monkeypatch.setattr(plain_files.os, "posix_fadvise", written_to)
    assert take(place, "may.csv", stamp) == Changed()
    assert (place.inbox / "may.csv").read_bytes() == CONTENT + b"more\n"
    assert place.left_in_job() == []


def test_a_bad_copy_is_noticed(tmp_path, elsewhere, monkeypatch):
    place = make_place(tmp_path, elsewhere)
    stamp = place.drop(content=CONTENT)
    real = os.posix_fadvise

    def corrupt(descriptor, offset, length, advice):
        os.pwrite(descriptor, b"?", 5)
        real(descriptor, offset, length, advice)

    monkeypatch.setattr(plain_files.os, "posix_fadvise", corrupt)
    with pytest.raises(OSError, match="differs") as caught:
        take(place, "may.csv", stamp)
    assert caught.value.errno == errno.EIO
    assert place.left_in_inbox() == ["may.csv"]
    assert place.left_in_job() == []


def test_a_rename_that_succeeded_and_reports_the_opposite(tmp_path, elsewhere, monkeypatch):
    """NFS repeats a call whose answer was lost, and then finds that the file is not there."""
    place = make_place(tmp_path, elsewhere)
    stamp = place.drop(content=CONTENT)
    real = os.rename

    def rename(source, target, *, src_dir_fd=None, dst_dir_fd=None):
        real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if os.fspath(target).endswith(".claim"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(claiming.os, "rename", rename)
    assert_taken(place, take(place, "may.csv", stamp), CONTENT)
    assert place.left_in_inbox() == []


def test_a_lock_that_fails_leaves_no_copy_to_be_mistaken_later(tmp_path, elsewhere, monkeypatch):
    place = make_place(tmp_path, elsewhere)
    stamp = place.drop(content=CONTENT)
    real = os.rename

    def rename(source, target, *, src_dir_fd=None, dst_dir_fd=None):
        if os.fspath(target).endswith(".claim"):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(claiming.os, "rename", rename)
        with pytest.raises(PermissionError):
            take(place, "may.csv", stamp)
    assert place.left_in_job() == []
    append(place.inbox / "may.csv")
    assert take(place, "may.csv", stamp) == Changed()


def test_a_copy_is_kept_when_the_share_is_gone_after_a_crash(tmp_path, elsewhere):
    """Removed by us, or only not to be seen: better paid for a file that was taken back than lost."""
    place = make_place(tmp_path, elsewhere)
    stamp = place.drop(content=CONTENT)
    (place.job_folder / ".source.copied").write_bytes(CONTENT)
    (place.inbox / "may.csv").rename(elsewhere / "somewhere")
    assert_taken(place, take(place, "may.csv", stamp), CONTENT)


def test_a_link_on_the_way_is_not_followed(place, tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    (private / "salaries.csv").write_text("secret\n")
    (place.inbox / "folder").symlink_to(private)
    assert take(place, "folder/salaries.csv", stamp_of(private / "salaries.csv")) == Gone()
    assert (private / "salaries.csv").exists()


@pytest.mark.parametrize("relative", ["../may.csv", "/etc/passwd", "", "a/", "a//b.csv", "./a.csv", "a/../../b.csv"])
def test_only_paths_within_the_inbox(place, relative):
    with pytest.raises(ValueError, match="within the inbox"):
        take(place, relative, Stamp(1, 1, 1, 1))


def test_an_unreadable_file_is_a_passing_fault_and_stays(open_folder):
    place = make_place(open_folder, open_folder)
    stamp_before = place.drop()
    (place.inbox / "may.csv").chmod(0)
    stamp = stamp_of(place.inbox / "may.csv")
    assert stamp != stamp_before
    for folder in (place.inbox, place.job_folder):
        folder.chmod(0o777)
    with as_nobody(), pytest.raises(PermissionError) as caught:
        take(place, "may.csv", stamp)
    assert caught.value.filename == str(place.inbox / "may.csv")
    assert place.left_in_inbox() == ["may.csv"]


def test_a_folder_that_nothing_can_be_taken_out_of(open_folder, elsewhere):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    elsewhere.chmod(0o755)
    place = make_place(open_folder, elsewhere)
    stamp = place.drop(content=CONTENT)
    place.job_folder.chmod(0o777)
    with as_nobody(), pytest.raises(PermissionError):
        take(place, "may.csv", stamp)
    assert place.left_in_inbox() == ["may.csv"]
    assert place.left_in_job() == [], "nothing was copied in vain"


def test_a_file_of_another_user(open_folder):
    """The folder's rights decide about a rename, not the file's."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make another user's file")
    place = make_place(open_folder, open_folder)
    for folder in (place.inbox, place.job_folder):
        os.chown(folder, NOBODY, NOBODY)
    place.drop()
    (place.inbox / "may.csv").chmod(0o644)
    stamp = stamp_of(place.inbox / "may.csv")
    with as_nobody():
        assert isinstance(take(place, "may.csv", stamp), Claimed)
    assert place.target.stat().st_uid == 0


def test_a_writer_who_goes_on_is_told_by_the_stamp(tmp_path):
    """Within one file system; a copy is ours alone."""
    place = make_place(tmp_path, tmp_path)
    stamp = place.drop(content=b"a\n")
    with (place.inbox / "may.csv").open("ab") as writer:
        outcome = take(place, "may.csv", stamp)
        assert isinstance(outcome, Claimed)
        writer.write(b"more\n")
        writer.flush()
    assert stamp_of(place.target) != outcome.stamp


def test_a_write_between_the_check_and_the_end_is_told_too(tmp_path, monkeypatch):
    place = make_place(tmp_path, tmp_path)
    stamp = place.drop(content=b"a\n")
    real = os.fsync
    with (place.inbox / "may.csv").open("ab") as writer:

        def write(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                writer.write(b"more\n")
                writer.flush()
            real(descriptor)

        monkeypatch.setattr(claiming.os, "fsync", write)
        outcome = take(place, "may.csv", stamp)
    assert isinstance(outcome, Claimed)
    assert stamp_of(place.target) != outcome.stamp


@pytest.mark.slow
def test_one_of_several_wins(tmp_path, elsewhere):
    """Two daemons on one inbox are a mistake; even so, no file may be taken twice."""
    for base in (tmp_path, elsewhere):
        for turn in range(25):
            places = [make_place(tmp_path / f"{base == tmp_path}-{turn}-{number}", base) for number in range(4)]
            for number, place in enumerate(places):
                place.inbox = places[0].inbox
                place.job = f"job{number}"
            stamp = places[0].drop(content=b"a\n")
            outcomes: list[object] = []
            start = threading.Barrier(4)

            def race(place: Place, start=start, stamp=stamp, outcomes=outcomes) -> None:
                start.wait()
                outcomes.append(take(place, "may.csv", stamp))

            threads = [threading.Thread(target=race, args=(place,)) for place in places]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(outcomes) == 4
            assert sum(isinstance(outcome, Claimed) for outcome in outcomes) == 1
            assert sum(place.target.exists() for place in places) == 1
            assert places[0].left_in_inbox() == []


# --- Opening ---------------------------------------------------------------------------------------------------


def test_open_source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"a\n")
    with open_source(path) as file:
        assert file.read() == b"a\n"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "two names", "socket"])
def test_open_source_takes_only_plain_files(tmp_path, kind):
    import socket

    path, other = tmp_path / "source", tmp_path / "other"
    other.touch()
    match kind:
        case "link":
            path.symlink_to(other)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "two names":
            os.link(other, path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
    with pytest.raises(FileRefused) as caught:
        open_source(path)
    assert caught.value.code == "not_a_file"
    assert not open_below(tmp_path)


def test_open_source_of_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "source")


def test_descriptors_are_closed(place):
    take(place, "a/may.csv", place.drop("a/may.csv"))
    take(place, "b/may.csv", Stamp(1, 1, 1, 1))
    assert not open_below(place.inbox) + open_below(place.job_folder)

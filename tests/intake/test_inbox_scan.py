"""One look at the inbox, which anybody may fill with anything (T10, T11)."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time

import pytest

from batchd.intake import scan as inbox_module
from batchd.intake.scan import DEEPEST, Listing, scan

from ..open_files import open_below
from .conftest import Mounts, as_nobody


def paths(listing: Listing) -> list[str]:
    return sorted(entry.path for entry in listing.files)


def odd(listing: Listing) -> dict[str, str]:
    return dict(listing.oddities)


def test_files_and_folders(tmp_path):
    (tmp_path / "reviews" / "2026").mkdir(parents=True)
    (tmp_path / "may.csv").write_text("a\n")
    (tmp_path / "reviews" / "2026" / "june.csv").write_text("a\n")
    (tmp_path / "empty.csv").touch()
    listing = scan(tmp_path)
    assert paths(listing) == ["empty.csv", "may.csv", "reviews/2026/june.csv"]
    assert listing.oddities == []
    entry = next(entry for entry in listing.files if entry.path == "may.csv")
    status = (tmp_path / "may.csv").stat()
    assert entry.stamp == (status.st_ino, 2, status.st_mtime_ns, status.st_ctime_ns)
    assert entry.device == status.st_dev


def test_an_inbox_behind_a_link_is_fine(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "may.csv").touch()
    (tmp_path / "inbox").symlink_to("real")
    assert paths(scan(tmp_path / "inbox")) == ["may.csv"]


def test_a_missing_inbox_is_said(tmp_path):
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "inbox")
    (tmp_path / "inbox").touch()
    with pytest.raises(NotADirectoryError):
        scan(tmp_path / "inbox")


def test_files_on_their_way_are_passed_over_in_silence(tmp_path):
    for name in (".may.csv.Xy12", "may.csv.part", "Thumbs.db", "~$may.xlsx", ".k3j9x2ab.claim"):
        (tmp_path / name).touch()
    for name in ("@eaDir", "__MACOSX", ".~tmp~"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "may.csv").touch()
    (tmp_path / ".link").symlink_to("/etc")
    assert scan(tmp_path) == Listing()


@pytest.mark.field("folders")
def test_what_the_operator_ignores_and_copies_of_conflicts_stay(tmp_path):
    (tmp_path / "old" / "deep").mkdir(parents=True)
    (tmp_path / "backup").mkdir()
    conflict = "may (Anna's conflicted copy).csv"
    for name in ("may.csv", "may.bak.csv", "old/deep/x.csv", "backup/may.csv", conflict):
        (tmp_path / name).touch()
    listing = scan(tmp_path, ["*.bak.csv", "old/**", "backup"])
    assert paths(listing) == ["may.csv"]
    assert list(odd(listing)) == [conflict]
    assert "sync program" in odd(listing)[conflict]


def test_odd_things_are_explained_and_the_rest_goes_on(tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("password\n")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "may.csv").write_text("a\n")
    (inbox / "empty.csv").touch()
    (inbox / "folder.csv").mkdir()
    (inbox / "folder.csv" / "inside.csv").touch()
    (inbox / "link.csv").symlink_to(secret)
    (inbox / "nowhere.csv").symlink_to(tmp_path / "nothing")
    (inbox / "linked folder").symlink_to("/etc")
    (inbox / "loop").symlink_to(".")
    os.mkfifo(inbox / "pipe.csv")
    os.link(secret, inbox / "hard.csv")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(inbox / "socket.csv"))
    with (inbox / "huge.csv").open("wb") as huge:
        huge.truncate(10 << 30)
    started = time.perf_counter()
    listing = scan(inbox)
    assert time.perf_counter() - started < 5, "something was opened that waits"
    assert paths(listing) == ["empty.csv", "folder.csv/inside.csv", "huge.csv", "may.csv"]
    assert set(odd(listing)) == {
        *("link.csv", "nowhere.csv", "linked folder", "loop", "pipe.csv", "hard.csv", "socket.csv")
    }
    for sentence in odd(listing).values():
        assert sentence.startswith("This ")
        assert "Copy the file itself into the inbox" in sentence, "it says what to do"
    assert "2 names" in odd(listing)["hard.csv"]
    assert "link" in odd(listing)["link.csv"]
    assert "pipe" in odd(listing)["pipe.csv"]


def test_a_device_is_explained(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to make a device")
    try:
        os.mknod(tmp_path / "zero.csv", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("devices cannot be made here")
    listing = scan(tmp_path)
    assert listing.files == []
    assert "device" in odd(listing)["zero.csv"]


def test_an_unreadable_folder_is_explained_and_the_rest_goes_on(open_folder):
    (open_folder / "closed").mkdir(mode=0o700)
    (open_folder / "closed" / "may.csv").touch()
    (open_folder / "may.csv").touch()
    if os.geteuid() != 0:
        (open_folder / "closed").chmod(0)
    try:
        with as_nobody():
            listing = scan(open_folder)
    finally:
        (open_folder / "closed").chmod(0o700)
    assert paths(listing) == ["may.csv"]
    assert "Permission denied" in odd(listing)["closed"]
    assert "right to read" in odd(listing)["closed"]


def test_an_unreadable_inbox_is_said(open_folder):
    (open_folder / "inbox").mkdir(mode=0o000)
    with as_nobody(), pytest.raises(PermissionError):
        scan(open_folder / "inbox")


def test_names_of_every_kind(tmp_path):
    weird = [
        "-may.csv",
        "CON.csv",
        "a.csv",
        "A.CSV",
        "caf\u00e9.csv",  # NFC
        "cafe\u0301.csv",  # NFD
        os.fsdecode(b"caf\xe9.csv"),
        "two\nlines.csv",
        "😀.csv",
        "é" * 125 + ".csv",
        "x" * 255,
        "back\\slash.csv",
        " .csv",
    ]
    for name in weird:
        (tmp_path / name).touch()
    (tmp_path / "..csv").touch()  # a hidden file like any other
    assert paths(scan(tmp_path)) == sorted(weird)


def test_folders_end_somewhere(tmp_path):
    deep = tmp_path.joinpath(*["d"] * (DEEPEST + 1))
    deep.mkdir(parents=True)
    (deep.parent / "just.csv").touch()
    (deep / "too deep.csv").touch()
    listing = scan(tmp_path)
    assert paths(listing) == ["/".join(["d"] * DEEPEST) + "/just.csv"]
    assert "further up" in odd(listing)["/".join(["d"] * (DEEPEST + 1))]


def test_what_vanishes_during_the_scan_is_not_there(tmp_path, monkeypatch):
    for number in range(10):
        (tmp_path / f"{number}.csv").touch()
        (tmp_path / f"folder{number}").mkdir()
    real = os.scandir

    def scandir(folder):
        entries = real(folder)
        listed = list(entries)
        entries.close()
        for number in range(5):
            (tmp_path / f"{number}.csv").unlink(missing_ok=True)
            if (tmp_path / f"folder{number}").is_dir():
                (tmp_path / f"folder{number}").rmdir()
        return Entries(listed)

    class Entries(list):
        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

    monkeypatch.setattr(inbox_module.os, "scandir", scandir)
    listing = scan(tmp_path)
    assert paths(listing) == [f"{number}.csv" for number in range(5, 10)]
    assert listing.oddities == []


def test_a_folder_turned_into_a_link_is_not_followed(tmp_path, monkeypatch):
    inbox = tmp_path / "inbox"
    (inbox / "folder").mkdir(parents=True)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "salaries.csv").touch()
    real = os.open

    def swap_and_open(path, flags, mode=0o777, *, dir_fd=None):
        if path == "folder" and not (inbox / "folder").is_symlink():
            (inbox / "folder").rmdir()
            (inbox / "folder").symlink_to(tmp_path / "private")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(inbox_module.os, "open", swap_and_open)
    assert scan(inbox).files == []


def test_one_bad_entry_does_not_stop_the_others(tmp_path, mounts: Mounts):
    """As a network file system has them: present in the list, an error when looked at."""
    (tmp_path / "may.csv").touch()
    (tmp_path / "other").mkdir()
    mounts.mount(tmp_path / "other")
    (tmp_path / "other" / "june.csv").touch()
    listing = scan(tmp_path)
    assert paths(listing) == ["may.csv", "other/june.csv"]
    assert len({entry.device for entry in listing.files}) == 2


def test_scanning_while_others_create_and_delete(tmp_path):
    stop = threading.Event()

    def churn(name: str) -> None:
        while not stop.is_set():
            folder = tmp_path / name
            folder.mkdir()
            (folder / "a.csv").touch()
            (folder / "a.csv").unlink()
            folder.rmdir()

    (tmp_path / "may.csv").touch()
    threads = [threading.Thread(target=churn, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            assert "may.csv" in paths(scan(tmp_path))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
def test_ten_thousand_files_cost_little(tmp_path):
    for number in range(10_000):
        os.close(os.open(tmp_path / f"review-{number:05}.csv", os.O_CREAT | os.O_WRONLY))
    costs = []
    for _ in range(3):
        before = time.process_time()
        listing = scan(tmp_path)
        costs.append(time.process_time() - before)
    assert len(listing.files) == 10_000
    # Measured: 0.05 s. The margin is for busy machines.
    assert min(costs) < 0.2, f"{min(costs):.3f} s of CPU"


def test_descriptors_are_closed(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    scan(tmp_path)
    assert not open_below(tmp_path)

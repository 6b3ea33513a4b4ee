"""Files are whole or not there, nobody's file is overwritten, and what is there survives a power cut."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchd.files import fsync_folder, make_folder, move_without_replacing, publishing, replacing


class Dropped(BaseException):
    """The process is gone in the middle of a block; not an Exception, as a kill is none."""


def publish(target: Path, content: bytes) -> None:
    """Publish these bytes."""
    with publishing(target) as file:
        file.write(content)


def replace(target: Path, content: bytes) -> None:
    """Replace what is there by these bytes."""
    with replacing(target) as file:
        file.write(content)


def everything(folder: Path) -> dict[str, bytes]:
    """Every file in the folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["links", "no links"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, once as most file systems are and once as FAT and some network file systems are."""
    if request.param == "no links":

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    return tmp_path


# --- publishing ------------------------------------------------------------------------------------------------


def test_what_is_published_is_there_and_nothing_else_is(folder: Path) -> None:
    publish(folder / "may.csv", b"a,b\n")
    assert everything(folder) == {"may.csv": b"a,b\n"}


def test_nothing_is_visible_before_the_block_ends(folder: Path) -> None:
    with publishing(folder / "may.csv") as file:
        file.write(b"half")
        file.flush()
        assert not (folder / "may.csv").exists()
        assert all(path.name.startswith(".") for path in folder.iterdir())
    assert everything(folder) == {"may.csv": b"half"}


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, Dropped])
def test_an_exception_leaves_nothing(folder: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), publishing(folder / "may.csv") as file:
        file.write(b"half")
        raise error
    assert everything(folder) == {}


def test_an_existing_file_is_never_overwritten(folder: Path) -> None:
    (folder / "may.csv").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        publish(folder / "may.csv", b"ours")
    assert everything(folder) == {"may.csv": b"theirs"}


def test_the_same_bytes_a_second_time_are_success(folder: Path) -> None:
    publish(folder / "may.csv", b"the same")
    before = (folder / "may.csv").stat().st_ino
    publish(folder / "may.csv", b"the same")
    assert everything(folder) == {"may.csv": b"the same"}
    assert (folder / "may.csv").stat().st_ino == before


def test_bytes_of_the_same_length_are_compared_every_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock of a file system ticks every few milliseconds, so two drafts may have one name, size and time.
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.utime(descriptor, ns=(0, 0)))
    publish(folder / "may.csv", b"aaaa")
    publish(folder / "may.csv", b"aaaa")
    with pytest.raises(FileExistsError):
        publish(folder / "may.csv", b"bbbb")


@pytest.mark.parametrize("kind", ["folder", "link to the same bytes", "dangling link"])
def test_what_is_no_file_of_ours_is_left_alone(folder: Path, kind: str) -> None:
    target, elsewhere = folder / "may.csv", folder / "elsewhere"
    if kind == "folder":
        target.mkdir()
    else:
        if kind == "link to the same bytes":
            elsewhere.write_bytes(b"ours")
        target.symlink_to(elsewhere)
    with pytest.raises(FileExistsError):
        publish(target, b"ours")
    assert target.is_dir() if kind == "folder" else target.is_symlink()
    assert not elsewhere.exists() or elsewhere.read_bytes() == b"ours"


def test_what_a_crash_left_is_taken_away_by_the_next_try(folder: Path) -> None:
    (folder / ".may.csv.draft").write_bytes(b"half of it")
    publish(folder / "may.csv", b"whole")
    assert everything(folder) == {"may.csv": b"whole"}


def test_a_draft_that_cannot_be_removed_at_once_is_removed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink, faults = os.unlink, [OSError(errno.EIO, "Input/output error")]

    def once(*arguments: Any, **more: Any) -> None:
        if faults:
            raise faults.pop()
        unlink(*arguments, **more)

    monkeypatch.setattr(os, "unlink", once)
    with pytest.raises(OSError, match="Input/output error"):
        publish(tmp_path / "may.csv", b"a,b\n")
    assert everything(tmp_path) == {"may.csv": b"a,b\n"}


def test_a_published_file_is_not_for_the_whole_world(folder: Path) -> None:
    publish(folder / "may.csv", b"x")
    assert (folder / "may.csv").stat().st_mode & 0o007 == 0


# --- replacing -------------------------------------------------------------------------------------------------


def test_replacing_puts_the_new_in_place_of_the_old(tmp_path: Path) -> None:
    replace(tmp_path / "state", b"one")
    replace(tmp_path / "state", b"two")
    assert everything(tmp_path) == {"state": b"two"}


@pytest.mark.parametrize("error", [ValueError, OSError, Dropped])
def test_after_an_exception_the_old_still_stands(tmp_path: Path, error: type[BaseException]) -> None:
    replace(tmp_path / "state", b"one")
    with pytest.raises(error), replacing(tmp_path / "state") as file:
        file.write(b"two")
        raise error
    assert everything(tmp_path) == {"state": b"one"}


def test_two_who_replace_at_once_do_not_mix(tmp_path: Path) -> None:
    with replacing(tmp_path / "state") as first, replacing(tmp_path / "state") as second:
        first.write(b"first")
        second.write(b"second")
    assert everything(tmp_path) == {"state": b"first"}


def test_a_reader_of_the_old_goes_on_reading_the_old(tmp_path: Path) -> None:
    replace(tmp_path / "state", b"one")
    with (tmp_path / "state").open("rb") as reader:
        replace(tmp_path / "state", b"two")
        assert reader.read() == b"one"


# --- moving ----------------------------------------------------------------------------------------------------


@pytest.fixture
def source(folder: Path) -> Path:
    """A file to move."""
    (folder / "from").mkdir()
    (folder / "to").mkdir()
    path = folder / "from" / "source"
    path.write_bytes(b"original")
    return path


def test_a_moved_file_is_there_and_gone_here(folder: Path, source: Path) -> None:
    inode = source.stat().st_ino
    move_without_replacing(source, folder / "to" / "may.csv")
    assert everything(folder / "to") == {"may.csv": b"original"}
    assert everything(folder / "from") == {}
    assert (folder / "to" / "may.csv").stat().st_ino == inode


@pytest.mark.parametrize("same", [False, True], ids=["other bytes", "same bytes"])
def test_a_move_never_replaces(folder: Path, source: Path, same: bool) -> None:
    target = folder / "to" / "may.csv"
    target.write_bytes(b"original" if same else b"theirs")
    with pytest.raises(FileExistsError):
        move_without_replacing(source, target)
    assert source.read_bytes() == b"original"
    assert target.read_bytes() == (b"original" if same else b"theirs")


@pytest.mark.parametrize("points_at", ["source", "nothing"])
def test_a_link_at_the_target_is_not_taken_for_the_file(folder: Path, source: Path, points_at: str) -> None:
    target = folder / "to" / "may.csv"
    target.symlink_to(source if points_at == "source" else folder / "nowhere")
    with pytest.raises(FileExistsError):
        move_without_replacing(source, target)
    assert source.read_bytes() == b"original"
    assert target.is_symlink()


def test_a_name_that_is_taken_and_free_a_moment_later_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "may.csv"
    source.write_text("ours")
    target.write_text("of before")
    link = os.link

    def beside_a_daemon(*arguments: Any, **options: Any) -> None:
        try:
            link(*arguments, **options)
        except FileExistsError:
            target.unlink()  # as a daemon does that takes it out of its inbox
            raise

    monkeypatch.setattr(os, "link", beside_a_daemon)
    move_without_replacing(source, target)
    assert (target.read_text(), source.exists()) == ("ours", False)


def test_a_move_that_a_crash_left_half_done_is_finished(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"original")
    os.link(tmp_path / "source", tmp_path / "may.csv")
    move_without_replacing(tmp_path / "source", tmp_path / "may.csv")
    assert everything(tmp_path) == {"may.csv": b"original"}


def test_other_faults_are_raised_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        move_without_replacing(tmp_path / "missing", tmp_path / "may.csv")
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "missing" / "may.csv", b"x")


# --- folders ---------------------------------------------------------------------------------------------------


def test_folders_are_made_with_their_parents_once_and_again(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "c"
    make_folder(target, mode=0o700)
    make_folder(target)
    assert [path.stat().st_mode & 0o777 for path in (target, target.parent)] == [0o700, 0o700]


def test_a_file_where_a_folder_is_to_be_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError):
        make_folder(tmp_path / "a" / "b")
    with pytest.raises(OSError):
        fsync_folder(tmp_path / "a")


# --- durability ------------------------------------------------------------------------------------------------

DO = """
import sys
from pathlib import Path
from batchd.files import move_without_replacing, publishing, replacing
folder = Path(sys.argv[1])
match sys.argv[2]:
    case "replacing":
        with replacing(folder / "target") as file:
            file.write(b"x" * 1_000_000)
    case "publishing":
        with publishing(folder / "target") as file:
            file.write(b"x" * 1_000_000)
    case "moving":
        move_without_replacing(folder / "from" / "source", folder / "target")
"""

CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")


def calls_of(folder: Path, what: str) -> list[str]:
    """The calls to the kernel that matter, in order: `fsync draft`, `link`, `unlink source`, `fsync folder`."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here to see the order of fsync and rename")
    trace = folder.parent / "trace"
    watched = "openat,close,write,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat"
    strace = ["strace", "-f", "-o", str(trace), "-e", f"trace={watched}"]
    program = [sys.executable, "-c", DO, str(folder), what]
    done = subprocess.run([*strace, *program], capture_output=True, text=True, check=False)
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    opened: dict[str, str] = {}
    calls = []
    for line in trace.read_text().splitlines():
        match = CALL.match(line)
        if match is None:
            continue
        call, arguments, result = match.groups()
        paths = re.findall(r'"([^"]*)"', arguments)
        if call == "openat":
            opened[result] = paths[0]
            continue
        about = paths[0] if paths and call != "write" else opened.get(arguments.split(",")[0], "")
        if not about.startswith(str(folder)):
            continue
        kind = {"linkat": "link", "renameat": "rename", "renameat2": "rename", "unlinkat": "unlink"}.get(call, call)
        if kind == "close" or int(result) < 0:
            continue
        name = os.path.relpath(about, folder)
        calls.append(f"{kind} {'draft' if name.endswith('.draft') else name}")
    return [call for number, call in enumerate(calls) if number == 0 or calls[number - 1] != call]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("replacing", ["write draft", "fsync draft", "rename draft", "fsync ."]),
        # The draft's name goes before the folder is synced: a power cut must not bring it back.
        ("publishing", ["write draft", "fsync draft", "link draft", "unlink draft", "fsync ."]),
        # The new name is durable before the old one goes: a power cut leaves at least one of the two.
        ("moving", ["link from/source", "fsync .", "unlink from/source", "fsync from"]),
    ],
)
def test_the_kernel_is_told_in_an_order_that_a_power_cut_cannot_break(
    tmp_path: Path, what: str, expected: list[str]
) -> None:
    folder = tmp_path / "folder"
    (folder / "from").mkdir(parents=True)
    (folder / "from" / "source").write_bytes(b"original")
    assert calls_of(folder, what) == expected


@pytest.mark.parametrize("write", [publish, replace])
def test_a_disk_that_does_not_take_the_bytes_shows_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], None]
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "may.csv", b"x")
    assert everything(tmp_path) == {}

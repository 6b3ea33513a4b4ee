"""Trees, thousands of files at once, and a daemon that was frozen while they came: each is taken exactly once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Shared, gone, rows_of, size, until

pytestmark = pytest.mark.slow


def tree(top: Path, *, folders: int, files: int, tag: str) -> list[str]:
    """Folders in folders with files in them; their paths without the ending."""
    names = []
    for number in range(folders):
        folder = top / f"{tag}{number}" / "deeper" / "still"
        folder.mkdir(parents=True)
        for file in range(files):
            place = [folder, folder.parent, folder.parent.parent][file % 3]
            path = place / f"file{file}.csv"
            path.write_text("\n".join(rows_of(f"{tag}-{number}-{file}", 2)) + "\n")
            names.append(str(path.relative_to(top)).removesuffix(".csv"))
    return names


def test_folder_trees_that_are_moved_or_copied_in(shared: Shared) -> None:
    """Part of what comes with a moved or copied folder raises no event at all."""
    aside, reviews = shared.folder / "aside", shared.inbox / "reviews"
    folders, files = size(3, 50), size(4, 20)
    names = []
    for way in ("moved", "copied", "rsynced"):
        names += [f"{way}/{name}" for name in tree(aside / way, folders=folders, files=files, tag=way)]
    shared.configure(settle='"1s"')
    shared.start()
    (aside / "moved").rename(reviews / "moved")
    copying = subprocess.Popen(["cp", "-r", str(aside / "copied"), str(reviews / "copied")])
    shutil.copytree(aside / "rsynced", reviews / "rsynced")
    assert copying.wait(300) == 0
    shared.quiet()
    reports = shared.reports()
    assert sorted(reports) == sorted(names)
    assert {report["rows"]["ok"] for report in reports.values()} == {2}


def drop_many(shared: Shared, number: int) -> None:
    """So many files, each renamed into the inbox by itself."""
    aside = shared.folder / "aside"
    aside.mkdir()
    for each in range(number):
        (aside / f"{each:05d}.csv").write_text(f"id,review\n{each},review {each} was good\n")
    for each in range(number):
        os.rename(aside / f"{each:05d}.csv", shared.inbox / "reviews" / f"{each:05d}.csv")


def taken(shared: Shared) -> int:
    """How many files have left the inbox for the spool."""
    return sum(number for state, number in shared.counts().items() if state != "claiming")


def each_once(shared: Shared, number: int) -> None:
    """Every file is one job and no more, and none is left in the inbox."""
    paths = [bytes(row["inbox_path"]).decode() for row in shared.ask("SELECT inbox_path FROM jobs")]
    assert len(paths) == number
    assert sorted(paths) == [f"reviews/{each:05d}.csv" for each in range(number)]
    assert not list((shared.inbox / "reviews").iterdir())


def test_files_that_came_while_the_daemon_was_frozen(shared: Shared) -> None:
    """Their events are lost: the kernel keeps so many, and the watcher throws away more. The rescan finds them all.

    All are noted at the first look after they have settled, and taken as fast as that goes: files that wait to be
    read must not hold up those that wait to be taken.
    """
    number = size(250, 20_000)
    shared.configure(rescan='"1s"')
    daemon = shared.start()
    daemon.send_signal(signal.SIGSTOP)
    try:
        drop_many(shared, number)
    finally:
        daemon.send_signal(signal.SIGCONT)
    begun = time.monotonic()
    until(lambda: sum(shared.counts().values()) == number, "all of them are noted", seconds=120)
    noted = time.monotonic() - begun
    until(lambda: taken(shared) == number, "all of them are taken", seconds=600)
    claimed = time.monotonic() - begun
    read = number - shared.counts().get("claimed", 0)
    print(f"\n{number:,} files: all noted after {noted:.1f} s, taken after {claimed:.1f} s, {read:,} read by then")
    each_once(shared, number)
    shared.stop(daemon)


def test_many_files_at_once_come_back_each_with_its_own_answer(shared: Shared) -> None:
    number = size(60, 10_000)
    shared.configure()
    config = shared.folder / "config.toml"
    config.write_text(config.read_text().replace('linger = "0s"', 'linger = "500ms"'))
    daemon = shared.start()
    drop_many(shared, number)
    until(lambda: shared.counts() == {"done": number}, "all are delivered", seconds=1_800)
    outbox = shared.folder / "outbox" / "reviews"
    assert len(list(outbox.glob("*.report.json"))) == number
    for each in range(0, number, 7):
        [header, row] = (outbox / f"{each:05d}.results.csv").read_text().splitlines()
        assert row.startswith(f"{each},review {each} was good,"), header
    ledger = shared.ledger()
    assert ledger["requests_executed"] == number
    assert ledger["executed_twice"] == []
    shared.stop(daemon)


def test_the_same_name_again_while_the_first_is_in_work(shared: Shared) -> None:
    """A corrected file under the same name is another file: both come back, and neither covers the other."""
    daemon = shared.start()
    times = size(4, 20)
    for version in range(times):
        shared.drop("reviews/may.csv", "\n".join(rows_of(f"v{version}", 3)) + "\n")
        until(lambda: gone(shared.inbox / "reviews" / "may.csv"), "it is taken")
    shared.quiet()
    results = (shared.folder / "outbox" / "reviews").glob("may*.results.csv")
    seen = []
    for path in results:
        tags = {line.split("-")[0] for line in path.read_text().splitlines()[1:]}
        assert len(tags) == 1, f"{path.name} holds rows of {tags}"
        seen += tags
    assert sorted(seen) == sorted(f"v{version}" for version in range(times))
    originals = sorted(path.read_text() for path in (shared.folder / "archive" / "reviews").iterdir())
    assert originals == sorted("\n".join(rows_of(f"v{version}", 3)) + "\n" for version in range(times))
    shared.stop(daemon)

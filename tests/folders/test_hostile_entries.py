"""What does not belong into an inbox: explained in `status`, never followed or waited for, and others go on."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from batchd.domain.lifecycle import Claim
from batchd.testing.household import Household

from ..engine.conftest import ASKING, csv_of, route
from ..intake.conftest import as_nobody
from ..intake.conftest import open_folder as open_folder
from .conftest import Shared, gone, rows_of, size, until

pytestmark = pytest.mark.slow

SECRET = "the-secret-of-another-folder-8c1f"


def hostile(shared: Shared) -> dict[str, str]:
    """One of each in the inbox; a word of what `status` must say of it, by its path."""
    reviews = shared.inbox / "reviews"
    secret = shared.folder / "secret.csv"
    secret.write_text(f"id,review\n1,{SECRET}\n")
    secrets = shared.folder / "secrets"
    secrets.mkdir()
    (secrets / "inner.csv").write_text(f"id,review\n1,{SECRET}\n")
    (reviews / "link.csv").symlink_to(secret)
    (reviews / "folder-link").symlink_to(secrets)
    (reviews / "loop").symlink_to(reviews)
    (reviews / "loop.csv").symlink_to("loop.csv")
    (reviews / "nowhere.csv").symlink_to(shared.folder / "nowhere")
    os.mkfifo(reviews / "pipe.csv")
    os.link(secret, reviews / "hard.csv")
    here = os.getcwd()
    os.chdir(reviews)  # the name of a socket may have 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.csv")
    finally:
        os.chdir(here)
    said = {
        "link.csv": "link",
        "folder-link": "link",
        "loop": "link",
        "loop.csv": "link",
        "nowhere.csv": "link",
        "pipe.csv": "pipe",
        "hard.csv": "2 names",
        "socket.csv": "socket",
    }
    if os.geteuid() == 0:
        try:
            os.mknod(reviews / "device.csv", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero: it has no end
            said["device.csv"] = "device"
        except PermissionError:
            pass
    return said


def test_hostile_entries_are_explained_and_others_go_on(shared: Shared) -> None:
    reviews = shared.inbox / "reviews"
    expected = hostile(shared)
    (reviews / "folder.csv").mkdir()
    (reviews / "folder.csv" / "inner.csv").write_text("\n".join(rows_of("inner", 2)) + "\n")
    (reviews / "empty.csv").touch()
    with (reviews / "sparse.csv").open("wb") as file:
        file.truncate(10 << 30)
    (reviews / "good.csv").write_text("\n".join(rows_of("good", 2)) + "\n")
    daemon = shared.start()
    until(lambda: {"good", "folder.csv/inner"} <= set(shared.reports()), "the others are through")
    rejected = shared.folder / "rejected" / "reviews"
    for name in ("empty.csv", "sparse.csv"):
        until((rejected / f"{name}.why.txt").exists, f"{name} is explained")
        until((rejected / name).exists, f"{name} comes back")
    assert "empty" in (rejected / "empty.csv.why.txt").read_text()
    assert (rejected / "sparse.csv").stat().st_blocks < 100_000, "it was read and written out"
    conditions = shared.status()
    for name, words in expected.items():
        assert words in conditions[f"inbox/reviews/{name}"], name
        assert os.path.lexists(reviews / name)
    # In words for people too, and gone from there once the thing is gone.
    shown = shared.batchd("status").stdout
    assert all(f"inbox/reviews/{name}" in shown for name in expected)
    (reviews / "pipe.csv").unlink()
    until(lambda: "inbox/reviews/pipe.csv" not in shared.troubles(), "what is gone is not spoken of")
    shared.drop("reviews/later.csv", "\n".join(rows_of("later", 2)) + "\n")
    until(lambda: "later" in shared.reports(), "a later file is through")
    # Gone while no daemon was there to see it.
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()
    (reviews / "socket.csv").unlink()
    daemon = shared.start()
    until(lambda: "inbox/reviews/socket.csv" not in shared.troubles(), "that is noticed at the next start")
    shared.stop(daemon)
    assert set(shared.reports()) == {"good", "later", "folder.csv/inner"}
    ours = [shared.folder / name for name in ("outbox", "archive", "rejected", "state", "sandbox")]
    for path in (path for folder in ours for path in folder.rglob("*") if path.is_file()):
        assert path.stat().st_size > 1 << 30 or SECRET not in path.read_text(errors="replace"), path


def test_a_thousand_links_are_explained_once(shared: Shared) -> None:
    reviews, number = shared.inbox / "reviews", size(150, 10_000)
    for each in range(number):
        (reviews / f"link{each:05d}.csv").symlink_to("/nowhere")
    daemon = shared.start()
    shared.drop("reviews/good.csv", "\n".join(rows_of("good", 2)) + "\n")
    until(lambda: "good" in shared.reports(), "a good one is through")
    conditions = shared.status()
    assert 2 < len(conditions) <= 60
    assert f"{number - 50:,} more" in conditions["the rest of the inbox"]
    for path in reviews.glob("link*"):
        path.unlink()
    until(lambda: not shared.troubles(), "all of it is over")
    shared.stop(daemon)


async def test_files_that_may_not_be_read_keep_nobody_waiting(open_folder: Path) -> None:
    """More of them than the daemon looks at in one go, all older than the one that can be taken."""
    # Another user may not be able to import anything: all that is needed is imported before.
    plugins = open_folder / "plugins.d"
    plugins.mkdir()
    (plugins / "asking.py").write_text(ASKING)
    household = Household(open_folder / "first", plugin_dir=plugins, routes=(route(),))
    household.drop("reviews/first.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    household = Household(open_folder / "house", plugin_dir=plugins, routes=(route(),))
    number = size(70, 2_000)
    for each in range(number):
        household.drop(f"reviews/locked{each:04d}.csv", csv_of(["one"])).chmod(0o000)
    subprocess.run(["chown", "-R", "65534:65534", str(open_folder)], check=os.geteuid() == 0, capture_output=True)
    with as_nobody():
        async with household.living() as daemon:
            await daemon.take_in()
            refused = set()
            for _ in range(100_000):
                outlook = await daemon.engine.look()
                assert all(isinstance(due.action, Claim) for due in outlook.due)
                fresh = [due for due in outlook.due if due.action not in refused]
                if not fresh:
                    break
                for due in fresh:
                    await daemon.engine.perform(due)
                    refused.add(due.action)
            assert len(refused) == number
            household.drop("reviews/good.csv", csv_of(["one"]))
            await daemon.take_in()
            for _ in range(10_000):
                if "reviews/good.report.json" in household.outbox():
                    break
                await daemon.step()
            assert "reviews/good.report.json" in household.outbox(), "the good file waits behind the others"
            assert len(list((household.folders.inbox / "reviews").iterdir())) == number
            told = await daemon.context.store.event_log.conditions()
    assert any("Permission denied" in text and "locked" in text for text in told.values()), told
    # Mended, they are taken, once they have settled anew: who has changed the rights may have changed more.
    for path in (household.folders.inbox / "reviews").iterdir():
        path.chmod(0o600)
    with as_nobody():
        async with household.living() as daemon:
            await daemon.drain(most=20 * number)
            await daemon.take_in()
            await daemon.drain(most=20 * number)
    assert len(household.outbox()) == 2 * (number + 1)
    assert gone(household.folders.inbox / "reviews" / "locked0000.csv")

"""Whatever is done to the inbox, and however deaf the watcher is: the next file is found by the rescan.

Each case leaves the watcher deaf with all its threads alive, or with none. Nothing is restarted by hand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import LONG, Shared, gone, now, rows_of, size, until

pytestmark = pytest.mark.slow

RESCAN = 5.0 if LONG else 1.0
SETTLE = 0.2

RAISES = """
import watchdog.observers.api as api

dispatch = api.EventDispatcher.run


class Once:
    raised = False


def run(self):
    from watchdog.events import FileSystemEventHandler

    # Whatever gets out of a handler ends this thread, and nobody is told.
    original = self.dispatch_events

    def dispatch_events(queue):
        original(queue)
        Once.raised = True
        open("raised", "w").close()
        raise RuntimeError("a handler raised")

    if not Once.raised:
        self.dispatch_events = dispatch_events
    try:
        dispatch(self)
    except RuntimeError:
        pass


api.EventDispatcher.run = run
"""


def next_file_is_found(shared: Shared, name: str) -> None:
    """A file that comes now is taken; how long that took is said, in rescans."""
    (shared.inbox / "reviews").mkdir(exist_ok=True)
    begun = now()
    shared.drop(f"reviews/{name}.csv", "\n".join(rows_of(name, 1)) + "\n")
    until(lambda: gone(shared.inbox / "reviews" / f"{name}.csv"), f"{name} is taken")
    after = now() - begun
    print(f"{name}: taken after {after:.2f} s; a rescan comes every {RESCAN:.0f} s")
    if LONG:  # on a machine that has time for it
        assert after < 2 * RESCAN + SETTLE + 1.0
    until(lambda: name in shared.reports(), f"{name} is delivered")


def mount(point: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root and the mount command")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", point], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


def unmount(point: Path) -> None:
    subprocess.run(["umount", "--lazy", point], check=True)


def configured(shared: Shared, **more: str) -> None:
    shared.configure(rescan=f'"{RESCAN:.0f}s"', **more)


@pytest.mark.slow(seconds=5)
def test_the_inbox_deleted_and_renamed_away(shared: Shared) -> None:
    configured(shared)
    daemon = shared.start()
    next_file_is_found(shared, "before")
    for turn in range(size(1, 5)):
        shutil.rmtree(shared.inbox)
        shared.inbox.mkdir()
        next_file_is_found(shared, f"made-again-{turn}")
        shared.inbox.rename(shared.folder / f"away-{turn}")
        shared.inbox.mkdir()
        next_file_is_found(shared, f"another-in-its-place-{turn}")
        # What lies in the old one is not in the inbox any more.
        (shared.folder / f"away-{turn}" / "reviews" / "stray.csv").write_text("id,review\n1,stray\n")
    # Away for a while: that is said, and is over by itself.
    shared.inbox.rename(shared.folder / "gone")
    until(lambda: "inbox" in shared.troubles(), "it is said that the inbox is missing")
    assert str(shared.inbox) in shared.status()["inbox"]
    (shared.folder / "gone").rename(shared.inbox)
    until(lambda: "inbox" not in shared.troubles(), "it is said no more")
    next_file_is_found(shared, "back-again")
    assert not any("stray" in name for name in shared.reports())
    shared.stop(daemon)


@pytest.mark.slow(seconds=5)
def test_a_share_mounted_and_unmounted(shared: Shared) -> None:
    configured(shared)
    mount(shared.inbox)
    mounted = 1
    try:
        (shared.inbox / "reviews").mkdir()
        daemon = shared.start()
        next_file_is_found(shared, "on-the-share")
        unmount(shared.inbox)
        mounted -= 1
        next_file_is_found(shared, "below-the-share")
        mount(shared.inbox)
        mounted += 1
        next_file_is_found(shared, "mounted-over")
        mount(shared.inbox)
        mounted += 1
        next_file_is_found(shared, "mounted-over-that")
        shared.stop(daemon)
    finally:
        for _ in range(mounted):
            unmount(shared.inbox)


def test_the_share_goes_while_files_wait(shared: Shared) -> None:
    """What was on the share is taken once it is back, and is not looked for elsewhere."""
    configured(shared)
    elsewhere = shared.folder / "share"
    elsewhere.mkdir()
    mount(elsewhere)
    try:
        subprocess.run(["mount", "--bind", elsewhere, shared.inbox], check=True)
        (shared.inbox / "reviews").mkdir()
        daemon = shared.start()
        next_file_is_found(shared, "first")
        unmount(shared.inbox)
        (elsewhere / "reviews" / "waits.csv").write_text("\n".join(rows_of("waits", 2)) + "\n")
        next_file_is_found(shared, "below")
        assert (elsewhere / "reviews" / "waits.csv").exists()
        subprocess.run(["mount", "--bind", elsewhere, shared.inbox], check=True)
        until(lambda: "waits" in shared.reports(), "it is taken from the share")
        shared.stop(daemon)
    finally:
        unmount(shared.inbox)
        unmount(elsewhere)


def test_a_handler_that_raised(shared: Shared) -> None:
    """In the real process: the thread that tells of events dies at the first of them."""
    configured(shared)
    plugins = shared.folder / "plugins.d"
    plugins.mkdir()
    (plugins / "raises.py").write_text(RAISES)
    shared.write_config(top='plugin_dir = "plugins.d"')
    daemon = shared.start()
    raised = shared.folder / "raised"
    for number in range(100):  # the first may come before anything is watched
        if raised.exists():
            break
        next_file_is_found(shared, f"before-{number}")
    assert raised.exists(), "the handler has not raised"
    next_file_is_found(shared, "after")
    next_file_is_found(shared, "long-after")
    shared.stop(daemon)


def without_inotify() -> list[str]:
    """A command that runs another where no inotify instance may be had, disturbing nobody else."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    limit = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no user namespace with a limit of its own here: {tried.stderr.strip()}")
    return command


@pytest.mark.slow(seconds=5)
def test_no_inotify_instance_to_be_had(shared: Shared) -> None:
    configured(shared)
    daemon = shared.start(*without_inotify())
    next_file_is_found(shared, "first")
    next_file_is_found(shared, "second")
    assert "max_user_instances" in shared.log
    shared.stop(daemon)

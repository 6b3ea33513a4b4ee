"""The watcher only wakes; the daemon is right without it, and it is put right when it has gone deaf (T8)."""

from __future__ import annotations

import asyncio
import builtins
import errno
import logging
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batchd.intake.claiming import Claimed, claim
from batchd.intake.scan import scan
from batchd.intake.settling import Settling
from batchd.intake.watcher import Watcher, inotify_observer

from .conftest import Mounts

RESCAN = 0.25
SETTLE = 0.05


class Loop:
    """What the daemon does with an inbox, at a smaller scale."""

    def __init__(self, inbox: Path, spool: Path, **options: object) -> None:
        self.inbox = inbox
        self.spool = spool
        self.dropped = asyncio.Event()
        self.wakes = 0
        self.looks = 0
        self.taken: dict[str, float] = {}
        self.rescan = RESCAN
        self.watcher = Watcher(inbox, self.wake, **options)
        self._settling = Settling(settle=SETTLE)
        spool.mkdir()

    def wake(self) -> None:
        self.wakes += 1
        self.dropped.set()

    async def run(self) -> None:
        while True:
            self.dropped.clear()
            due = None
            try:
                due = await self.look()
                await asyncio.to_thread(self.watcher.check)
            except OSError:
                pass
            self.looks += 1
            try:
                async with asyncio.timeout(self.rescan if due is None else min(due, self.rescan)):
                    await self.dropped.wait()
            except TimeoutError:
                pass

    async def look(self) -> float | None:
        listing = await asyncio.to_thread(scan, self.inbox)
        stamps = {entry.path: entry.stamp for entry in listing.files}
        for path in self._settling.look(stamps, time.monotonic()):
            job = f"job{len(self.taken)}"
            (self.spool / job).mkdir()
            outcome = claim(self.inbox, path, stamps[path], self.spool / job / "source", job)
            if isinstance(outcome, Claimed):
                self.taken[path] = time.monotonic()
        return self._settling.due_in(time.monotonic())

    async def takes(self, name: str, *, within: float) -> None:
        """Drop a file and wait until it is taken."""
        dropped = time.monotonic()
        (self.inbox / name).write_text("a\n")
        await eventually(lambda: name in self.taken, name)
        # The limit is what is promised; the rest is for a machine that does other things.
        assert self.taken[name] - dropped < within + 10.0

    async def looks_twice(self) -> None:
        now = self.looks
        await eventually(lambda: self.looks >= now + 2, "two looks")

    async def hears_again(self, name: str = "may.csv", *, probe: str = "probe.csv") -> None:
        """The rescan takes the next file, and from then on events come again."""
        await self.takes(name, within=2 * RESCAN)
        await self.looks_twice()
        assert self.watcher.watching
        await hears(self.watcher, self.inbox, lambda: self.wakes, probe)


async def eventually(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"waited in vain for {what}")


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    (tmp_path / "inbox").mkdir()
    ours = Loop(tmp_path / "inbox", tmp_path / "spool")
    ours.watcher.start()
    async with running(ours):
        yield ours


@asynccontextmanager
async def running(ours: Loop) -> AsyncIterator[None]:
    """The loop runs, with a watcher that was started."""
    task = asyncio.create_task(ours.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(ours.watcher.stop)


async def hears(watcher: Watcher, inbox: Path, wakes: Callable[[], int], name: str = "probe.csv") -> None:
    """An event wakes us, without any rescan."""
    before = wakes()
    (inbox / name).write_text("a\n")
    await eventually(lambda: wakes() > before, f"an event about {name}")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


class Ear:
    """A watcher and how often it woke us."""

    def __init__(self, inbox: Path, **options: object) -> None:
        self.inbox = inbox
        self.wakes = 0
        self.watcher = Watcher(inbox, self._wake, **options)

    def _wake(self) -> None:
        self.wakes += 1

    async def hears(self, name: str = "probe.csv") -> None:
        await hears(self.watcher, self.inbox, lambda: self.wakes, name)


@pytest.fixture
async def ear(inbox: Path) -> AsyncIterator[Ear]:
    ours = Ear(inbox)
    ours.watcher.start()
    assert ours.watcher.watching
    yield ours
    await asyncio.to_thread(ours.watcher.stop)


# --- Hearing ---------------------------------------------------------------------------------------------------


def write(path: Path) -> None:
    path.write_text("a\n")


def move_in(path: Path) -> None:
    outside = path.parent.parent / "outside.csv"
    outside.write_text("a\n")
    outside.rename(path)


def link_in(path: Path) -> None:
    outside = path.parent.parent / "outside.csv"
    outside.write_text("a\n")
    os.link(outside, path)
    outside.unlink()


def rename_inside(path: Path) -> None:
    part = path.with_name("may.csv.part")
    part.write_text("a\n")
    part.rename(path)


def move_folder_in(path: Path) -> None:
    outside = path.parent.parent / "outside"
    outside.mkdir()
    (outside / "may.csv").write_text("a\n")
    outside.rename(path.with_name("reviews"))


def copy_folder_in(path: Path) -> None:
    outside = path.parent.parent / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "may.csv").write_text("a\n")
    shutil.copytree(outside, path.with_name("reviews"))


@pytest.mark.parametrize("drop", [write, move_in, link_in, rename_inside, move_folder_in, copy_folder_in])
async def test_hears_of_every_way_in(ear, drop):
    drop(ear.inbox / "may.csv")
    await eventually(lambda: ear.wakes, "an event")


async def test_hears_of_files_in_folders_made_later(ear):
    (ear.inbox / "reviews").mkdir()
    await eventually(lambda: ear.wakes, "an event about the folder")
    await ear.hears("reviews/may.csv")


async def test_a_burst_wakes_few_times(ear):
    for number in range(2000):
        (ear.inbox / f"{number}.csv").write_text("a\n")
    await eventually(lambda: ear.wakes, "an event")
    await ear.hears("settle-the-queue.csv")
    # The loop could not run while we wrote, so all that came by then is one wake-up; the rest is the queue's tail, which
    # is long where the machine is busy. Each file alone has three events.
    assert ear.wakes < 500


async def test_wakes_before_the_rescan_would(loop):
    loop.rescan, now = 30.0, loop.looks
    await eventually(lambda: loop.looks > now, "the last look for half a minute")
    await loop.takes("may.csv", within=SETTLE + 0.5)


@pytest.mark.slow
async def test_reading_and_deleting_wake_nobody(ear):
    (ear.inbox / "may.csv").write_text("a\n")
    await eventually(lambda: ear.wakes, "the file's events")
    await ear.hears("settle-the-queue.csv")
    await asyncio.sleep(0.2)  # a quiet time is what is looked for here, so there is nothing to wait for
    before = ear.wakes
    (ear.inbox / "may.csv").read_text()
    (ear.inbox / "may.csv").unlink()
    await asyncio.sleep(0.2)
    assert ear.wakes == before


# --- T8: deaf, each time with the promise: the next file within two rescans, and events again afterwards ---------


@pytest.mark.slow
@pytest.mark.parametrize("for_a_while", [False, True])
async def test_deaf_after_the_inbox_was_deleted_and_made_again(loop, for_a_while):
    loop.inbox.rmdir()
    if for_a_while:
        await loop.looks_twice()
    loop.inbox.mkdir()
    await loop.hears_again()


@pytest.mark.slow
async def test_deaf_after_the_inbox_was_renamed_away(loop):
    away = loop.inbox.with_name("away")
    loop.inbox.rename(away)
    loop.inbox.mkdir()
    await loop.hears_again()
    (away / "other.csv").write_text("a\n")
    await loop.looks_twice()
    assert "other.csv" not in loop.taken
    assert (away / "other.csv").exists()


@pytest.mark.slow
async def test_deaf_after_a_mount_over_the_inbox_and_after_its_end(loop, mounts: Mounts):
    mounts.mount(loop.inbox)
    await loop.hears_again("on the share.csv")
    mounts.unmount(loop.inbox)
    await loop.hears_again("below it.csv", probe="probe2.csv")


async def ended(thread: threading.Thread) -> None:
    """Until then the observer still counts as alive, and a look would leave it as it is."""
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


def ignore_dead_threads(test: Callable[..., object]) -> Callable[..., object]:
    return pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")(test)


@ignore_dead_threads
@pytest.mark.slow
async def test_deaf_after_a_handler_raised(loop):
    [handlers] = loop.watcher.observer._handlers.values()  # noqa: SLF001 - watchdog gives its handlers out in no other way
    [handler] = handlers

    def fail(event: object) -> None:
        raise RuntimeError("from a handler")

    handler.dispatch = fail
    (loop.inbox / "first.csv").write_text("a\n")
    await eventually(lambda: "first.csv" in loop.taken, "first.csv")
    await loop.hears_again()


@pytest.mark.slow
async def test_deaf_after_an_emitter_died(loop):
    [emitter] = loop.watcher.observer.emitters
    emitter.stop()
    await ended(emitter)
    await loop.hears_again()


@pytest.mark.slow
async def test_deaf_after_the_reading_thread_died(loop):
    reader = loop.watcher.observer._inotify_fd  # noqa: SLF001 - nor its reading thread
    reader.stop()
    await ended(reader)
    await loop.hears_again()


async def test_an_error_when_waking_does_not_deafen(ear, monkeypatch):
    """Our own part of the handler never raises."""
    running = asyncio.get_running_loop()
    calls = []

    class Failing:
        def call_soon_threadsafe(self, call: Callable[[], None]) -> None:
            calls.append(call)
            raise ValueError("from the loop")

    ear.watcher.start(Failing())
    (ear.inbox / "lost.csv").write_text("a\n")
    await eventually(lambda: calls, "a call")
    ear.watcher.start(running)
    await ear.hears()
    assert ear.watcher.watching


# --- Without it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EMFILE, "inotify instance limit reached"), "max_user_instances"),
        (OSError(errno.ENOSPC, "inotify watch limit reached"), "max_user_watches"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
    ],
)
@pytest.mark.slow
async def test_a_limit_is_said_once_and_the_rescan_goes_on(tmp_path, inbox, caplog, error, words):
    refusals = [error]

    def observer(*arguments):
        for refusal in refusals:
            raise refusal
        return inotify_observer(*arguments)

    ours = Loop(inbox, tmp_path / "spool", observe=observer)
    with caplog.at_level(logging.WARNING):
        ours.watcher.start()
        assert not ours.watcher.watching
        async with running(ours):
            await ours.takes("may.csv", within=2 * RESCAN)
            await ours.looks_twice()
            [record] = caplog.records
            assert words in record.getMessage()
            assert record.action == "watch"
            refusals.clear()
            await eventually(lambda: ours.watcher.watching, "the limit to be raised")


def test_the_real_inotify_limit(tmp_path):
    """In a user namespace of its own, where the limit can be set without disturbing anybody."""
    script = textwrap.dedent(
        """
        import asyncio, logging, sys
        from pathlib import Path
        from batchd.intake.watcher import Watcher
        open("/proc/sys/user/max_inotify_instances", "w").write("0")
        logging.basicConfig(format="%(message)s", stream=sys.stdout)
        async def main():
            watcher = Watcher(Path(sys.argv[1]), lambda: None)
            watcher.start()
            watcher.check()
            print(watcher.watching)
            watcher.stop()
        asyncio.run(main())
        """
    )
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    if "max_inotify_instances" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"no user namespace with a limit of its own here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    said, watching = done.stdout.splitlines()
    assert "max_user_instances" in said
    assert watching == "False"


async def test_an_event_that_comes_while_it_stops_is_no_error(ear, caplog):
    # What watchdog logs then, if its threads meet so.
    logging.getLogger("watchdog.observers.inotify").error("queue_events() called when the thread is inactive")
    assert caplog.text == ""


async def test_without_watchdog(tmp_path, inbox, monkeypatch, caplog):
    real = builtins.__import__

    def no_watchdog(name: str, *arguments: object, **keywords: object) -> object:
        if name.startswith("watchdog"):
            raise ModuleNotFoundError("No module named 'watchdog'")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", no_watchdog)
    ours = Loop(inbox, tmp_path / "spool")
    ours.watcher.start()
    async with running(ours):
        await ours.takes("may.csv", within=2 * RESCAN)
        assert "watchdog is not installed" in caplog.text


def test_watchdog_is_not_imported_before_it_is_needed():
    code = "import sys, batchd.intake.watcher; print(any(name.startswith('watchdog') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("mode", "network", "watches"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("inotify", False, True),
        ("inotify", True, True),
        ("polling", False, False),
        ("polling", True, False),
    ],
)
async def test_modes(inbox, mode, network, watches):
    ear = Ear(inbox, mode=mode, network=lambda _: network)
    ear.watcher.start()
    ear.watcher.check()
    assert ear.watcher.watching == watches
    await asyncio.to_thread(ear.watcher.stop)


async def test_starts_when_the_inbox_comes(tmp_path):
    ear = Ear(tmp_path / "inbox")
    ear.watcher.start()
    assert not ear.watcher.watching
    ear.inbox.mkdir()
    await asyncio.to_thread(ear.watcher.check)
    await ear.hears()
    await asyncio.to_thread(ear.watcher.stop)


async def test_nothing_is_rebuilt_without_need(ear):
    observer = ear.watcher.observer
    for _ in range(5):
        ear.watcher.check()
    assert ear.watcher.observer is observer


async def test_stop_ends_the_threads_and_everything_after_it_is_quiet(inbox):
    before = set(threading.enumerate())
    ear = Ear(inbox)
    ear.watcher.start()
    await asyncio.to_thread(ear.watcher.stop)
    await eventually(
        lambda: not [t for t in set(threading.enumerate()) - before if "Inotify" in type(t).__name__], "the threads"
    )
    ear.watcher.check()
    assert not ear.watcher.watching
    await asyncio.to_thread(ear.watcher.stop)


def test_an_event_after_the_end_of_the_loop_harms_nothing(tmp_path):
    (tmp_path / "inbox").mkdir()
    ear = Ear(tmp_path / "inbox")

    async def main() -> None:
        ear.watcher.start()

    asyncio.run(main())
    (tmp_path / "inbox" / "may.csv").write_text("a\n")
    (tmp_path / "inbox" / "june.csv").write_text("a\n")
    assert ear.watcher.watching
    ear.watcher.stop()
    assert ear.wakes == 0

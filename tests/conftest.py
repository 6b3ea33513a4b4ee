"""For all tests."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import re
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.cases import share

# A run that was started in the background or with nohup may have been told to ignore these, and every process that it
# starts would too: those that are to end by one of them would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Hypothesis gives each example 200 ms by the wall clock. A busy machine may let a process stand still for longer than
# that, and the test would fail though nothing is wrong. The same goes for how long it may take to make up examples.
# The examples are the same in each run, so that a change fails for what it changed; `make properties` tries new ones.
settings.register_profile(
    "batchd",
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
)
settings.register_profile("thorough", settings.get_profile("batchd"), max_examples=1_500, derandomize=False)
settings.load_profile("batchd")


# Nothing is installed while tests run, and each daemon, reload and worker in this process looks through all packages.
metadata.entry_points = functools.cache(metadata.entry_points)

MEMORY = Path("/dev/shm")
NOT_FAST = "not slow and not speed and not outside"
"""What `make test-fast` runs."""
EVERYTHING = 3_000
"""A run of more tests than this is one of all families."""
LONG = 10
"""Seconds from which on a test counts as one of those that are run by thirds."""


def _put_temporary_files_into_memory() -> None:
    """Each change to a daemon's database is synced. On a disk that takes 5 ms, and half the time of all tests.

    TMPDIR names another place. The processes that the tests start inherit it.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    if shutil.disk_usage(MEMORY).free > 2 << 30:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # It is found again.


_put_temporary_files_into_memory()


def pytest_make_parametrize_id(config: Any, val: object, argname: str) -> str | None:
    """Functions as parameters by their names: their addresses differ between the processes that run tests."""
    return str(getattr(val, "__qualname__", None) or val) if callable(val) else None


_LEFT_OUT = re.compile(r"^pytestmark = \[?pytest\.mark\.(slow|speed|outside)\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make test-fast` does not import files that have nothing for it: they need the largest packages of all."""
    if config.getoption("markexpr") != NOT_FAST or collection_path.suffix != ".py":
        return None
    return True if _LEFT_OUT.search(collection_path.read_text("utf-8")) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what cannot be marked where it stands, and put all into an order in which no process waits at the end."""
    for item in items:
        # Memory is measured over many rows, or an import in a process of its own. Some come from the conformance kit.
        if item.name.startswith(("test_memory_does_not_grow", "test_importing_it_is_cheap")):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.third)
        if _seconds([item]) >= LONG:
            item.add_marker(pytest.mark.third)
        item.user_properties += [("field", kind) for mark in item.iter_markers("field") for kind in mark.args]
    if len(items) > EVERYTHING and os.environ.get("BATCHD_EVERY_TEST") != "1":
        thirds = [item for item in items if item.get_closest_marker("third")]
        left_out = set(thirds) - set(share(thirds, 3))
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    slow = [item for item in items if item.get_closest_marker("slow")]
    others = [item for item in items if not item.get_closest_marker("slow")]
    items[:] = _spread(slow, others, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _spread(slow: list[pytest.Item], others: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """Slow tests, file by file, at the beginning of the stretches of all processes but one.

    `--dist worksteal` gives each process a stretch of the list, and one that is done half of what another has left.
    The longest tests wait for most of their time. Half of the processes begin with them, the others with most of the
    rest, so that the processor always has something to do, and no process has a long one left at the end.
    """
    files = [list(tests) for _, tests in itertools.groupby(slow, key=lambda item: item.path)]
    begins: list[list[list[pytest.Item]]] = [[] for _ in range(max(1, processes - 1))]
    for tests in sorted(files, key=_seconds, reverse=True):
        min(begins, key=lambda begin: sum(map(_seconds, begin))).append(tests)
    length, ordered, taken = (len(slow) + len(others)) // processes, [], 0
    for number, begin in enumerate(begins):
        short = [tests for tests in begin if _seconds(tests) == len(tests)]
        ahead = number % 2 * len(short) * 3 // 4
        long = [tests for tests in begin if _seconds(tests) > len(tests)]
        first = list(itertools.chain(*short[:ahead], *long, *short[ahead:]))
        filled = max(0, length - len(first))
        ordered += first + others[taken : taken + filled]
        taken += filled
    return ordered + others[taken:]


def _seconds(tests: list[pytest.Item]) -> int:
    """About how long they take: what their marks say, else a second each."""
    return sum(mark.kwargs.get("seconds", 1) for item in tests if (mark := item.get_closest_marker("slow")))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """`make field` ends with a table: of each kind, how many cases ran and how many passed."""
    if config.getoption("markexpr") != "field":
        return
    tried: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, kind in report.user_properties:
                if name == "field" and report.when == "call":
                    tried[kind] += 1
                    passed[kind] += outcome == "passed"
    terminalreporter.section("what services, files and people do")
    for kind in sorted(tried):
        terminalreporter.write_line(f"{kind:<24} {tried[kind]:>6} tried {passed[kind]:>6} held")


def pytest_collection() -> None:
    """What is collected lives to the end: looking for garbage in it would take a sixth of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """The thousands of tests live to the end: the garbage collector need not look at them again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _plugins_are_tried_in_forks() -> Iterator[None]:
    """Plugins are tried in a Python of its own first, whose imports would be most of a short test."""
    from tests.durability.rig import plugins_tried_in_forks

    with plugins_tried_in_forks():
        yield


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than `tmp_path`."""
    here = tmp_path.stat().st_dev
    others = [MEMORY, Path("/tmp"), Path("/var/tmp")]
    usable = [each for each in others if os.access(each, os.W_OK) and each.stat().st_dev != here]
    if not usable:
        pytest.skip("needs /dev/shm beside /tmp or /var/tmp as a second file system")
    folder = Path(tempfile.mkdtemp(prefix="batchd-", dir=usable[0]))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)

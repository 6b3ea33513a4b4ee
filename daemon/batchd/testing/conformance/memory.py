"""Measures how much memory a plugin takes, without that of a library or of a server in the same process.

The first pass measures all memory of Python, which is quick. Only if that grows, a second pass finds out whose it is:
memory is the plugin's if the nearest call outside of the standard library is in a file of the plugin, or of batchd,
which hands it rows.
"""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

OURS = str(Path(__file__).parents[2])
_CHUNK = 500_000
"""Bytes: the second pass measures when a chunk of at least this size is written."""
_FRAMES = 6
_FEWER = 4
"""The second pass takes long, so it divides the numbers of rows by this."""
_SPARE = 1_000_000
"""Bytes that are not counted as growth."""


class Looks:
    """The moments when a test can be measured: a row is handed over, or a chunk is written."""

    def row(self, number: int) -> None:
        """A row is handed over."""

    def chunk(self, size: int) -> None:
        """This many bytes are written at once."""


Run: TypeAlias = Callable[[int, Looks], object]


def grows(run: Run, few: int, many: int, homes: Sequence[str]) -> str | None:
    """Say how the memory of the plugin in these files and folders grows with the rows, None if it does not."""
    run(10, Looks())  # so that what the first run imports or keeps for good is not counted
    small, large = _peak(run, few), _peak(run, many)
    if large <= 2 * small + _SPARE:
        return None
    seen = [_OwnMemory(max(rows // _FEWER, 1), homes) for rows in (few, many)]
    for each in seen:
        each.measure(run)
    if seen[1].most <= 2 * seen[0].most + _SPARE // 3:
        return None
    told = [f"{each.most / 1e6:.1f} MB for {each.rows:,} rows" for each in seen]
    return f"{' and '.join(told)}; most of it comes from {seen[1].place}"


def homes_of(plugin: type, tests: type) -> Sequence[str]:
    """Return the files of the plugin's classes. For a package, its folder, unless the tests are in there."""
    beside = os.path.dirname(_file(tests))
    homes = set()
    for kind in plugin.__mro__:
        file = _file(kind)
        if file and not _is_standard(file):
            folder = os.path.dirname(file)
            homes.add(file if "." not in kind.__module__ or folder == beside else folder + os.sep)
    return [*homes, OURS + os.sep]


def _file(kind: type) -> str:
    return getattr(sys.modules.get(kind.__module__), "__file__", None) or ""


class _OwnMemory(Looks):
    """Measures the plugin's own memory when it is likely to be largest."""

    def __init__(self, rows: int, homes: Sequence[str]) -> None:
        self.most = 0
        self.place = ""
        self.rows = rows
        self._homes = tuple(homes)

    def measure(self, run: Run) -> None:
        gc.collect()
        tracemalloc.stop()
        tracemalloc.start(_FRAMES)
        try:
            run(self.rows, self)
        finally:
            tracemalloc.stop()

    def row(self, number: int) -> None:
        if number == self.rows - 1:
            self._look()

    def chunk(self, size: int) -> None:
        if size >= _CHUNK:
            self._look()

    def _look(self) -> None:
        sizes: Counter[str] = Counter()
        for trace in tracemalloc.take_snapshot().statistics("traceback"):
            # The most recent call is last.
            for frame in reversed(trace.traceback):
                if _is_standard(frame.filename):
                    continue
                if frame.filename.startswith(self._homes) and frame.filename != __file__:
                    sizes[f"{os.path.basename(frame.filename)}, line {frame.lineno}"] += trace.size
                break
        if sizes.total() > self.most:
            self.most = sizes.total()
            self.place = sizes.most_common(1)[0][0]


@cache
def _is_standard(file: str) -> bool:
    """Whether the file belongs to Python itself."""
    return file.startswith("<") or (file.startswith(_STANDARD) and not _INSTALLED.intersection(Path(file).parts))


_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))


def _peak(run: Run, rows: int) -> int:
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        gc.collect()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        run(rows, Looks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if ours:
            tracemalloc.stop()
    return peak - before

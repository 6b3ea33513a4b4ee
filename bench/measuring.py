"""Running a program and watching its whole family: seconds on the clock, peak memory of all processes together."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """Wall-clock seconds, processor seconds of the family, its peak memory in bytes, and what it printed."""

    seconds: float
    processor: float
    peak: int
    output: str


def measure(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    fine: Container[int] = frozenset({0, 3}),
) -> Measured:
    """Run the command to its end; SystemExit, with its output shown, if its status is none of the `fine` ones."""
    started = time.monotonic()
    before = os.times()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    watch = _Watch(process.pid)
    watch.start()
    output, _ = process.communicate()
    seconds = time.monotonic() - started
    watch.stop()
    after = os.times()
    if process.returncode not in fine:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}:\n{output}")
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(seconds, processor, watch.peak, output)


class _Watch(threading.Thread):
    """Adds up the proportional share of memory of a process and all its descendants, twenty times a second."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.peak = 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            self.peak = max(self.peak, sum(_memory(process) for process in _family(self.root)))

    def stop(self) -> None:
        self._over.set()
        self.join()


def _family(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            try:
                fields = Path("/proc", folder, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(folder)] = int(fields[1])
    family = {root}
    while True:
        children = {child for child, parent in parents.items() if parent in family} - family
        if not children:
            return family
        family |= children


def _memory(process: int) -> int:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0

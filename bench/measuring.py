"""Runs a program and measures it with all its child processes: wall-clock time, processor time, peak memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """Wall-clock seconds and output; also processor seconds and peak memory (bytes) of all processes, if watched.

    `main` are the processor seconds of the first process alone, `written` the bytes that all wrote to a disk.
    """

    seconds: float
    output: str
    processor: float = 0.0
    peak: int = 0
    main: float = 0.0
    written: int = 0


def measure(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    fine: Container[int] = frozenset({0, 3}),
    watched: bool = True,
) -> Measured:
    """Run the command to its end. Raise SystemExit with its output if its status is not in `fine`.

    Watching takes processor time too, more with more processes. Do not use it where seconds are compared.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    watch = _Watch(process.pid) if watched else None
    if watch is not None:
        watch.start()
    output, _ = process.communicate()
    seconds = time.monotonic() - started
    if watch is not None:
        watch.stop()
    if process.returncode not in fine:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}:\n{output}")
    if watch is None:
        return Measured(seconds, output)
    processor = watch.processor
    return Measured(
        seconds, output, sum(processor.values()), watch.peak, processor.get(process.pid, 0.0), watch.written
    )


class _Watch(threading.Thread):
    """Adds up what a process and all its descendants use, twenty times a second.

    Memory is the sum of their proportional shares (PSS); processor time is what each had used when last seen.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.peak = 0
        self.processor: dict[int, float] = {}
        self._written: dict[int, int] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            seen = family(self.root)
            # A process that has just ended counts as it was seen last.
            self.processor |= {process: seconds for process, seconds in seen.items() if seconds}
            self.peak = max(self.peak, sum(map(_memory, seen)))
            self._written |= {process: _bytes_written(process) or self._written.get(process, 0) for process in seen}

    @property
    def written(self) -> int:
        return sum(self._written.values())

    def stop(self) -> None:
        self._over.set()
        self.join()


def family(root: int) -> dict[int, float]:
    """The processor seconds of the process and its descendants."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            try:
                fields = Path("/proc", folder, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(folder)] = int(fields[1])
            seconds[int(folder)] = (int(fields[11]) + int(fields[12])) / _TICKS
    found = {root}
    while True:
        children = {child for child, parent in parents.items() if parent in found} - found
        if not children:
            return {process: seconds.get(process, 0.0) for process in found}
        found |= children


def _memory(process: int) -> int:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _bytes_written(process: int) -> int:
    """The bytes a process wrote to a disk, without files in memory. What it writes after the last look is missed."""
    try:
        text = Path(f"/proc/{process}/io").read_text()
    except OSError:
        return 0
    fields = dict(line.split(": ") for line in text.splitlines())
    return int(fields["write_bytes"])

"""strace on a process that runs: what it calls, and calls that kill it or fail at the n-th time."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from ..end_to_end.conftest import until

CALLS = (
    "rename", "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat", "unlink", "unlinkat",
    "fsync", "fdatasync", "pwrite64", "write", "ftruncate", "openat", "close", "connect", "sendto", "recvfrom",
)  # fmt: skip
"""What changes something, makes it durable, or speaks to the outside."""

_CALL = re.compile(r"^(\d+) +(\w+)\(", re.MULTILINE)


class Strace:
    """Attached to processes with all their threads and, from then on, all that they start.

    `strike` is a call and what is to happen at it, such as `fsync:error=EIO:when=3`.
    """

    def __init__(self, processes: Sequence[int], *, strike: str | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="batchd-strace-"))
        self._log = self._folder / "log"
        command = ["strace", "-f", "-o", str(self._log)]
        if strike is None:
            command += ["-e", f"trace={','.join(CALLS)}"]
        else:
            command += ["-e", f"trace={strike.partition(':')[0]}", "-e", f"inject={strike}"]
        for process in processes:
            command += ["-p", str(process)]
        said = self._folder / "said"
        with said.open("wb") as file:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

        def attached() -> bool:
            return said.read_text().count("attached") >= len(processes)

        until(lambda: attached() or self._process.poll() is not None, "strace is attached")
        # What it is attached to may be dead by now, and strace gone with it.
        if not attached():
            pytest.skip(f"strace cannot attach here: {said.read_text().strip()}")

    def detach(self) -> None:
        """Let go; the processes run on."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            # It waits in the kernel for a process that ended just then, while a thread of that process waits for it.
            self._process.kill()
            self._process.wait()

    def calls(self) -> Counter[str]:
        """How often one thread made each call, at most. strace counts by thread: the first that comes so far is met."""
        numbers: Counter[tuple[str, str]] = Counter()
        for thread, call in _CALL.findall(self._log.read_text(errors="replace")):
            numbers[thread, call] += 1
        most: Counter[str] = Counter()
        for (_, call), number in numbers.items():
            most[call] = max(most[call], number)
        return most

    def struck(self) -> bool:
        """Whether one of the processes was killed, or told of an error, by now."""
        log = self._log.read_text(errors="replace")
        return "killed by SIGKILL" in log or "(INJECTED)" in log

    def close(self) -> None:
        """Detach, and forget the log."""
        self.detach()
        shutil.rmtree(self._folder, ignore_errors=True)


def require_strace() -> None:
    """Skip where there is none."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")


def workers_of(daemon: int) -> list[int]:
    """Its worker processes: what the one that forks them has forked."""
    parents = dict(_family(daemon))
    return sorted(process for process, parent in parents.items() if parents.get(parent) == daemon)


def _family(daemon: int) -> Iterable[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[2]) == daemon and fields[0] not in "ZX":
                yield int(entry.name), int(fields[1])

"""A Dask cluster of real processes on this machine: a scheduler, and nodes that have nothing of each other."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
STARTS_WITHIN = 60.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@dataclass(slots=True)
class Cluster:
    """Its processes. Each node has its own home, its own working folder and an empty environment."""

    folder: Path
    port: int = field(default_factory=free_port)
    scheduler: subprocess.Popen[bytes] | None = None
    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The scheduler's."""
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        """Start it, or start it again at the same address. Returns once it listens."""
        arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--no-jupyter"]
        self.scheduler = self._started("scheduler", arguments, {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"})
        until = time.monotonic() + STARTS_WITHIN
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < until, (self.folder / "scheduler" / "log").read_text()
            time.sleep(0.05)

    def start_node(
        self,
        name: str,
        *,
        threads: int = 1,
        nanny: bool = False,
        env: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        """Start a node. It may take some seconds until the scheduler has it. `within` stands before its command."""
        arguments = [self.address, "--name", name, "--nthreads", str(threads), "--no-dashboard", "--memory-limit", "0"]
        arguments += ["--host", "127.0.0.1", "--nanny" if nanny else "--no-nanny"]
        arguments += ["--local-directory", str(self.folder / name)]
        self.nodes[name] = self._started("worker", arguments, env or {}, name, within)

    def wait_for_nodes(self) -> None:
        """Until the scheduler has all nodes that were started."""
        until = time.monotonic() + STARTS_WITHIN
        while not all((self.folder / name / "log").read_text().count("Registered to") for name in self.nodes):
            assert time.monotonic() < until, "a node does not come"
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        """As a machine that loses its power: all of it at once."""
        _kill(self.nodes.pop(name))

    def stand_still(self, name: str) -> None:
        """As a machine that is suspended: it does nothing, and nobody is told."""
        os.killpg(self.nodes[name].pid, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """It goes on where it stood, with what it was at."""
        os.killpg(self.nodes[name].pid, signal.SIGCONT)

    def kill_scheduler(self) -> None:
        """At once."""
        assert self.scheduler is not None
        _kill(self.scheduler)
        self.scheduler = None

    def close(self) -> None:
        """End all of it."""
        for name in list(self.nodes):
            self.kill(name)
        if self.scheduler is not None:
            self.kill_scheduler()

    def _started(
        self,
        what: str,
        arguments: list[str],
        env: Mapping[str, str],
        name: str = "scheduler",
        within: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        own = self.folder / name
        own.mkdir(parents=True, exist_ok=True)
        surroundings = {
            "HOME": str(own),
            "PATH": "/usr/bin:/bin",
            "TMPDIR": tempfile.gettempdir(),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": "[]",
            **env,
        }
        with (own / "log").open("ab") as log:
            return subprocess.Popen(
                [*within, BIN / "dask", what, *arguments],
                cwd=own,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def cluster(folder: Path, nodes: int = 2, **of_node: bool) -> Iterator[Cluster]:
    """A scheduler and so many nodes, named node-1, node-2 …; without nodes no scheduler either."""
    ours = Cluster(folder)
    try:
        if nodes:
            ours.start_scheduler()
        for number in range(1, nodes + 1):
            ours.start_node(f"node-{number}", **of_node)
        yield ours
    finally:
        ours.close()

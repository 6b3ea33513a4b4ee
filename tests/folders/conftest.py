"""Real daemons on real folders, treated as people, file servers and bad luck treat them.

The short form of each test is for every run. `make folders` runs the long ones, with the numbers that the promises
name; set BATCHD_LONG=1 to have them elsewhere.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..durability.rig import Child, Nursery, NurseryPlace, shared_nursery
from ..end_to_end.conftest import CONFIG, ENVIRONMENT, Process, until

LONG = bool(os.environ.get("BATCHD_LONG"))
only_long = pytest.mark.skipif(not LONG, reason="takes long: make folders")


def size(short: int, long: int) -> int:
    """How many, in this run."""
    return long if LONG else short


class Shared(NurseryPlace):
    """A place whose settings a test chooses, and a look at what its daemon has noted."""

    settings: dict[str, str]

    def configure(self, provider: str = "", **intake: str) -> None:
        """As Place; `intake` are keys of [intake], written as TOML, in place of those that are there."""
        super().configure(provider)
        self.settings = {"settle": '"200ms"', "rescan": '"200ms"', **intake}
        self.write_config()

    def write_config(self, *, top: str = "") -> None:
        """The config with the settings as they are now; `top` stands before everything else."""
        _, _, rest = CONFIG.format(url=self.url, provider="").partition("[providers.sandbox]")
        lines = [f"{key} = {value}" for key, value in self.settings.items()]
        text = "\n".join([top, "[intake]", *lines, "", "[providers.sandbox]"]) + rest
        (self.folder / "config.toml").write_text(text)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def log(self) -> str:
        """What the daemon has said so far."""
        path = self.folder / "daemon.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, *prefix: str, measured: bool = False, **environment: str) -> Process:
        """A daemon that has begun to watch; `prefix` is a command that runs it.

        One that is measured, or has a prefix or an environment of its own, does not come from the nursery.
        """
        before = self.log.count("Watching ")
        arguments = ["--config", str(self.folder / "config.toml"), "run"]
        daemon: Process
        if prefix or measured or environment:
            with (self.folder / "daemon.log").open("a") as log:
                daemon = subprocess.Popen(
                    [*prefix, sys.executable, "-m", "batchd", *arguments],
                    stdout=log,
                    stderr=log,
                    env=ENVIRONMENT | environment,
                    text=True,
                    start_new_session=True,
                )
        else:
            daemon = Child(self.nursery, arguments, self.folder / "daemon.log")
        self.processes.append(daemon)

        def watching() -> bool:
            assert daemon.poll() is None, f"the daemon ended with {daemon.poll()}:\n{self.log[-3000:]}"
            return self.log.count("Watching ") > before

        until(watching, "the daemon watches")
        return daemon

    def drop(self, path: str, text: str) -> None:
        """A whole file appears in the inbox, wherever that lies."""
        target = self.inbox / path
        draft = target.with_name(f".{target.name[:100]}.draft")
        draft.write_text(text, encoding="utf-8")
        draft.rename(target)

    def stop(self, daemon: Process) -> None:
        """SIGTERM, and a good end."""
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0, self.log[-3000:]

    def ask(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """A look at the daemon's database."""
        path = self.folder / "state" / "batchd.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []  # it is only just being made
            raise
        finally:
            connection.close()

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        return dict(self.ask("SELECT state, COUNT(*) FROM jobs GROUP BY state"))  # type: ignore[arg-type]

    def reports(self, folder: str = "reviews") -> dict[str, dict[str, Any]]:
        """Every report below a folder of the outbox, by its path there without the ending."""
        top = self.folder / "outbox" / folder
        ending = ".report.json"
        return {
            str(path.relative_to(top)).removesuffix(ending): json.loads(path.read_bytes())
            for path in top.rglob(f"*{ending}")
        }

    def status(self) -> dict[str, str]:
        """What `batchd status` says keeps the daemon waiting: subject to sentence."""
        said = self.batchd("status", "--json")
        assert said.returncode == 0, said.stderr
        return {each["subject"]: each["text"] for each in json.loads(said.stdout)["conditions"]}

    def quiet(self) -> None:
        """Wait until nothing lies in the inbox that could be taken, and every job is at its end."""

        def idle() -> bool:
            left = [path for path in self.inbox.rglob("*") if path.is_file() and not path.name.startswith(".")]
            return not left and not (self.counts().keys() - {"done", "rejected", "cancelled"})

        until(idle, f"everything is through; {self.counts()}", seconds=600)


@pytest.fixture(scope="session")
def nursery() -> Nursery:
    """Where daemons are born."""
    return shared_nursery()


@pytest.fixture
def shared(tmp_path: Path, nursery: Nursery) -> Iterator[Shared]:
    """A place with a sandbox running."""
    place = Shared(tmp_path, nursery)
    try:
        place.serve("--instant")
        yield place
    finally:
        place.close()


def rows_of(tag: str, number: int) -> list[str]:
    """Lines of a file of reviews, the header first; each row says whose it is."""
    return ["id,review", *(f"{tag}-{row},review {row} of {tag} was good" for row in range(number))]


def gone(path: Path) -> bool:
    """Whether the file has left the inbox."""
    return not os.path.lexists(path)


def now() -> float:
    """The clock that a daemon settles by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

"""Folders that outlive many daemons, a server beside them, and the count of what came of every row."""

from __future__ import annotations

import atexit
import csv
import json
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any, ClassVar
from unittest import mock

from ..end_to_end.conftest import ENVIRONMENT, PATIENCE, Place, Process, until

NURSERY = Path(__file__).with_name("nursery.py")

CONFIG = """
[folders]
{folders}

[intake]
settle = "100ms"
rescan = "{rescan}"
duplicates = "process"

[providers.sandbox]
plugin = "openai"
mode = "{mode}"
calls_at_once = {at_once}
base_url = "{url}"
api_key = "env:SANDBOX_KEY"
poll = "100ms"
linger = "0s"
max_requests = {max_requests}
create_timeout = "{create_timeout}"

[routes.reviews]
provider = "sandbox"
model = "sandbox-small"
part_rows = {part_rows}
attempts = 20

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{{{ review }}}}"
"""

FOLDERS = ("inbox", "outbox", "archive", "rejected", "state")

ECHO = Path(__file__).parents[2] / "examples" / "plugins" / "echo.py"
ECHO_CONFIG = """
plugin_dir = "plugins.d"

[intake]
settle = "20ms"

[providers.echo]
poll = "50ms"
linger = "0s"

[routes.reviews]
provider = "echo"
model = "any"
prompt = { plugin = "template", user = "{{ review }}" }
"""


class Nursery:
    """Forks daemons; see nursery.py. `sabotage` is a folder with a sitecustomize.py that breaks what it runs."""

    def __init__(self, *, sabotage: Path | None = None) -> None:
        self._one_at_a_time = threading.Lock()
        environment = dict(ENVIRONMENT)
        if sabotage is not None:
            environment["PYTHONPATH"] = os.pathsep.join([str(sabotage), environment.get("PYTHONPATH", "")]).strip(":")
        self._process = subprocess.Popen(
            [sys.executable, NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the nursery did not start"

    def ask(self, *request: object) -> Any:
        """One request, its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(request) + "\n")
            return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """No more children."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def run(
        self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """A command of batchd to its end, with what it printed."""
        with tempfile.TemporaryDirectory() as place:
            out, errors = Path(place, "out"), Path(place, "errors")
            child = Child(self, arguments, out, str(errors), str(folder), dict(environment))
            try:
                status = child.wait(timeout)
            except subprocess.TimeoutExpired:
                child.kill()
                raise
            return subprocess.CompletedProcess([*arguments], status, out.read_text(), errors.read_text())


@cache
def shared_nursery() -> Nursery:
    """The one of this process, for all tests that want no sabotaged one."""
    ours = Nursery()
    atexit.register(ours.close)
    return ours


@dataclass
class Life:
    """One daemon, from its start to its end."""

    nursery: Nursery
    pid: int
    status: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it has ended, by itself or not."""
        if self.status is None:
            self.status = self.nursery.ask("poll", self.pid)
        return self.status is not None

    def cpu_seconds(self) -> float:
        """What the daemon itself, without its workers, has worked so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """kill -9 of the daemon and its workers, at once."""

        def struck() -> bool:
            # Not one that has ended: its number may be another process's by now.
            if not self.ended:
                os.killpg(self.pid, signal.SIGKILL)
            return self.ended

        until(struck, f"process {self.pid} has ended")

    def stop(self) -> int:
        """SIGTERM, and how it ended."""
        if not self.ended:
            os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """How it ended."""
        until(lambda: self.ended, f"process {self.pid} has ended")
        assert self.status is not None
        return self.status


@dataclass
class Counts:
    """What became of everything that was dropped."""

    files: int = 0
    rows: int = 0
    delivered: int = 0
    executed: int = 0
    paid_twice: int = 0
    wrong: list[str] = field(default_factory=list)
    """A sentence for each promise that was broken."""

    def __str__(self) -> str:
        numbers = (
            f"files {self.files:,}  rows {self.rows:,}  delivered {self.delivered:,}  executed {self.executed:,}  "
            f"paid twice {self.paid_twice:,}  lost or broken {len(self.wrong):,}"
        )
        return "\n  ".join([numbers, *self.wrong])


class Child:
    """A process from a nursery, with what is used of subprocess.Popen."""

    stdout: IO[Any] | None = None

    def __init__(self, nursery: Nursery, arguments: Sequence[str], log: Path, *surroundings: object) -> None:
        self._nursery = nursery
        self.pid: int = nursery.ask("start", arguments, str(log), False, *surroundings)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, if it has."""
        if self.returncode is None:
            self.returncode = self._nursery.ask("poll", self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has."""
        if self.poll() is None:
            handle = os.pidfd_open(self.pid)
            try:
                select.select([handle], [], [], timeout)
            finally:
                os.close(handle)
            if self.poll() is None:
                raise subprocess.TimeoutExpired("batchd", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, signal: int, /) -> None:
        """To it alone, unless it has ended: its number may be another process's by then."""
        if self.poll() is None:
            os.kill(self.pid, signal)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)


class ChildAlone(Child):
    """In place of the process in which a test would try plugins, with the pipe that it speaks through."""

    def __init__(self, nursery: Nursery, arguments: Sequence[str], errors: IO[bytes]) -> None:
        reads, writes = os.pipe()
        self._nursery, self.returncode = nursery, None
        self.stdout = os.fdopen(reads, "rb")
        ends = (f"/proc/{os.getpid()}/fd/{descriptor}" for descriptor in (writes, errors.fileno()))
        self.pid = nursery.ask("alone", arguments, *ends, os.getcwd(), dict(os.environ))
        os.close(writes)


@contextmanager
def plugins_tried_in_forks() -> Iterator[None]:
    """While a test calls commands in this process: plugins are tried in forks, as of any daemon from a nursery."""

    # A class as the other is: libraries that are imported meanwhile write `Popen[bytes]`.
    class Begun(subprocess.Popen[bytes]):
        def __new__(cls, command: Sequence[str], *_: Any, **options: Any) -> Any:
            if "batchd.config.checking.rehearsing" in str(command):
                return ChildAlone(shared_nursery(), command[1:], options["stderr"])
            return super().__new__(cls)

    with mock.patch("subprocess.Popen", Begun):
        yield


class NurseryPlace(Place):
    """A place whose processes come from a nursery: most of a short life would be its imports."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        super().__init__(folder)
        self.nursery = nursery

    def batchd(self, *arguments: str, timeout: float = 3 * PATIENCE) -> subprocess.CompletedProcess[str]:
        """As Place."""
        command = ["--config", str(self.folder / "config.toml"), *arguments]
        return self.nursery.run(command, folder=self.folder, environment=ENVIRONMENT, timeout=timeout)

    def run(self) -> Process:
        """As Place."""
        log = self.folder / "daemon.log"
        log.touch()
        process = Child(self.nursery, ["--config", str(self.folder / "config.toml"), "run"], log)
        self.processes.append(process)
        return process

    def sandbox(self, *arguments: str) -> str:
        """As Place."""
        log = self.folder / f"sandbox-{len(self.processes)}.log"
        process = Child(self.nursery, arguments, log)
        self.processes.append(process)

        def address() -> re.Match[str] | None:
            assert process.poll() is None, f"the sandbox did not start:\n{log.read_text()}"
            return re.search(r"http://\S+(?=\s)", log.read_text()) if log.exists() else None

        found: re.Match[str] = until(address, "the sandbox says where it listens")
        return found[0]


@contextmanager
def served_place(folder: Path) -> Iterator[NurseryPlace]:
    """A place with a sandbox running, whose processes are forked from one that has imported everything."""
    place = NurseryPlace(folder, shared_nursery())
    try:
        place.serve()
        yield place
    finally:
        place.close()


def put_echo_house(folder: Path, plugin: str, more: str, rows: str) -> None:
    """A folder with a plugin beside the provider `echo`, what `more` adds to the route, and a file in the inbox."""
    for name in ("plugins.d", "inbox/reviews", "outbox", "archive", "rejected"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ECHO, folder / "plugins.d")
    (folder / "plugins.d" / "deadly.py").write_text(plugin)
    (folder / "config.toml").write_text(ECHO_CONFIG + more)
    (folder / "inbox" / "reviews" / "may.csv").write_text(f"id,review\n{rows}")


def run_once_in(folder: Path) -> int:
    """`batchd once` there; its exit status, which may be that it was killed."""
    done = shared_nursery().run(["once", "--workers", "1"], folder=folder, environment=os.environ, timeout=120)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode


class Rig(NurseryPlace):
    """A place whose folders may lie anywhere, and which knows what it dropped."""

    living: ClassVar[weakref.WeakSet[Rig]] = weakref.WeakSet()
    """Those that are not closed yet: a test that fails shows what their daemons said last."""

    def __init__(self, folder: Path, nursery: Nursery, **folders: Path) -> None:
        super().__init__(folder, nursery)
        self.folders = {name: folders.get(name, folder / name) for name in FOLDERS}
        self.terms: dict[str, object] = {"create_timeout": "1s", "part_rows": 4, "rescan": "100ms"}
        self.terms |= {"mode": "batch", "at_once": 1024, "max_requests": 10_000}
        self.untold = 0
        """Live calls that may be made again without a word of it: those of the last second before a power cut."""
        self.dropped: dict[str, int] = {}
        self.lives: list[Life] = []
        self.log = folder / "daemon.log"
        self.living.add(self)

    def configure(self, provider: str = "") -> None:
        """Write the config and make the folders."""
        folders = "\n".join(f"{name} = {json.dumps(str(path))}" for name, path in self.folders.items())
        (self.folder / "config.toml").write_text(CONFIG.format(folders=folders, url=self.url, **self.terms) + provider)
        for path in self.folders.values():
            path.mkdir(parents=True, exist_ok=True)
        (self.folders["inbox"] / "reviews").mkdir(exist_ok=True)

    def live(self, *options: str) -> Life:
        """A daemon that watches the inbox; the options stand before its command."""
        self.log.touch()
        said = self.log.stat().st_size
        life = self.begin(*options, "run", "--workers", "1")
        until(lambda: life.ended or b"Watching" in self.said(said), "the daemon watches")
        assert not life.ended, f"the daemon ended by itself with {life.status}:\n{self.tail()}"
        return life

    def begin(self, *arguments: str, stopped: bool = False) -> Life:
        """A command of batchd in a process of its own; its output goes to the log. `stopped`, it waits for SIGCONT."""
        command = ["--config", str(self.folder / "config.toml"), *arguments]
        life = Life(self.nursery, self.nursery.ask("start", command, str(self.log), stopped))
        self.lives.append(life)
        return life

    def said(self, since: int = 0) -> bytes:
        """The log from there on."""
        with self.log.open("rb") as file:
            file.seek(since)
            return file.read()

    def tail(self, size: int = 1500) -> str:
        """The end of the log, for a message."""
        return self.said()[-size:].decode(errors="replace")

    def drop_rows(self, name: str, rows: int) -> None:
        """A file of so many rows appears in the inbox, whole and durable."""
        draft = self.folders["inbox"] / f".{name}.part"
        with draft.open("w", newline="") as file:
            file.write(self.text(name, rows))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.folders["inbox"] / "reviews" / f"{name}.csv")
        for folder in (self.folders["inbox"], self.folders["inbox"] / "reviews"):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(descriptor)
            os.close(descriptor)
        self.dropped[name] = rows

    def text(self, name: str, rows: int) -> str:
        """What is in a file that was dropped."""
        return "id,review\n" + "".join(f"{name}-{row},review {row} of {name} was fine\n" for row in range(rows))

    def reported(self, name: str) -> bool:
        """Whether the file's report is in the outbox, its original in the archive and its note away: all is over."""
        outbox = self.folders["outbox"] / "reviews"
        return (
            (outbox / f"{name}.report.json").exists()
            and (self.folders["archive"] / "reviews" / f"{name}.csv").exists()
            and not (outbox / f"{name}.waiting.txt").exists()
        )

    def drained(self) -> bool:
        """Whether everything that was dropped has come out."""
        return all(self.reported(name) for name in self.dropped)

    def drain(self, life: Life, *, seconds: float = 120.0) -> None:
        """Wait until everything that was dropped has come out."""
        until(lambda: life.ended or self.drained(), "everything that was dropped has come out", seconds=seconds)
        assert not life.ended, f"the daemon ended by itself with {life.status}:\n{self.tail()}"

    # --- counting --------------------------------------------------------------------------------------------

    def looked_over(self, *, at_rest: bool = False) -> list[str]:
        """What is wrong with what lies in the folders now; `at_rest`, there must be no draft either."""
        wrong = []
        outbox, rejected = self.folders["outbox"], self.folders["rejected"]
        for path in sorted(outbox.rglob("*")):
            if path.is_dir():
                continue
            if path.name.startswith("."):
                wrong += [f"a draft was left: {path.name}"] if at_rest else []
            elif path.name.endswith(".report.json"):
                wrong += self._report(path)
            elif path.name.endswith(".results.csv"):
                wrong += self._results(path)
            elif path.name.endswith(".report.html"):
                wrong += [] if path.read_bytes().endswith(b"</html>") else [f"half a page: {path.name}"]
            elif path.name.endswith(".waiting.txt"):
                wrong += [f"a note was left: {path.name}"] if at_rest else []
            else:
                wrong.append(f"nobody asked for {path.name}")
        wrong += [f"rejected: {path.name}" for path in rejected.rglob("*") if path.is_file()]
        for path in self.folders["archive"].rglob("*.csv"):
            if path.read_text() != self.text(path.stem, self.dropped.get(path.stem, 0)):
                wrong.append(f"the original is not as it was dropped: {path.name}")
        return wrong

    def _report(self, path: Path) -> list[str]:
        name = path.name.removesuffix(".report.json")
        try:
            report = json.loads(path.read_bytes())
        except ValueError:
            return [f"{path.name} is half a file"]
        rows = self.dropped.get(name)
        return [] if report["rows"]["ok"] == rows else [f"{path.name} tells of {report['rows']}, dropped were {rows}"]

    def _results(self, path: Path) -> list[str]:
        name = path.name.removesuffix(".results.csv")
        with path.open(newline="") as file:
            found = list(csv.DictReader(file))
        if [row["id"] for row in found] != [f"{name}-{row}" for row in range(self.dropped.get(name, 0))]:
            return [f"{path.name} holds {len(found)} rows, not the {self.dropped.get(name)} that were dropped"]
        return [f"{path.name}: {row}" for row in found if row["status"] != "ok"]

    def checked(self) -> Counts:
        """After everything was let run out: the folders, the database, and the server's own count."""
        counts = Counts(len(self.dropped), sum(self.dropped.values()), wrong=self.looked_over(at_rest=True))
        for name, rows in self.dropped.items():
            if (self.folders["outbox"] / "reviews" / f"{name}.results.csv").exists():
                counts.delivered += rows
            else:
                counts.wrong.append(f"{name} was lost")
            if not self.reported(name):
                counts.wrong.append(f"{name} has no report, or its original is not in the archive")
        left = [path.name for path in self.folders["inbox"].rglob("*") if path.is_file()]
        counts.wrong += [f"left in the inbox: {name}" for name in left]
        counts.wrong += [f"the database: {fault}" for fault in self.integrity()]
        ledger = self.ledger()
        if self.terms["mode"] == "live":
            self._count_live(counts, ledger["live"])
            return counts
        counts.executed = ledger["requests_executed"]
        counts.paid_twice = len(ledger["executed_twice"])
        counts.wrong += [f"paid twice: {custom_id}" for custom_id in ledger["executed_twice"]]
        if counts.executed != counts.rows and not counts.paid_twice:
            counts.wrong.append(f"{counts.executed} requests were executed for {counts.rows} rows")
        return counts

    def _count_live(self, counts: Counts, live: Mapping[str, int]) -> None:
        """Live calls under way at a kill may be paid twice, and then the report says so."""
        counts.executed, counts.paid_twice = live["distinct"], live["answers"] - live["distinct"]
        if counts.executed != counts.rows:
            counts.wrong.append(f"{counts.executed} rows were answered of {counts.rows}")
        told = 0
        for path in self.folders["outbox"].rglob("*.report.json"):
            batches = json.loads(path.read_bytes())["batches"]
            told += sum((batch["possibly_paid_twice"] or {"rows": 0})["rows"] for batch in batches)
        if counts.paid_twice > told + self.untold:
            counts.wrong.append(f"{counts.paid_twice} calls were made again, and {told} are told of")

    def integrity(self) -> list[str]:
        """What SQLite finds wrong with the database."""
        path = self.folders["state"] / "batchd.db"
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        finally:
            connection.close()
        return [] if found == ["ok"] else found

    def query(self, statement: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
        """What the database says."""
        path = self.folders["state"] / "batchd.db"
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(statement, arguments)]
        finally:
            connection.close()

    def shorten_log(self) -> None:
        """Give the room in SQLite's log back: the next commits need some of the disk's, and not what it holds already."""
        connection = sqlite3.connect(self.folders["state"] / "batchd.db", timeout=30)
        try:
            until(
                lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0,
                "SQLite's log is empty",
            )
        finally:
            connection.close()

    def close(self) -> None:
        """End everything."""
        self.living.discard(self)
        for life in self.lives:
            if not life.ended:
                life.kill()
        super().close()

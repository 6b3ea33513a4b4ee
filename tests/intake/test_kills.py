"""Killed, or told of an error, at every single system call: the next try finishes, and nothing is lost or left over.

The repository's own variant of SQLite's crash tests: strace stops the process at the n-th call, for every n.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchd.delivery.archive import move, write_why
from batchd.intake.claiming import Claimed, claim

from ..cases import EVERY_CASE, pairs
from .conftest import make_place, until

pytestmark = pytest.mark.slow

CONTENT = b"review\n" + b"good\n" * 400_000

# What changes something, or makes it durable. Reads in between change nothing that a kill could show.
CALLS = (
    "rename,renameat,renameat2,link,linkat,symlink,unlink,unlinkat,mkdir,mkdirat,"
    "openat,write,pwrite64,fsync,fdatasync,fchmod,utimensat,ftruncate,close"
)


class Strace:
    """Runs an action in a child under strace."""

    def __init__(self, scratch: Path) -> None:
        self._log = scratch / "strace.log"
        self._zygote = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def end(self) -> None:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.close()
        self._zygote.wait(10)
        self._zygote.stdout.close()

    def run(self, action: list[object], *inject: str) -> int:
        """How the child ended: 0, 1 for an OSError, or minus the signal."""
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(action) + "\n")
        child = int(self._zygote.stdout.readline())
        until(lambda: state(child) == "T", seconds=60.0, what="the child to stop")
        injections = [word for one in inject for word in ("-e", f"inject={one}")]
        with subprocess.Popen(
            ["strace", "-o", self._log, "-e", f"trace={CALLS}", *injections, "-p", str(child)],
            stderr=subprocess.PIPE,
            text=True,
        ) as strace:
            assert strace.stderr is not None
            # Only after this line does it see every call.
            said = strace.stderr.readline()
            os.kill(child, signal.SIGCONT)
            status = int(self._zygote.stdout.readline())
            strace.stderr.read()
        if not said.endswith("attached\n"):
            pytest.skip(f"strace cannot trace here: {said.strip()}")
        return status

    def calls(self) -> list[str]:
        """The calls of the last run, by name and in order."""
        lines = self._log.read_text(errors="replace").splitlines()
        return [match[1] for line in lines if (match := re.match(r"(\w+)\(", line))]


def state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()[0]


@pytest.fixture(scope="module")
def strace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strace]:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    ours = Strace(tmp_path_factory.mktemp("strace"))
    yield ours
    ours.end()


def points(calls: list[str]) -> list[tuple[str, int]]:
    """Each call as strace counts it: `fsync` the 2nd time."""
    seen: Counter[str] = Counter()
    numbered = []
    for call in calls:
        seen[call] += 1
        numbered.append((call, seen[call]))
    return numbered


@dataclass
class Scenario:
    """An action in fresh folders; `finish` calls it again and looks at what has become of everything."""

    prepare: Callable[[Path], tuple[list[object], Callable[[], None]]]
    fewest: int

    def everywhere(self, strace: Strace, folder: Path) -> list[tuple[str, int]]:
        action, finish = self.prepare(folder / "first")
        assert strace.run(action) == 0
        finish()
        found = points(strace.calls())
        assert len(found) >= self.fewest, found
        return found


def claiming(inbox: Path, state: Path) -> tuple[list[object], Callable[[], None]]:
    place = make_place(state, inbox)
    stamp = place.drop("reviews/may.csv", CONTENT)
    arguments = (place.inbox, "reviews/may.csv", stamp, place.target, place.job)

    def finish() -> None:
        assert any(
            path.read_bytes() == CONTENT for folder in (place.inbox, place.job_folder) for path in all_files(folder)
        ), "the only copy was lost"
        outcome = claim(*arguments)
        assert isinstance(outcome, Claimed)
        assert place.target.read_bytes() == CONTENT
        assert place.left_in_job() == ["source"]
        assert place.left_in_inbox() == []

    action = ["claim", str(place.inbox), "reviews/may.csv", list(stamp), str(place.target), place.job]
    return action, finish


def moving(state: Path, archive: Path) -> tuple[list[object], Callable[[], None]]:
    source, target = state / "job" / "source", archive / "reviews" / "may.csv"
    source.parent.mkdir(parents=True)
    archive.mkdir(parents=True, exist_ok=True)
    source.write_bytes(CONTENT)

    def finish() -> None:
        assert any(path.read_bytes() == CONTENT for path in [*all_files(state), *all_files(archive)])
        assert not target.exists() or target.read_bytes() == CONTENT, "half a file was to be seen"
        assert move(source, target)
        assert target.read_bytes() == CONTENT
        assert all_files(source.parent) == []
        assert all_files(archive) == [target]

    return ["move", str(source), str(target)], finish


def explaining(folder: Path) -> tuple[list[object], Callable[[], None]]:
    target, text = folder / "reviews" / "may.csv", "The file is empty.\n"
    folder.mkdir()

    def finish() -> None:
        note = target.with_name("may.csv.why.txt")
        assert not note.exists() or note.read_text() == text
        write_why(target, text)
        assert note.read_text() == text
        assert all_files(folder) == [note]

    return ["why", str(target), text], finish


def all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


SCENARIOS = ["claim within", "claim across", "move within", "move across", "why"]


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    match request.param:
        case "claim within":
            return Scenario(lambda folder: claiming(folder, folder), 10)
        case "claim across":
            elsewhere: Path = request.getfixturevalue("elsewhere")
            return Scenario(lambda folder: claiming(elsewhere / folder.name, folder), 20)
        case "move within":
            return Scenario(lambda folder: moving(folder, folder / "archive"), 8)
        case "move across":
            elsewhere = request.getfixturevalue("elsewhere")
            return Scenario(lambda folder: moving(folder, elsewhere / folder.name), 15)
        case _:
            return Scenario(explaining, 8)


def test_killed_at_every_call(scenario, strace, tmp_path):
    for call, number in scenario.everywhere(strace, tmp_path):
        action, finish = scenario.prepare(tmp_path / f"{call}-{number}")
        assert strace.run(action, f"{call}:signal=SIGKILL:when={number}") == -signal.SIGKILL, (call, number)
        finish()


@pytest.mark.parametrize(("scenario", "error"), pairs(SCENARIOS, ["EIO", "ENOSPC"]), indirect=["scenario"])
def test_an_error_at_every_call(scenario, strace, tmp_path, error):
    for call, number in scenario.everywhere(strace, tmp_path):
        if call == "close":
            continue  # our descriptors are read from or synced before: nothing is learned at their close
        action, finish = scenario.prepare(tmp_path / f"{call}-{number}")
        assert strace.run(action, f"{call}:error={error}:when={number}") in {0, 1}, (call, number)
        finish()


def test_killed_again_and_again(scenario, strace, tmp_path):
    """Each try is killed at some call, early or late, until one gets through."""
    chance = random.Random(5)
    known = scenario.everywhere(strace, tmp_path)
    for turn in range(12 if EVERY_CASE else 6):
        action, finish = scenario.prepare(tmp_path / f"turn{turn}")
        for _ in range(8):
            call, number = chance.choice(known)
            if strace.run(action, f"{call}:signal=SIGKILL:when={number}") == 0:
                break
        finish()

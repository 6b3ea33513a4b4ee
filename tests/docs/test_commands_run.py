"""The commands on the pages do what the pages say: the first ones word for word, the others on a house with jobs."""

from __future__ import annotations

import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..cases import share
from ..cli.cli_kit import House, finished_house, here
from ..client.client_kit import free_port
from ..durability.rig import Child, shared_nursery
from .pages import DOCS
from .test_pages import shown_commands

pytestmark = pytest.mark.slow

BESIDE = "<!-- in another terminal -->\n"
_BLOCK = re.compile(rf"({BESIDE})?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "8089"
"""Where the sandbox listens, unless told otherwise."""
SHIM = f"""#!{sys.executable} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as ours:
    ours.connect(os.environ["SHIM"])
    ours.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    ours.shutdown(socket.SHUT_WR)
    status, out, errors = json.load(ours.makefile())
sys.stdout.write(out)
sys.stderr.write(errors)
sys.exit(status)
"""
"""What is called batchd: the nursery forks the real one. Most of a short life would be its imports."""


class Batchd(socketserver.StreamRequestHandler):
    """Runs a command to its end; one behind LOG goes on beside the others, with its output there."""

    def handle(self) -> None:
        arguments, folder, environment = json.loads(self.rfile.read())
        log = environment.pop("LOG", None)
        if log is None:
            done = shared_nursery().run(arguments, folder=folder, environment=environment, timeout=120)
            answer: list[object] = [done.returncode, done.stdout, done.stderr]
        else:
            Path(log).touch()
            self.server.beside.append(  # type: ignore[attr-defined]
                Child(shared_nursery(), arguments, Path(log), log, folder, environment)
            )
            answer = [0, "", ""]
        self.wfile.write(json.dumps(answer).encode())


@contextmanager
def batchd_in(folder: Path) -> Iterator[Path]:
    """A folder with a command `batchd`, for a shell."""
    shim = folder / "bin" / "batchd"
    shim.parent.mkdir()
    shim.write_text(SHIM)
    shim.chmod(0o755)
    with socketserver.ThreadingUnixStreamServer(str(folder / "socket"), Batchd) as server:
        server.beside = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield shim.parent
        finally:
            for child in server.beside:  # type: ignore[attr-defined]
                child.terminate()
                child.wait(60)
            server.shutdown()
            thread.join()


def script(page: str, port: int) -> str:
    """All commands of a page, in order; those for another terminal beside the others. A file is waited for."""
    lines = ["set -euo pipefail"]
    for number, (beside, block) in enumerate(_BLOCK.findall(page)):
        if beside:
            log = f'"$LOGS/{number}"'
            lines += [f"LOG={log} {block.strip()}", f"until grep -qE 'listening|Watching' {log}; do sleep 0.1; done"]
        else:
            wait = r"for i in $(seq 600); do [ -e \1 ] && break; sleep 0.1; done\n\g<0>"
            lines.append(re.sub(r"^cat (outbox/\S+)", wait, block.strip(), flags=re.MULTILINE))
    text = "\n".join(lines).replace(f":{PORT}/", f":{port}/")
    return text.replace("batchd sandbox ", f"batchd sandbox --port {port} ")


@pytest.mark.parametrize(
    ("page", "file", "column"),
    share([("tutorial.md", "june", "mood"), ("vi/quick-start.md", "thang6", "cam_xuc")]),
)
def test_the_first_pages_run_as_they_stand(tmp_path: Path, page: str, file: str, column: str) -> None:
    (tmp_path / "logs").mkdir()
    written = (DOCS / page).read_text("utf-8")
    text = script(written, free_port())
    with batchd_in(tmp_path) as batchd:
        environment = {"PATH": f"{batchd}:{os.environ['PATH']}", "SHIM": str(tmp_path / "socket"), "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=tmp_path,
            env={**environment, "HOME": str(tmp_path), "LOGS": str(tmp_path / "logs")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    logs = "\n".join(log.read_text() for log in sorted((tmp_path / "logs").iterdir()))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
    rows = (tmp_path / "shop" / "outbox" / f"{file}.results.csv").read_text("utf-8").splitlines()
    assert rows[0].endswith(f"{column},status,error")
    assert [row.endswith(",ok,") for row in rows[1:]] == [True] * 3, rows
    told = [line.strip() for line in written.splitlines() if line.startswith("    ") and line.endswith(",ok,")]
    assert told == rows[1:]


ELSEWHERE = {
    "init": "run by the tutorial",
    "run": "run by the tutorial",
    "once": "run by the tutorial",
    "sandbox": "run by the tutorial",
    "try": "run by the tutorial",
    "restore": "run by tests/end_to_end/test_backup.py",
    "mcp": "run by tests/mcp_plugin",
    "status --watch": "run by tests/cli/test_terminal.py",
}
"""What needs a process of its own, or does not end."""
CONFIG = """
[providers.openai]
service = "openai"
[providers.holysheep]
service = "holysheep"
[routes.reviews]
match = ["reviews/**", "*.csv"]
provider = "holysheep"
model = "deepseek-v3.2"
[routes.reviews.prompt]
plugin = "template"
user = "Review: {{ review }}"
"""
MAY_FAIL = {"check": 5}
"""Exit statuses other than 0 that are right here: the key of `check` is not set."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house with a job of may.csv, and the files that the pages name."""
    folder = tmp_path_factory.mktemp("pages") / "house"
    house, _ = finished_house(folder)
    house.config.write_text(CONFIG)
    (folder / "may.csv").write_text("id,review\n1,good\n")
    (folder / "may.review.csv").write_text("row,review,answer,agree\n1,good,fine,y\n")
    return house


def test_every_other_command_runs(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = []
    for page, arguments in shown_commands():
        words = arguments[2:] if arguments[0] == "--config" else arguments
        line = " ".join(words)
        if page.removeprefix("docs/") in ("tutorial.md", "vi/quick-start.md"):
            continue
        if words[0] in ELSEWHERE or line in ELSEWHERE:
            continue
        monkeypatch.chdir(house.folder)
        # A path of somebody's machine is one of the house here.
        words = [f"{house.folder}{word}" if word.startswith("/") else word for word in words]
        said = here(*words, config=None if words[0] == "--version" else house.config)
        if said.status != MAY_FAIL.get(line, 0):
            faults.append(f"{page}: batchd {line}\n{said!r}")
    assert not faults, "\n".join(faults)

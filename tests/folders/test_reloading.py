"""A broken configuration, again and again while files come: the old one stays, and nothing is lost."""

from __future__ import annotations

import signal
import socket
import threading

import pytest

from .conftest import Shared, rows_of, size, until

pytestmark = pytest.mark.slow

BROKEN = [
    "nonsense = true",
    "[intake",
    '[routes.other]\nprovider = "nobody"\nmodel = "x"',
    '[providers.other]\nplugin = "no-such-plugin"\n[routes.other]\nprovider = "other"\nmodel = "x"',
    "\x00",
]


class Manager:
    """What a service manager hears on its socket."""

    def __init__(self, path: str) -> None:
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def words(self) -> list[str]:
        """RELOADING, READY and STOPPING, in order."""
        return [line.split("=")[0] for line in self.heard if line in {"READY=1", "RELOADING=1", "STOPPING=1"}]

    def close(self) -> None:
        """Hear nothing more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def _listen(self) -> None:
        while datagram := self._socket.recv(4096):
            self.heard += datagram.decode().splitlines()


@pytest.mark.slow(seconds=5)
def test_broken_configurations_while_files_come(shared: Shared) -> None:
    times = size(6, 100)
    address = f"\0batchd-{shared.folder.name}-{id(shared)}"
    manager = Manager(address)
    try:
        daemon = shared.start(NOTIFY_SOCKET=f"@{address[1:]}")
        until(lambda: manager.words() == ["READY"], "it is ready")
        good = (shared.folder / "config.toml").read_text()
        for turn in range(times):
            shared.drop(f"reviews/file{turn:03d}.csv", "\n".join(rows_of(f"t{turn}", 3)) + "\n")
            (shared.folder / "config.toml").write_text(f"{good}\n{BROKEN[turn % len(BROKEN)]}\n")
            daemon.send_signal(signal.SIGHUP)
            wanted = 2 * (turn + 1) + 1
            until(lambda wanted=wanted: len(manager.words()) == wanted, "READY follows RELOADING")
        assert manager.words() == ["READY", *["RELOADING", "READY"] * times]
        assert shared.log.count("The old one stays") + shared.log.count("the old one stays") == times
        assert "Traceback" not in shared.log
        until(lambda: len(shared.reports()) == times, "every file was delivered by the old one")
        assert {report["rows"]["ok"] for report in shared.reports().values()} == {3}
        (shared.folder / "config.toml").write_text(good)
        daemon.send_signal(signal.SIGHUP)
        until(lambda: "The configuration was reloaded." in shared.log, "the mended one is taken")
        shared.drop("reviews/after.csv", "\n".join(rows_of("after", 3)) + "\n")
        until(lambda: "after" in shared.reports(), "and it works")
        shared.stop(daemon)
        until(lambda: manager.words()[-1] == "STOPPING", "the manager hears that it stops")
    finally:
        manager.close()
    assert shared.ledger()["executed_twice"] == []


ASKING = """
import _tag
from batchd import PromptBuilder, hookimpl


class Ask(PromptBuilder):
    columns = ("answer",)

    def needs(self):
        return ("review",)

    def build(self, row):
        return {"messages": [{"role": "user", "content": row["review"]}]}

    def parse(self, response):
        return {"answer": _tag.TAG}


@hookimpl
def register_prompt_builders(register):
    register("ask", Ask)
"""
OBSERVING = """
from pathlib import Path
from batchd import Observer, hookimpl


class Note(Observer):
    async def notice(self, event):
        with Path("{file}").open("a") as file:
            file.write(event.kind + "\\n")


@hookimpl
def register_observers(register):
    register("note", Note)
"""


def test_changed_plugins_of_the_folder_are_taken_up(shared: Shared) -> None:
    """By the workers that have loaded them before, and by those who are told of events; another folder as well."""
    plugins = shared.folder / "plugins.d"
    plugins.mkdir()
    (plugins / "_tag.py").write_text("TAG = 'one'\n")
    (plugins / "asking.py").write_text(ASKING)
    config = shared.folder / "config.toml"
    route = '\n[routes.asked]\nprovider = "sandbox"\nmodel = "sandbox-small"\n[routes.asked.prompt]\nplugin = "ask"\n'
    shared.write_config(top='plugin_dir = "plugins.d"')
    config.write_text(config.read_text() + route)
    (shared.inbox / "asked").mkdir()
    daemon = shared.start()
    reloaded = 0

    def answers(name: str) -> set[str]:
        shared.drop(f"asked/{name}.csv", "\n".join(rows_of(name, 3)) + "\n")
        until(lambda: name in shared.reports("asked"), f"{name} is through")
        lines = (shared.folder / "outbox" / "asked" / f"{name}.results.csv").read_text().splitlines()
        return {line.split(",")[2] for line in lines[1:]}

    def reload() -> None:
        nonlocal reloaded
        reloaded += 1
        daemon.send_signal(signal.SIGHUP)
        until(lambda: shared.log.count("The configuration was reloaded.") == reloaded, "it is reloaded")

    assert answers("first") == {"one"}
    (plugins / "_tag.py").write_text("TAG = 'two, and longer'.partition(',')[0]\n")
    (plugins / "noting.py").write_text(OBSERVING.format(file=shared.folder / "noted"))
    without = config.read_text()
    config.write_text(without + "[observers.note]\n")
    reload()
    assert answers("second") == {"two"}
    until(lambda: (shared.folder / "noted").exists(), "the new observer is told")
    # Another folder, without the observer.
    elsewhere = shared.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "_tag.py").write_text("TAG = 'three'\n")
    (elsewhere / "asking.py").write_text(ASKING)
    config.write_text(without.replace('"plugins.d"', '"elsewhere"'))
    reload()
    (shared.folder / "noted").unlink()
    assert answers("third") == {"three"}
    assert not (shared.folder / "noted").exists(), "an observer that is gone is still told"
    shared.stop(daemon)
    assert "Traceback" not in shared.log

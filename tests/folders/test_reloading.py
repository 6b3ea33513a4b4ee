"""A broken configuration, again and again while files come: the old one stays, and nothing is lost."""

from __future__ import annotations

import signal
import socket
import threading

from .conftest import Shared, rows_of, size, until

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


def test_broken_configurations_while_files_come(shared: Shared) -> None:
    times = size(12, 100)
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
        assert manager.words()[-1] == "STOPPING"
    finally:
        manager.close()
    assert shared.ledger()["executed_twice"] == []

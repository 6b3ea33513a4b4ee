"""sd_notify, against a socket like systemd's."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batchd.system.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def bound(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@batchd-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        receiver.settimeout(5)
        yield receiver, name


@pytest.mark.parametrize(
    ("say", "heard"),
    [
        (lambda notifier: notifier.ready(), b"READY=1"),
        (lambda notifier: notifier.stopping(), b"STOPPING=1"),
        (lambda notifier: notifier.status("waiting for Łódź"), "STATUS=waiting for Łódź".encode()),
        (lambda notifier: notifier.status("a\nMAINPID=1\r\n b"), b"STATUS=a MAINPID=1 b"),
        (lambda notifier: notifier.alive(), b"WATCHDOG=1"),
    ],
)
def test_what_systemd_hears(bound: tuple[socket.socket, str], say: Callable[[Notifier], None], heard: bytes) -> None:
    receiver, name = bound
    say(Notifier({"NOTIFY_SOCKET": name}))
    assert receiver.recv(4096) == heard


def test_reloading_says_when_by_systemd_s_clock(bound: tuple[socket.socket, str]) -> None:
    receiver, name = bound
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier({"NOTIFY_SOCKET": name}).reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    first, second = receiver.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= after


@pytest.mark.parametrize("named", ["", "vsock:2:1234", "relative"])
def test_without_a_socket_nothing_is_sent(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("opened a socket"))
    for environment in ({"NOTIFY_SOCKET": named}, {}):
        notifier = Notifier(environment)
        notifier.ready()
        notifier.reloading()
        notifier.stopping()
        notifier.status("x")
        notifier.alive()


def test_nobody_listening_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert "systemd did not receive READY=1" in caplog.text


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_PID": str(os.getpid())}, None),
        ({}, None),
    ],
)
def test_how_often_the_watchdog_must_be_fed(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environment).watchdog_seconds == seconds


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert Notifier().watchdog_seconds == 2.0

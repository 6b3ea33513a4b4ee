"""Reports the daemon's state to systemd (sd_notify): datagrams of `KEY=value` lines. Idle without NOTIFY_SOCKET."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Reports ready, reloading, stopping, alive. Never raises: the work goes on without a service manager."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog_seconds = _watchdog(environment)
        """systemd restarts the daemon after so many seconds without `alive`; call it twice as often. None: never."""

    def ready(self) -> None:
        """The start or the reload is over, whether the reload succeeded or not."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The config is being read again; `ready` must follow."""
        # systemd compares this with its own CLOCK_MONOTONIC, which stands still during suspend, unlike Clock.steady.
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """The daemon is about to end."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        # A line break would begin another assignment, and a status may contain foreign file names.
        self._send("STATUS=" + " ".join(text.split()))

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                # systemd's queue may be full for a moment; without this READY it would kill the daemon.
                sender.settimeout(1.0)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            _log.debug("systemd did not receive %s: %s", lines[0], error, extra={"action": "notify"})


def _address(named: str) -> str | None:
    if named.startswith("@"):
        return "\0" + named[1:]
    # systemd also has vsock: addresses, for whole virtual machines; they are not for the daemon.
    return named if named.startswith("/") else None


def _watchdog(environment: Mapping[str, str]) -> float | None:
    microseconds, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    # Children inherit the variables: only the watched process itself may feed the watchdog.
    if process and process != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000

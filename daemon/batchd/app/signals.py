"""What the signals of a terminal and a service manager do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator


def has_terminal() -> bool:
    """Whether this process has a controlling terminal. Once that hangs up, it has none, even before SIGHUP comes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def ends_with_terminal() -> bool:
    """Whether this process is to end when its terminal is closed: it has one, and was not started with `nohup`."""
    return has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


@contextlib.contextmanager
def handle_signals(stop: Callable[[], None], hang_up: Callable[[], None] | None = None) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks the daemon to stop, the second ends it at once: a kill costs a moment's work."""
    loop = asyncio.get_running_loop()
    stopped = False

    def end(number: int) -> None:
        nonlocal stopped
        if stopped:
            os._exit(128 + number)
        stopped = True
        stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, end, int(each))
    if hang_up is not None:
        loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(each)

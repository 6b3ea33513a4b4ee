"""What the worker processes of these tests are told to do; top-level functions, so that another process finds them."""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
import socket
from pathlib import Path

from batchd.errors import FileRefused
from batchd.money import tokens
from batchd.workers.limits import limited


def double(number: int) -> int:
    """Work."""
    return 2 * number


def double_without_memory_to_say_so(number: int) -> int:
    """The system takes a part of what is to be sent, and then has no memory for the next."""
    calls = 0

    def send(self: socket.socket, data: memoryview, /) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            return super(socket.socket, self).send(data[:3])
        if calls < 4:
            raise OSError(errno.ENOBUFS, "No buffer space available")
        del socket.socket.send
        return self.send(data)

    socket.socket.send = send  # type: ignore[assignment,method-assign]
    return double(number)


def twice(text: str) -> str:
    """A result that is longer than what a socket holds."""
    return text * 2


def unsendable_result(_: object) -> object:
    """What no other process can have."""
    return lambda: None


def own_pid(_: object) -> int:
    """Which process this is."""
    return os.getpid()


def known_vocabularies(_: object) -> int:
    """How many vocabularies this process has in memory."""
    return tokens.tokenizer_of.cache_info().currsize


def leave(status: int) -> None:
    """End the process at once, as a fault in C code does."""
    os._exit(status)


def be_killed(_: object) -> None:
    """End the process as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(code: str) -> None:
    """Raise what a worker says of a file."""
    raise FileRefused(code, "It cannot be read.")


def wait_for_ever(folder: str) -> None:
    """Say who this is, and never end."""
    note = Path(folder, f".{os.getpid()}")
    note.touch()
    note.rename(Path(folder, str(os.getpid())))
    while True:
        signal.pause()


def wait_for(pipe: str) -> str:
    """Wait until somebody opens the pipe and writes."""
    return Path(pipe).read_text()


class Unsendable(Exception):
    """An exception that cannot be made again out of what was pickled of it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def raise_unsendable(_: object) -> None:
    """Raise what the other side cannot read."""
    raise Unsendable(5, "the reason in words")


def hang_in_c(where: tuple[float, int]) -> None:
    """Hang after so many rows, under a limit of so many seconds, where nothing but the end of the process helps."""
    seconds, rows = where
    with limited(seconds) as progress:
        for row in range(rows):
            progress.at(row)
        # The limit is over now, and not in a minute.
        faulthandler.dump_traceback_later(0.05, exit=True, file=notes_of_this_worker())
        sum(range(10**13))


def notes_of_this_worker() -> int:
    """The open file in which the worker keeps its notes."""
    return next(
        int(each) for each in os.listdir("/proc/self/fd") if "batchd-worker-" in os.readlink(f"/proc/self/fd/{each}")
    )

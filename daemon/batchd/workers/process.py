"""One worker process, and the socket over which it gets tasks and sends back their results.

The event loop itself reads and writes the socket. With `ProcessPoolExecutor` each task went through three threads of
the main process, which for small files took a sixth of its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import pickle
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ..errors import PluginError
from ..executor import DoneT, TaskT
from .limits import keep_notes, note_task
from .run_task import run_task

_HEAD = 8
"""Bytes before each message: its length."""
_AT_ONCE = 1 << 16
_MAX_FAILED_SENDS = 20
_PAUSE_OF_SENDS = 0.1
"""Seconds."""


class Ended(Exception):  # what it means is for the caller to say
    """The process has ended, or was ended, before its task was done."""


class _InWorker(Exception):  # the cause of another
    """The traceback of an exception in a worker, as text."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class WorkerProcess:
    """A process that runs one task after the other. `notes` is the file in which it says what it is doing."""

    def __init__(self, context: ForkServerContext, notes: Path) -> None:
        self.notes = notes
        self._context = context
        self._process: BaseProcess | None = None
        self._busy = self._killed = False
        self._socket, self._theirs = socket.socketpair()
        self._socket.setblocking(False)

    def start(self) -> None:
        """Start the process. To be called in a thread: it waits until the fork server has imported everything."""
        with self._theirs:
            # As a daemon (of multiprocessing) it is ended with this process in any case.
            process = self._context.Process(
                target=_serve, args=(self._theirs, os.getcwd(), str(self.notes)), name="batchd worker", daemon=True
            )
            process.start()
            self._process = process

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        """Run a task, and return or raise what it does. Raises Ended if the process ends."""
        loop, payload = asyncio.get_running_loop(), pickle.dumps((function, task))
        self._busy = True
        try:
            await loop.sock_sendall(self._socket, len(payload).to_bytes(_HEAD, "little") + payload)
            received = bytearray(await loop.sock_recv(self._socket, _AT_ONCE))
            while received and len(received) < _HEAD + int.from_bytes(received[:_HEAD], "little"):
                more = await loop.sock_recv(self._socket, 1 << 20)
                if not more:
                    received.clear()
                received += more
        except OSError:
            raise Ended from None
        finally:
            self._busy = False
            if self._killed:
                self._socket.close()
        if not received:
            raise Ended
        outcome, error, told = pickle.loads(memoryview(received)[_HEAD:])  # noqa: S301  # of our own process
        if error is not None:
            raise error from (_InWorker(told) if told else None)
        done: DoneT = outcome
        return done

    def has_ended(self) -> bool:
        """Whether it has ended while it was idle."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def kill(self) -> None:
        """Kill the process now. A caller that waits for its task gets Ended."""
        self._killed = True
        if self._process is not None:
            self._process.kill()
        self._theirs.close()
        if not self._busy:
            self._socket.close()
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def _serve(connection: socket.socket, folder: str, notes: str) -> None:
    _begin(folder, notes)
    # A fault of the socket ends the process, as the end of the daemon does; the caller of the task sees the end.
    with contextlib.suppress(OSError), connection, connection.makefile("rb") as asked:
        while len(head := asked.read(_HEAD)) == _HEAD:
            payload = asked.read(int.from_bytes(head, "little"))
            note_task(begins=True)
            answer = _answer(payload)
            note_task(begins=False)
            _send_all(connection, len(answer).to_bytes(_HEAD, "little") + answer)


def _send_all(connection: socket.socket, message: bytes) -> None:
    """Send the message, in spite of errors that pass, such as a system without memory for a moment.

    A worker that gave up would seem to have crashed over its task, although the task is done.
    """
    rest, failed = memoryview(message), 0
    while rest:
        try:
            rest = rest[connection.send(rest) :]
        except ConnectionError:
            raise
        except OSError:
            failed += 1
            if failed == _MAX_FAILED_SENDS:
                raise
            time.sleep(_PAUSE_OF_SENDS)


def _answer(payload: bytes) -> bytes:
    outcome: tuple[Any, Exception | None, str]
    told = ""
    try:
        function, task = pickle.loads(payload)  # noqa: S301  # of the daemon, whose code it is that runs here
        outcome = run_task(function, task), None, told
    except Exception as error:  # noqa: BLE001  # whatever a task raises goes back
        told = traceback.format_exc()
        outcome = None, error, told
    try:
        return pickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001  # for any reason
        what = f"What came of a task cannot be pickled: {type(error).__name__}: {error}"
        return pickle.dumps((None, PluginError(what), told))


def _begin(folder: str, notes: str) -> None:
    """In each worker: use the daemon's working folder, leave SIGINT and SIGHUP to the daemon, and end when it ends."""
    os.chdir(folder)
    try:
        # Opened first, so that nothing of the file is left behind if the daemon dies.
        keep_notes(notes)
    except FileNotFoundError:
        # An error of the system made the daemon believe that this process did not start, and it has started another.
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Not a daemon: those may not have child processes, and a plugin may start some.
    multiprocessing.current_process().daemon = False
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        # Without this, the workers of a daemon that was killed would wait for work without end.
        parent.join()
        Path(notes).unlink(missing_ok=True)
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="follow the daemon").start()

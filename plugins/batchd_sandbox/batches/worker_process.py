"""The server's side of its worker process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TypeAlias

import msgspec

from .worker_messages import Executed, ExecuteJob, Reply

Process: TypeAlias = "subprocess.Popen[bytes]"


class WorkerGone(Exception):
    """The worker ended in the middle of a job."""


class JobFailed(Exception):
    """The worker could not do the job; the message says why."""


class Worker:
    """Executes one job at a time in a process that is started on first use, and restarted if it ends.

    `spare` holds idle worker processes that one server leaves to the next one, since a start takes longer than a job.
    """

    def __init__(self, spare: list[Process] | None = None) -> None:
        self._process: Process | None = None
        self._spare = spare
        self._one_at_a_time = asyncio.Lock()
        self._exchanging = threading.Lock()
        self._closed = False

    async def execute(self, job: ExecuteJob) -> Executed:
        """Executes a job; raises JobFailed. A worker that was killed is replaced once."""
        request = msgspec.json.encode(job) + b"\n"
        async with self._one_at_a_time:
            try:
                reply = await asyncio.to_thread(self._exchange, request)
            except WorkerGone:
                reply = await asyncio.to_thread(self._exchange, request)
        if isinstance(reply, str):
            raise JobFailed(reply)
        return reply

    def start(self) -> None:
        """Starts the process ahead of the first job."""
        if self._process is None and not self._closed:
            self._process = self._spare.pop() if self._spare else self._started()

    def _started(self) -> Process:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "batchd_sandbox.batches.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The same import path as here, also for modules that are not installed.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def close(self) -> None:
        """Ends the process. An unfinished job is executed again after the next start."""
        self._closed = True
        if self._process is not None and self._spare is not None and self._exchanging.acquire(blocking=False):
            self._spare.append(self._process)
            self._process = None
            self._exchanging.release()
        elif self._process is not None:
            self._process.kill()
            self._reap()

    def _exchange(self, request: bytes) -> Reply:
        with self._exchanging:
            self.start()
            process = self._process
            if process is None or process.stdin is None or process.stdout is None:
                raise WorkerGone
            try:
                process.stdin.write(request)
                process.stdin.flush()
                answer = process.stdout.readline()
            except (OSError, ValueError):
                answer = b""
            if not answer.endswith(b"\n"):
                if not self._closed:
                    self._reap()
                raise WorkerGone
            return msgspec.json.decode(answer, type=Reply)

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # Closing flushes, which fails if the process has ended.
                with suppress(OSError):
                    pipe.close()

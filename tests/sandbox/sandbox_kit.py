"""What the tests of the sandbox share: a running one with a real client, requests, and waits with a deadline."""

from __future__ import annotations

import asyncio
import atexit
import io
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import openai
from tests.durability.rig import Child, shared_nursery

from batchd_sandbox.batches.worker_process import Process
from batchd_sandbox.records import TERMINAL
from batchd_sandbox.server import serving
from batchd_sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from openai.types import Batch

Value = TypeVar("Value")
SPARE: list[Process] = []
"""Worker processes that one sandbox of this process leaves to the next. They know nothing of the jobs before."""
LABELS = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."


@atexit.register
def end_spare_workers() -> None:
    """Before the interpreter complains that they are still there."""
    for process in SPARE:
        with process:
            process.kill()


async def until(look: Callable[[], Awaitable[Value | None]], seconds: float = 15) -> Value:
    """Call `look` until it returns something true, and return that; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        if value := await look():
            return value
        assert time.monotonic() < deadline, f"{look.__name__} returned nothing within {seconds} s"
        await asyncio.sleep(0.01)


def request_line(custom_id: str, text: str = "Great, arrived on time.", **changes: Any) -> dict[str, Any]:
    """One line of an input file; `changes` go into the body."""
    messages = [{"role": "system", "content": LABELS}, {"role": "user", "content": text}]
    body = {"model": "sandbox-small", "messages": messages, "max_tokens": 50} | changes
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def request_lines(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Lines with the custom_ids row-1, row-2, …: the number is the line's number in the file."""
    return [request_line(f"row-{number}", **changes) for number in range(1, count + 1)]


def as_jsonl(lines: list[dict[str, Any]]) -> bytes:
    """The bytes of an input file."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def errors_of(batch: Batch) -> list[tuple[str | None, int | None]]:
    """The codes of a refused batch's errors, and their lines."""
    assert batch.errors is not None
    return [(one.code, one.line) for one in batch.errors.data or ()]


def counts_of(batch: Batch) -> tuple[int, int, int]:
    """How many requests a batch has, how many are answered, and how many have failed."""
    counts = batch.request_counts
    assert counts is not None
    return counts.total, counts.completed, counts.failed


@dataclass
class Running:
    """A running sandbox, a client without retries, and the sandbox's own endpoints."""

    url: str
    client: openai.AsyncOpenAI
    session: aiohttp.ClientSession

    async def order(self, *faults: str) -> None:
        """Orders faults."""
        async with self.session.post(self._page("faults"), json={"faults": faults}) as answer:
            assert answer.status == 200, await answer.text()

    async def lift(self) -> None:
        """Lifts all faults."""
        async with self.session.delete(self._page("faults")) as answer:
            assert answer.status == 200

    async def faults(self) -> list[dict[str, Any]]:
        """The active faults."""
        async with self.session.get(self._page("faults")) as answer:
            return list((await answer.json())["faults"])

    async def ledger(self) -> dict[str, Any]:
        """The ledger."""
        async with self.session.get(self._page("ledger")) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def upload(self, content: bytes, name: str = "input.jsonl") -> str:
        """Uploads a file and returns its id."""
        return (await self.client.files.create(file=(name, io.BytesIO(content)), purpose="batch")).id

    async def create(self, file_id: str, **more: Any) -> Batch:
        """Creates a batch of chat completions."""
        fields = {"endpoint": "/v1/chat/completions", "completion_window": "24h"} | more
        return await self.client.batches.create(input_file_id=file_id, **fields)

    async def finished(self, batch_id: str) -> Batch:
        """The batch once it is in a final state."""

        async def final() -> Batch | None:
            batch = await self.client.batches.retrieve(batch_id)
            return batch if batch.status in TERMINAL else None

        return await until(final)

    async def run(self, lines: list[dict[str, Any]] | bytes, **more: Any) -> Batch:
        """Uploads, creates, waits."""
        content = lines if isinstance(lines, bytes) else as_jsonl(lines)
        return await self.finished((await self.create(await self.upload(content), **more)).id)

    async def content(self, file_id: str | None) -> bytes:
        """The bytes of a file; empty without a file."""
        return (await self.client.files.content(file_id)).content if file_id else b""

    async def results(self, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
        """Output and error lines of a batch, by custom_id."""
        output, errors = [
            {line["custom_id"]: line for line in map(json.loads, content.split(b"\n")[:-1])}
            for content in (await self.content(batch.output_file_id), await self.content(batch.error_file_id))
        ]
        return output, errors

    def _page(self, name: str) -> str:
        return self.url.removesuffix("/v1") + f"/sandbox/{name}"


@asynccontextmanager
async def connected(url: str, api_key: str = "sk-any-key-will-do") -> AsyncIterator[Running]:
    """A client of a running sandbox."""
    # Certificates are not loaded for plain HTTP: that would take a third of a short test.
    http = openai.DefaultAsyncHttpxClient(verify=False)
    async with (
        aiohttp.ClientSession() as session,
        openai.AsyncOpenAI(base_url=url, api_key=api_key, max_retries=0, timeout=20, http_client=http) as client,
    ):
        yield Running(url, client, session)


@asynccontextmanager
async def running(folder: Path, *, api_key: str = "sk-any-key-will-do", **settings: Any) -> AsyncIterator[Running]:
    """A sandbox in this process, on a real port; instant unless there is a latency."""
    settings.setdefault("instant", "latency" not in settings)
    async with (
        serving(SandboxSettings(folder=folder, **settings), spare=SPARE) as url,
        connected(url, api_key) as sandbox,
    ):
        yield sandbox


@dataclass
class SandboxProcess:
    """A sandbox in its own process, so that it can be killed."""

    folder: Path
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""
    process: Child | None = None

    async def start(self) -> str:
        """Starts it, or starts it again on the same folder; returns its base URL."""
        await asyncio.to_thread(self._start)
        return self.url

    def command(self) -> list[str]:
        """The command line, without a folder."""
        code = "from batchd_sandbox.command import sandbox; sandbox()"
        return [sys.executable, "-c", code, "--port", "0", *self.options]

    def full_environment(self) -> dict[str, str]:
        """The environment, with the same import path as here."""
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **self.environment}

    def _start(self) -> None:
        self._logs = tempfile.TemporaryDirectory()
        out, errors = Path(self._logs.name, "out"), Path(self._logs.name, "errors")
        folder, here = ["--folder", str(self.folder)], os.getcwd()
        words = ["sandbox", "--port", "0", *folder, *self.options]
        out.touch()
        self.process = Child(shared_nursery(), words, out, str(errors), here, {**os.environ, **self.environment})
        deadline = time.monotonic() + 60
        while not out.read_text().endswith("\n") and self.process.poll() is None:
            assert time.monotonic() < deadline, "the sandbox does not say where it listens"
            time.sleep(0.01)
        line = out.read_text()
        assert line.startswith("sandbox: listening on http://"), line + self.stop()[1]
        self.url = line.split()[3]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Ends it with a signal; its exit status and standard error."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(10), Path(self._logs.name, "errors").read_text()
        finally:
            self.end()

    def end(self) -> None:
        """Kills the process if it still runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._logs.cleanup()

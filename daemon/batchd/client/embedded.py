"""A daemon that belongs to a client: a process of its own on the folders of a configuration.

It is a whole daemon, with the lock, the spool, the budget and the ledger of those folders. It runs as its own process,
so that a notebook keeps its working folder, its signals and its memory. It ends cleanly with the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ..config import toml
from ..config.locations import find_config
from ..config.web import Address
from ..errors import BatchdError, ConfigError, StateLocked, StateUnusable
from .api import Api
from .errors import NotReachable

START_WITHIN = 120.0
STOP_WITHIN = 60.0
"""Seconds that the daemon has to end cleanly. Then it is killed, and nothing is lost."""
LOOK_EVERY = 0.05
ENDS_WITHIN = 2.0
"""Seconds to wait for the end of a process that has stopped answering."""
_KINDS: dict[int, Callable[[str], BatchdError]] = {4: ConfigError, 5: StateUnusable}


def configuration_of(place: str | os.PathLike[str]) -> Path:
    """The path of a configuration: a file, or `config.toml` in a folder. Raises ConfigError if there is none."""
    path = Path(place).expanduser()
    return find_config(str(path / "config.toml" if path.is_dir() else path))


class EmbeddedDaemon:
    """A daemon process with a page of its own, at a socket that this user alone can open."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False

    async def start(self) -> Api:
        """Start the daemon and return its API. StateLocked says how to use the daemon that has the lock."""
        self._folder = await asyncio.to_thread(lambda: Path(tempfile.mkdtemp(prefix="batchd-")))
        token, socket = secrets.token_urlsafe(32), self._folder / "web.sock"
        command = [sys.executable, "-m", "batchd", "--config", str(self._config), "--log-level", "warning"]
        with (self._folder / "log").open("wb") as log:
            # A session of its own: Ctrl-C in a terminal is for the program, which ends the daemon.
            self._process = await asyncio.to_thread(
                lambda: subprocess.Popen(
                    [*command, "run", "--for-client", str(socket)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{token}\n".encode())
            self._process.stdin.flush()
        api = Api(f"unix:{socket}", token, last_words=self.last_words)
        try:
            await self._answers(api)
            self._ready = True
        except BaseException:
            await api.close()
            await self.stop()
            raise
        return api

    async def stop(self) -> None:
        """End the daemon cleanly. Its jobs go on at the next start."""
        process, folder = self._process, self._folder
        if process is not None:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                await asyncio.to_thread(process.wait, STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def last_words(self) -> str | None:
        """What the process logged last, if it has ended by itself.

        Waits a little for its end, since connections break a moment before.
        """
        process = self._process
        if process is None or not self._ready:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, ENDS_WITHIN)
        return None if process.poll() is None else self._said()

    async def _answers(self, api: Api) -> None:
        assert self._process is not None
        until = time.monotonic() + START_WITHIN
        while time.monotonic() < until:
            status = self._process.poll()
            if status is not None:
                raise self._why(status)
            with contextlib.suppress(NotReachable):
                await api.get()
                return
            await asyncio.sleep(LOOK_EVERY)
        raise NotReachable(f"The daemon of {self._config} has not started within {START_WITHIN:.0f} s. {self._said()}")

    def _why(self, status: int) -> BatchdError:
        said = self._said()
        if status == StateLocked.exit_status:
            return StateLocked(f"{said} {self._how_to_join()}")
        kind = _KINDS.get(status)
        return NotReachable(f"The daemon of {self._config} did not start. {said}") if kind is None else kind(said)

    def _how_to_join(self) -> str:
        advice = 'To use the one that runs, name its address: Client("{0}", token=...), or batchd mcp --url {0}'
        with contextlib.suppress(BatchdError, ValueError):
            listen = toml.read(self._config).data.get("web", {}).get("listen")
            if isinstance(listen, str):
                address = str(Address.parse(listen)).removesuffix("/")
                return f"{advice.format(address)}, with a token of `batchd web token`."
        return (
            f"{advice.format('http://127.0.0.1:8321')}, with a token of `batchd web token`. It needs "
            f'[web] listen = "127.0.0.1:8321" in {self._config} for that, and a restart.'
        )

    def _said(self) -> str:
        assert self._folder is not None
        try:
            lines = (self._folder / "log").read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        own = [line.removeprefix("batchd: ") for line in lines if line.startswith("batchd: ")]
        return " ".join(own or lines[-3:]) or "It said nothing."

"""The observer `command`: runs a script of the operator for each event, with the event as JSON on its input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from typing import Annotated

from pydantic import Field

from batchd import Duration, Event, Observer, RejectedError, Settings, TransientError

from .words import encoded

_TOLD = 300


class CommandSettings(Settings):
    """The table of a `command` observer."""

    run: Annotated[list[str], Field(min_length=1)]
    """The program by its full path, and its arguments. There is no shell."""
    timeout: Duration = 60.0
    """How long it may run."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Its environment besides PATH and LANG. It gets nothing else: no key of batchd's."""


class Command(Observer[CommandSettings]):
    """Runs the program once for each event. If it does not end with 0, it is run again."""

    Settings = CommandSettings

    async def notice(self, event: Event) -> None:
        program, *arguments = self.settings.run
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **self.settings.environment}
        # A file, since a pipe stays open as long as a process that the program leaves in the background.
        with tempfile.TemporaryFile() as said:
            try:
                process = await asyncio.create_subprocess_exec(
                    program,
                    *arguments,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=said,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise RejectedError(f"{program} cannot be run: {error.strerror}") from None
            try:
                async with asyncio.timeout(self.settings.timeout):
                    await process.communicate(encoded(event) + b"\n")
            except TimeoutError:
                raise TransientError(f"{program} did not end within {self.settings.timeout:.0f} s") from None
            finally:
                if process.returncode is None:
                    # Kill it with all that it has started.
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
            said.seek(max(0, said.seek(0, os.SEEK_END) - 4 * _TOLD))
            words = said.read().decode(errors="replace").strip()[-_TOLD:]
        if process.returncode:
            raise TransientError(f"{program} ended with {process.returncode}{f': {words}' if words else ''}")

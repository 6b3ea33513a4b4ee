"""An observer. It writes a line into a file for each finished job."""

import asyncio
from pathlib import Path

from batchd import Event, Observer, Register, hookimpl


class FinishedNotes(Observer):
    async def notice(self, event: Event) -> None:
        if event.kind == "JobFinished":
            await asyncio.to_thread(append, f"{event.job}: {event.sentence}\n")


def append(text: str) -> None:
    with Path("finished.txt").open("a", encoding="utf-8") as file:
        file.write(text)


@hookimpl
def register_observers(register: Register) -> None:
    register("finished", FinishedNotes)

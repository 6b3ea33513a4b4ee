"""An observer. It calls an address each minute while batchd lives, and at once where a file is held or has failed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchd import CallRate, Duration, Event, Observer, Register, Secret, Settings, TransientError, hookimpl

if TYPE_CHECKING:
    import aiohttp


class HeartbeatSettings(Settings):
    url: Secret
    """`"env:NAME"`: who has the address of a check can silence it."""
    every: Duration = Duration("1m")


class Heartbeat(Observer[HeartbeatSettings]):
    Settings = HeartbeatSettings
    session: aiohttp.ClientSession | None = None

    async def aopen(self) -> None:
        import aiohttp

        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        self.rate = CallRate(5)  # calls in a second

    async def notice(self, event: Event) -> None:
        if event.kind in {"JobHeld", "JobFailed"}:
            await self.call("/fail")

    async def background(self) -> None:
        while True:
            await self.call("")
            await asyncio.sleep(self.settings.every)

    async def call(self, path: str) -> None:
        import aiohttp

        assert self.session is not None
        await self.rate.turn()
        try:
            async with self.session.get(self.settings.url.reveal() + path) as answer:
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(f"The check could not be called ({type(error).__name__}).") from None

    async def aclose(self) -> None:
        if self.session is not None:
            await self.session.close()


@hookimpl
def register_observers(register: Register) -> None:
    register("heartbeat", Heartbeat)

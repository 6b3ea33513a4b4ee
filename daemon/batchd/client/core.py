"""What both clients do, as coroutines: send rows, follow a job, get its results."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import msgspec

from .api import Api
from .errors import (
    ClientError,
    JobIsHeld,
    JobStopped,
    JobWasRejected,
    NoSuchJob,
    NoSuchRoute,
    NotReachable,
    WaitedTooLong,
)
from .tables import SentFile
from .values import AnsweredRow, CostEstimate, JobStatus

if TYPE_CHECKING:
    from .embedded import EmbeddedDaemon

_row = msgspec.json.Decoder(AnsweredRow).decode

T = TypeVar("T")
WhenHeld: TypeAlias = Literal["raise", "wait"]

TOKEN = "BATCHD_TOKEN"  # noqa: S105  # the name of a variable
FIRST_LOOK, MAX_PAUSE = 0.05, 2.0
"""Seconds between looks at a job: few at first, since small jobs end soon."""
AWAY = 60.0
"""Seconds for which a waiting program puts up with no answer: the daemon may be restarting."""


class BackgroundLoop:
    """An event loop in a thread of its own, which ends with the process.

    With it, the client works in a notebook, where a loop runs already, and where no loop runs.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="batchd client")
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start the coroutine. The future can be waited for in any thread, or on another loop."""
        if self.closed:
            coroutine.close()
            raise ClientError("This client is closed. Make another one.")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine and return its result. If this thread is interrupted, the coroutine is cancelled."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """As `run`, for callers with a loop of their own."""
        return await asyncio.wrap_future(self.submit(coroutine))

    @property
    def closed(self) -> bool:
        return self._loop.is_closed()

    def close(self) -> None:
        """End the loop. No coroutine may still be running on it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(slots=True)
class JobKey:
    """What identifies a job: its id, or the word of its upload until it has one."""

    place: str
    id: str | None = None
    upload: str | None = None


class Core:
    """Calls a daemon: one at an address, or one of its own on a folder. All its coroutines run on `loop`."""

    def __init__(self, address: str | None, token: str | None, folder: str | os.PathLike[str] | None) -> None:
        if (address is None) == (folder is None):
            raise ClientError(
                'Name the daemon: the address of one that runs, Client("http://127.0.0.1:8321"); or a folder with a '
                'config.toml, Client(folder="shop").'
            )
        self._own: EmbeddedDaemon | None = None
        if folder is not None:
            # It imports code for configurations, which a client of a running daemon does not need.
            from .embedded import EmbeddedDaemon, configuration_of

            self._own = EmbeddedDaemon(configuration_of(folder))
        self._api = None if address is None else Api(address, token or os.environ.get(TOKEN) or None)
        self._opening = asyncio.Lock()
        self.loop = BackgroundLoop()

    async def opened(self) -> Api:
        """Return the daemon's API. A daemon of our own is started first."""
        async with self._opening:
            if self._api is None:
                assert self._own is not None
                self._api = await self._own.start()
            return self._api

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()
        if self._own is not None:
            await self._own.stop()

    async def routes(self) -> list[str]:
        api = await self.opened()
        return [each["name"] for each in (await api.get("routes"))["routes"]]

    async def estimate(self, file: SentFile, route: str | None) -> CostEstimate:
        api, route = await self.opened(), await self._route(route)
        return CostEstimate.of(await api.send("POST", "routes", route, "estimates", file.name, file=file))

    async def submit(self, file: SentFile, route: str | None) -> JobKey:
        api, route = await self.opened(), await self._route(route)
        try:
            told = await api.send("PUT", "routes", route, "files", file.name, file=file)
        except NotReachable as error:
            raise NotReachable(
                f"{error} Whether it has {file.name} is not known: see jobs() before you send it again."
            ) from None
        return JobKey(told["place"], upload=told["upload"])

    async def job(self, word: str) -> JobKey:
        job = (await (await self.opened()).get("jobs", word))["job"]
        return JobKey(job["source"], id=job["id"])

    async def jobs(self, text: str) -> list[JobStatus]:
        found = await (await self.opened()).get("jobs", text=text, size="200")
        return [JobStatus.of(each) for each in found["jobs"]]

    async def status(self, key: JobKey) -> JobStatus:
        api = await self.opened()
        if key.id is None:
            assert key.upload is not None
            told = await api.get("uploads", key.upload)
            key.id = told["job"]
            if key.id is None and not told["waits_in_inbox"]:
                raise NoSuchJob(
                    f"{key.place} is not in the inbox any more, and no job came of it: somebody has removed it.", 404
                )
        return JobStatus.in_inbox(key.place) if key.id is None else JobStatus.of((await api.get("jobs", key.id))["job"])

    async def wait(self, key: JobKey, seconds: float | None, when_held: WhenHeld, away: float = AWAY) -> JobStatus:
        """Return the job's status once it is finished. Raise JobTrouble if it does not finish by itself."""
        began = heard = time.monotonic()
        pauses, status = _pauses(), JobStatus.in_inbox(key.place)
        while True:
            try:
                status = await self.status(key)
            except NotReachable:
                if self._own is not None or time.monotonic() - heard > away:
                    raise
            else:
                heard = time.monotonic()
                if _is_over(status, when_held):
                    return status
            left = float("inf") if seconds is None else began + seconds - time.monotonic()
            if left <= 0:
                waits = f" It waits for {status.waits_for}." if status.waits_for else ""
                raise WaitedTooLong(
                    f"{status.source} is not finished after {seconds:g} s: {status.in_words}.{waits} It goes on; wait "
                    "again.",
                    status,
                )
            await asyncio.sleep(min(next(pauses), left))

    async def taken(self, key: JobKey, seconds: float) -> str:
        """Return the job's id once the daemon has taken its file. Raise WaitedTooLong if that takes longer."""
        until, pauses = time.monotonic() + seconds, _pauses()
        while (status := await self.status(key)).id is None:
            if time.monotonic() > until:
                raise WaitedTooLong(f"{key.place} still waits in the inbox after {seconds:g} s.", status)
            await asyncio.sleep(next(pauses))
        return status.id

    async def results(
        self, key: JobKey, offset: int = 0, away: float = AWAY
    ) -> AsyncGenerator[Sequence[AnsweredRow], None]:
        """Yield all rows but the first `offset`, in order, some at a time. The daemon may restart meanwhile."""
        job = await self._id(key, ". Call wait() first.")
        heard, pauses = time.monotonic(), _pauses()
        while True:
            try:
                async for lines in (await self.opened()).lines("jobs", job, "results", offset=str(offset)):
                    rows = [_row(line) for line in lines]
                    offset += len(rows)
                    yield rows
                    heard, pauses = time.monotonic(), _pauses()
            except NotReachable:
                if self._own is not None or time.monotonic() - heard > away:
                    raise
            else:
                return
            await asyncio.sleep(next(pauses))

    async def order(self, key: JobKey, kind: str, values: Mapping[str, str]) -> str:
        job = await self._id(key, f", so there is no job to {kind}. Try again.")
        return str((await (await self.opened()).order("jobs", job, kind, values=values))["answer"])

    async def _id(self, key: JobKey, then: str) -> str:
        if key.id is None:
            await self.status(key)
        if key.id is None:
            raise NoSuchJob(f"{key.place} still waits in the inbox{then}", 409)
        return key.id

    async def _route(self, route: str | None) -> str:
        if route is not None:
            return route
        names = await self.routes()
        if len(names) != 1:
            raise NoSuchRoute(f"Say which route: {', '.join(names)}.", 400)
        return names[0]


class JobHandle:
    """What both clients know of a job without a call."""

    def __init__(self, core: Core, key: JobKey) -> None:
        self._core = core
        self._key = key

    def __repr__(self) -> str:
        return f"<job {self._key.id or 'not taken yet'} of {self._key.place}>"

    @property
    def source(self) -> str:
        """The place of the job's file in the inbox."""
        return self._key.place

    @property
    def id(self) -> str | None:
        """The job's id, once `status` or `wait` has seen it."""
        return self._key.id


class RowsHandle:
    """The rows of a job. Each iteration fetches them anew."""

    def __init__(self, core: Core, key: JobKey, offset: int) -> None:
        self._core = core
        self._pieces = partial(core.results, key, offset)


def _pauses() -> Iterator[float]:
    pause = FIRST_LOOK
    while True:
        yield pause
        pause = min(MAX_PAUSE, pause * 1.3)


def _is_over(job: JobStatus, when_held: WhenHeld) -> bool:
    """Whether the job is finished. Raise JobTrouble if it is rejected, or needs a person."""
    if job.state == "rejected":
        raise JobWasRejected(f"{job.source} was rejected: {job.reason}", job)
    if job.finished:
        return True
    if job.needs_person and when_held == "raise":
        kind = JobStopped if job.state == "failed" else JobIsHeld
        raise kind(f"{job.source} (job {job.id}) waits for {job.waits_for}", job)
    return False


async def next_of(pieces: AsyncGenerator[Sequence[AnsweredRow], None]) -> Sequence[AnsweredRow] | None:
    return await anext(pieces, None)

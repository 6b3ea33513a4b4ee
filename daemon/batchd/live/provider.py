"""A live service behind the interface of BatchProvider: a batch is a journal in its folder, and calls fill it.

So cancel, retry, reports, budgets and recovery after a crash work for live calls as they do for batches.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from ..answers.meaning import read_output_line
from ..contracts import BatchProvider, LiveProvider, RemoteBatch, Submission
from ..domain.states import CALLS_REPEATED, LIVE_RATE, LIVE_TRUSTED, LIVE_WEIGHT
from ..errors import RemoteMissing, TransientError
from ..model import BatchPhase, BatchStatus, Json, Purged, RequestId, Result
from .caller import Rate
from .journal import copy_outcomes, create, note_cancelled, outcomes, read
from .lanes import Lanes
from .rows import LiveBatch

POLL_WAITS = 5.0
"""Seconds that `poll` waits for the end of the batch, so that its answers are collected as soon as they are there."""
REFUSED_LATELY = 60.0
EXAMPLES = 20
"""The most rows that are named, of those that may be paid twice."""


class LiveBatchProvider(BatchProvider[Any]):
    """A BatchProvider that makes live calls. Its batches belong to the daemon's state folder, not to a service."""

    completion_window = math.inf

    def __init__(self, name: str, provider: LiveProvider[Any], lanes: Lanes, *, poll_waits: float = POLL_WAITS) -> None:
        super().__init__(provider.settings)
        self.name = name
        self.provider = provider
        self._lanes = lanes
        self._poll_waits = poll_waits

    def account(self) -> Mapping[str, str]:
        """Return nothing: the batches are batchd's own, whatever the key is."""
        return {}

    async def submit(self, submission: Submission) -> str:
        """Begin the journal. No call is made before the daemon has stored the id."""
        head = {"model": submission.model, "endpoint": submission.endpoint, "requests": submission.requests}
        await asyncio.to_thread(create, self._lanes.journal(submission.key), head)
        return f"live-{submission.key}"

    async def find(self, submission: Submission) -> Sequence[str]:
        """Return the id of the batch if its journal exists."""
        past = await asyncio.to_thread(read, self._lanes.journal(submission.key))
        return [f"live-{submission.key}"] if past is not None else []

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """Return how far the calls are. The first poll begins them, or continues them after a restart.

        Raise the error that has stopped the lane, once a probe has shown that it still does.
        """
        live = await self._open(batch)
        lane = self._lanes.of_batch(batch.key)
        weight = batch.details.get(LIVE_WEIGHT, 1)
        live.weight = weight if isinstance(weight, int) else 1
        if batch.details.get(LIVE_TRUSTED):
            live.first_answers = None
        live.news.clear()
        if not live.over:
            lane.probe()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_waits):
                    await live.news.wait()
        if lane.trouble is not None and not live.over and not (live.cancelled and not live.in_flight):
            raise lane.trouble.with_traceback(None)
        if (refusing := lane.refuses_all) is not None and not live.over and not live.cancelled:
            raise refusing
        if live.over:
            self._lanes.ended(batch.key)
        return _status(live, lane.now())

    async def cancel(self, batch: RemoteBatch) -> None:
        """Begin no more calls. Those under way are paid, so their answers are waited for."""
        live = self._lanes.running(batch.key)
        if live is None:
            await asyncio.to_thread(note_cancelled, self._lanes.journal(batch.key))
        elif not live.over:
            await live.cancel()
            self._lanes.of_batch(batch.key).wake()

    def hold(self, keys: frozenset[str]) -> None:
        """Begin no calls of these batches; those of all other batches of this daemon may begin."""
        self._lanes.hold(keys)

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        """Write the outcomes in the journal, without its notes."""
        try:
            await asyncio.to_thread(copy_outcomes, self._lanes.journal(batch.key), target)
        except FileNotFoundError:
            raise RemoteMissing(f"The journal of batch {batch.key} is not in the state folder any more.") from None

    async def purge(self, batch: RemoteBatch, submission: Submission) -> Purged:  # noqa: ARG002  # nothing to look for
        """Delete nothing: a service keeps no file of a call, and the journal goes with the batch's folder."""
        return Purged()

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        """The outcomes, one by one."""
        for line in outcomes(self._lanes.journal(batch.key)):
            result = read_output_line(line)
            if result is not None:
                yield result

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """Return what the provider's own check says."""
        return await self.provider.check(models)

    async def aopen(self) -> None:
        """Open the provider, for live calls alone."""
        await self.provider.aopen_live()

    async def aclose(self) -> None:
        """Close the provider's connections."""
        await self.provider.aclose()

    def rates(self) -> Mapping[tuple[str, str], Rate]:
        """The present state of its live calls, by model and endpoint."""
        return self._lanes.rates(self.name)

    async def _open(self, batch: RemoteBatch) -> LiveBatch:
        live = self._lanes.running(batch.key)
        if live is not None:
            return live
        past = await asyncio.to_thread(read, self._lanes.journal(batch.key))
        if past is None:
            raise RemoteMissing(f"The journal of batch {batch.key} is not in the state folder any more.")
        if self._lanes.stopped:
            raise TransientError("batchd is stopping.")
        # There is no await from here on, so no other poll can open the batch as well.
        running = self._lanes.running(batch.key)
        return running if running is not None else self._lanes.begin(self.name, batch.key, past)


def _status(live: LiveBatch, rate: Rate) -> BatchStatus:
    phase = BatchPhase.IN_PROGRESS
    if live.over:
        phase = BatchPhase.CANCELLED if live.cancelled else BatchPhase.COMPLETED
    elif live.cancelled:
        phase = BatchPhase.CANCELLING
    details: dict[str, Json] = {} if live.over else {LIVE_RATE: _in_words(rate)}
    if live.unsure:
        rows = sorted(request.row + 1 for each in live.unsure if (request := RequestId.read(each)) is not None)
        details[CALLS_REPEATED] = {"rows": len(rows), "examples": rows[:EXAMPLES]}
    return BatchStatus(phase, live.requests, live.completed, live.failed, details=details)


_LIMITS = {
    "requests": "limited by its requests a minute",
    "tokens": "limited by its tokens a minute",
    "window": "limited by how long its answers take",
    "pause": "pausing, since it asked to",
    "trouble": "waiting for it to work again",
}


def _in_words(rate: Rate) -> str:
    words = [
        f"{rate.per_second:.3g} answers a second",
        f"{rate.in_flight:,} call{'' if rate.in_flight == 1 else 's'} under way",
    ]
    if rate.limited_by in _LIMITS:
        words.append(_LIMITS[rate.limited_by])
    if rate.refused_ago is not None and rate.refused_ago < REFUSED_LATELY:
        words.append(f"refused as too many {rate.refused_ago:.0f} s ago")
    return ", ".join(words)

"""The live calls of the daemon, by model: which batch is asked by which caller, across reloads of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from ..contracts import LiveProvider
from ..sending.limit_headers import USUAL, LimitHeader
from ..sending.pace import Pace
from ..store.spool import Spool
from ..system.clock import Clock
from .caller import Answer, Caller, Rate
from .journal import JournalState
from .rows import LiveBatch

STOP_MAY_TAKE = 4.0
"""Seconds that calls under way get to end when the daemon stops. What is broken off then may be paid twice."""


class LiveTerms(Struct, frozen=True):
    """The operator's limits on live calls to a provider. None means that no limit is known beforehand."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    at_once: int = 1024
    timeout: float = 600.0
    limit_headers: Mapping[str, LimitHeader] = field(default_factory=lambda: USUAL)


class Lanes:
    """A caller for each provider, model and endpoint, and the batches that it asks."""

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._providers: dict[str, tuple[Answer, LiveTerms]] = {}
        self._lanes: dict[tuple[str, str, str], Caller] = {}
        self._batches: dict[str, tuple[LiveBatch, Caller]] = {}
        self._held: frozenset[str] = frozenset()
        self.stopped = False

    def use(self, providers: Mapping[str, tuple[LiveProvider[Any], LiveTerms]]) -> None:
        """Call these from now on. A new configuration may end what has stopped a lane: the next probe will tell."""
        self._providers = {name: (provider.answer, terms) for name, (provider, terms) in providers.items()}
        for key, lane in list(self._lanes.items()):
            if key[0] in self._providers:
                answer, terms = self._providers[key[0]]
                lane.answer, lane.timeout = answer, terms.timeout
                lane.pace.configure(
                    terms.requests_per_minute, terms.tokens_per_minute, terms.at_once, terms.limit_headers
                )
                lane.wake()

    def journal(self, key: str) -> Path:
        """The journal of a batch."""
        return self._spool.batch_journal(key)

    def running(self, key: str) -> LiveBatch | None:
        """The batch, if it is being asked."""
        found = self._batches.get(key)
        return found[0] if found is not None else None

    def of_batch(self, key: str) -> Caller:
        """The lane of a batch that is being asked."""
        return self._batches[key][1]

    def begin(self, provider: str, key: str, past: JournalState) -> LiveBatch:
        """Begin to ask the rows of a batch that have no outcome in its journal."""
        batch = LiveBatch.open(key, self._spool.batch_input(key), self.journal(key), past)
        batch.held = key in self._held
        lane = self._lane(provider, str(past.head["model"]), batch.endpoint)
        self._batches[key] = batch, lane
        lane.add(batch)
        return batch

    def hold(self, keys: frozenset[str]) -> None:
        """Begin no calls of these batches from now on; those of all other batches may begin."""
        self._held = keys
        for key, (batch, lane) in self._batches.items():
            batch.held = key in keys
            lane.wake()

    def ended(self, key: str) -> None:
        """Forget a batch whose end was seen."""
        self._batches.pop(key, None)

    def rates(self, provider: str) -> dict[tuple[str, str], Rate]:
        """The present state of each lane of a provider, by model and endpoint."""
        return {key[1:]: lane.now() for key, lane in self._lanes.items() if key[0] == provider}

    def calls(self) -> set[asyncio.Task[None]]:
        """The calls under way."""
        return {call for lane in self._lanes.values() for call in lane.calls}

    async def let_go(self, calls: set[asyncio.Task[None]]) -> None:
        """Wait for calls to end, so that what they use can be closed."""
        if calls:
            await asyncio.wait(calls)

    async def stop(self, *, within: float = STOP_MAY_TAKE) -> None:
        """Begin no more calls; wait a little for those under way."""
        self.stopped = True
        await asyncio.gather(*(lane.stop(within=within) for lane in self._lanes.values()))
        self._batches.clear()

    def _lane(self, provider: str, model: str, endpoint: str) -> Caller:
        lane = self._lanes.get((provider, model, endpoint))
        if lane is None:
            answer, terms = self._providers[provider]
            pace = Pace(
                requests_per_minute=terms.requests_per_minute,
                tokens_per_minute=terms.tokens_per_minute,
                max_window=terms.at_once,
                headers=terms.limit_headers,
            )
            lane = Caller(answer, pace, timeout=terms.timeout, clock=self._clock)
            self._lanes[provider, model, endpoint] = lane
        return lane

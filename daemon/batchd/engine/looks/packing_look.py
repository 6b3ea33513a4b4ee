"""Finds the batches to make of the parts that wait, and the parts to cut first.

Of each queue, only as many parts are read as its next batches can take.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...domain.lifecycle import Pack, Split
from ...domain.records import QueuedPart
from ...domain.subjects import Subject
from ...money.lanes import Lane
from ...sending.line_refusals import MAX_REST
from ...sending.packing import LIVE_AT_ONCE, MAX_LIVE_JOBS, pack, pack_live, piece_requests
from ...store.tables.waiting import ReadLimit, WaitingPart
from ...values import replace
from ..context import ConfiguredProvider, Context
from ..provider_calls import ProviderNotConfigured, provider_for
from ..room import Due
from .in_work import InWork, JobLine, WaitingKey
from .turns import UNDECIDED_FOR, Turns

PACKED_AT_ONCE = 100
"""Batches made in one transaction. A commit for each takes long for a big file; one for all delays others."""
MAX_READ = 5_000
"""Waiting parts that are read for one route: so many, because small files fill a batch together."""


class _Queue(NamedTuple):
    """What parts have in common that may share a batch.

    `new` if it is not known yet whether such requests are answered at all, `first` if none was sent yet. Parts with a
    deadline share no batch with parts without one: their batches may be ended early.
    """

    provider: str
    model: str
    endpoint: str
    lane: Lane
    new: bool
    first: bool
    finish_within: float | None


class PackingLook:
    """Looks repeatedly, and remembers since when parts wait.

    `missing` are the providers that parts wait for and that are not configured, with what people can do; `lanes_wanted`
    those whose lane is not known; `again` are the steady times to look again at.
    """

    def __init__(self, context: Context, in_work: InWork) -> None:
        self._context = context
        self._in_work = in_work
        self._since: dict[tuple[str, int], float] = {}
        self._known: dict[str, list[WaitingPart]] = {}
        """The waiting part of each job that has just one, as last read: a thousand small files are looked at often."""
        self.again: list[float] = []
        self.missing: dict[str, str] = {}
        self.lanes_wanted: set[str] = set()

    async def look(self, turns: Turns) -> list[Due]:
        """The batches to make now, and the parts to cut."""
        self.again, self.missing, self.lanes_wanted = [], {}, set()
        while self._in_work.changed_jobs:
            self._known.pop(self._in_work.changed_jobs.pop(), None)
        waiting = self._in_work.waiting(self._context.only)
        if not waiting:
            self._since = {}
            return []
        ahead = await self._recipes_ahead({key.asking.recipe for key in waiting})
        enqueued = await self._context.store.waiting.enqueued_tokens()
        open_live = await self._context.store.waiting.open_live()
        queues: dict[_Queue, list[QueuedPart]] = defaultdict(list)
        read: dict[tuple[str, int], float] = {}
        for key, line in waiting.items():
            queue = self._queue(key, ahead)
            if queue is None:
                continue
            where = (queue.provider, queue.model, queue.endpoint)
            if queue.lane is Lane.LIVE:
                room = self._live_room(open_live.get(where, {}))
            else:
                room = self._batch_room(queue, turns, enqueued.get(where[:2], 0))
            if room is not None:
                queues[queue] += await self._read(key, line, room, read)
        # Parts that were not read this time wait for room; the time that they have lingered still counts.
        self._since = {part: since for part, since in self._since.items() if part not in read} | read
        self._forget_gone(waiting)
        found: list[Due] = []
        for queue, parts in queues.items():
            where = (queue.provider, queue.model, queue.endpoint)
            if queue.lane is Lane.LIVE:
                made = pack_live(parts, open_live.get(where, {}), now=self._context.clock.now())
                if made:
                    found.append(Due(Pack(*where, tuple((part,) for part in made), lane=Lane.LIVE)))
            elif parts:
                found += self._pack(queue, parts, enqueued.get(where[:2], 0), turns)
        return found

    def _queue(self, key: WaitingKey, ahead: Mapping[str, float]) -> _Queue | None:
        """The queue of these jobs; None if nothing of them can be sent now."""
        configured, steady, asking = self._context.configured, self._context.clock.steady(), key.asking
        if self._context.paused.holds(asking.provider, asking.route):
            return None
        try:
            provider = provider_for(configured, asking.provider)
        except ProviderNotConfigured as error:
            self.missing[asking.provider] = str(error)
            return None
        off = configured.kept_off.get(Subject.provider(asking.provider))
        if off is not None:
            self.missing[asking.provider] = off
            return None
        lane = provider.lane_for(late=key.late)
        rest = None if lane is Lane.LIVE else ahead.get(asking.recipe)
        if rest is not None and rest > 0:
            self.again.append(steady + min(rest, MAX_REST))
            return None
        if lane is None:
            self.lanes_wanted.add(asking.provider)
            self.again.append(steady + 1.0)
            return None
        live = lane is Lane.LIVE
        new = not live and asking.recipe not in self._context.proven
        route = configured.route(asking.route)
        within = None if live or route is None else route.finish_within
        return _Queue(asking.provider, asking.model, asking.endpoint, lane, new, new and rest is None, within)

    def _live_room(self, under_way: Mapping[str, int]) -> ReadLimit | None:
        total = sum(under_way.values())
        if total >= max(LIVE_AT_ONCE, MAX_LIVE_JOBS):
            return None
        # The first part of a job comes before the second of any other; jobs under way have had their first.
        return ReadLimit((MAX_LIVE_JOBS + len(under_way)) * LIVE_AT_ONCE, LIVE_AT_ONCE, math.inf, math.inf)

    def _batch_room(self, queue: _Queue, turns: Turns, enqueued: int) -> ReadLimit | None:
        place = (queue.provider, queue.model)
        until = max(self._context.quotas.paused_until(place), turns.wait_to_pack(*place))
        if until > self._context.clock.steady():
            self.again.append(until)
            return None
        most = self._most(queue, turns)
        limits = self._context.quotas.limits(place, self._provider(queue).limits)
        tokens = math.inf
        if limits.max_enqueued_tokens is not None and enqueued:
            tokens = limits.max_enqueued_tokens - enqueued
        if not most or tokens <= 0:
            return None
        # For the first, one request more than a batch: it shows whether the job needs more than one.
        return ReadLimit(MAX_READ, MAX_READ, most * limits.max_requests + queue.first, tokens)

    def _provider(self, queue: _Queue) -> ConfiguredProvider:
        return provider_for(self._context.configured, queue.provider)

    def _most(self, queue: _Queue, turns: Turns) -> int:
        # While it is not known whether such requests are answered at all, one batch goes ahead of the others.
        return min(1 if queue.new else PACKED_AT_ONCE, turns.room(queue.provider, queue.model))

    async def _read(
        self, key: WaitingKey, line: JobLine, room: ReadLimit, read: dict[tuple[str, int], float]
    ) -> list[QueuedPart]:
        steady, configured = self._context.clock.steady(), self._context.configured
        priority = configured.priority(key.asking.route)
        # A limit of money that was set meanwhile is for whole jobs: this part waits for the admission of its job.
        limited = configured.budget.limits(key.asking.provider, key.asking.route)
        claimed = self._may_go(key, line, room)
        parts, rest_until = await self._context.store.waiting.of_jobs(
            claimed, room, now=self._context.clock.now(), known=self._known
        )
        if rest_until is not None:
            self.again.append(steady + min(rest_until - self._context.clock.now(), MAX_REST))
        else:
            # Jobs with one waiting part are remembered, but not the last one: its other parts may not have been read.
            of_jobs = Counter(part.job for part in parts)
            self._known |= {part.job: [part] for part in parts[:-1] if of_jobs[part.job] == 1 < room.of_job}
        queued = []
        for part in parts:
            if part.more and limited:
                continue
            since = read[part.job, part.first] = self._since.get((part.job, part.first), steady)
            queued.append(
                QueuedPart(
                    claimed_at=claimed[part.job],
                    job=part.job,
                    first=part.first,
                    requests=part.requests,
                    size=part.size,
                    input_tokens=part.input_tokens,
                    output_tokens=part.output_tokens,
                    since=since,
                    suspect=part.suspect,
                    priority=priority,
                    more=bool(part.more),
                )
            )
        return queued

    def _may_go(self, key: WaitingKey, line: JobLine, room: ReadLimit) -> dict[str, float]:
        """The jobs that do not wait for the hours of their route, and when each was claimed."""
        outside, route = self._context.outside, key.asking.route
        return {
            place.job: place.claimed_at
            for place in line.places[: room.parts]
            if outside.until(route, place.claimed_at, late=key.late) is None
        }

    def _forget_gone(self, waiting: Mapping[WaitingKey, JobLine]) -> None:
        """Forget the waiting times of jobs that have no waiting parts any more."""
        if len(self._since) > MAX_READ:
            jobs = {place.job for line in waiting.values() for place in line.places}
            self._since = {part: since for part, since in self._since.items() if part[0] in jobs}

    async def _recipes_ahead(self, waiting: set[str]) -> dict[str, float]:
        """The unproven recipes with a batch that went ahead, and for how many seconds others wait for it."""
        if waiting <= self._context.proven:
            return {}
        now = self._context.clock.now()
        ahead: dict[str, float] = {}
        for route, since in await self._context.store.learnt.under_way():
            rest = since + UNDECIDED_FOR - now
            if route.recipe not in self._context.proven:
                ahead[route.recipe] = max(rest, ahead.get(route.recipe, rest))
        return ahead

    def _pack(self, queue: _Queue, parts: list[QueuedPart], enqueued: int, turns: Turns) -> list[Due]:
        provider, place = self._provider(queue), (queue.provider, queue.model)
        limits = self._context.quotas.limits(place, provider.limits)
        if queue.first:
            parts = _ahead_of_others(parts, limits.max_requests)
        packing = pack(
            parts,
            limits,
            linger=provider.linger,
            steady=self._context.clock.steady(),
            now=self._context.clock.now(),
            free_tokens=None if limits.max_enqueued_tokens is None else limits.max_enqueued_tokens - enqueued,
            careful=self._context.accounts.is_careful(*place),
        )
        if packing.again_at is not None:
            self.again.append(packing.again_at)
        made = tuple(tuple(batch) for batch in packing.batches[: self._most(queue, turns)])
        found = [Due(Pack(queue.provider, queue.model, queue.endpoint, made))] if made else []
        for part in packing.too_large:
            action = Split(
                part.job, part.first, piece_requests(part, limits), f"it is more than {provider.name} takes at once"
            )
            found.append(Due(action))
        return found


def _ahead_of_others(parts: Sequence[QueuedPart], most: int) -> list[QueuedPart]:
    """The parts that go ahead: of a job that needs more than one batch of `most` requests, only its first part."""
    requests: Counter[str] = Counter()
    for part in parts:
        requests[part.job] += part.requests
    firsts = {part.job: part.first for part in reversed(parts)}
    return [
        replace(part, more=False)
        for part in parts
        if part.first == firsts[part.job] or not (part.more or requests[part.job] > most)
    ]

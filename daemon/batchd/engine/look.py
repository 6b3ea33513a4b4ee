"""One look at the store finds every action that is due.

A look changes nothing, neither in the store nor at a provider.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from ..domain import lifecycle
from ..domain.lifecycle import Action, Pack, Split, next_actions, next_batch_actions, outcome_wait
from ..domain.records import Batch, BatchState, QueuedPart
from ..domain.subjects import Subject
from ..money.lanes import Lane
from ..sending.line_refusals import MAX_REST
from ..sending.packing import pack, pack_live, piece_requests
from ..store.batches import WaitingPart
from .context import ConfiguredProvider, Context
from .key_marks import key_mark
from .provider_calls import ProviderNotConfigured, provider_for
from .retry_clock import RetryClock
from .room import Due, Room, is_remote, urgency
from .switch_look import SwitchLook
from .turns import LOOK_AGAIN, UNDECIDED_FOR, Turns

PACKED_AT_ONCE = 100
"""Batches made in one transaction. A commit for each takes long where a file is big; one for all holds up others."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a look found: what is due, in order of urgency, and when to look again at the latest (steady time).

    `missing` are the providers that parts wait for and that are not configured, with what people can do; `stuck` the
    batches that nothing is done with until a person has changed something; `switches` the actions that ask jobs in
    another way, due or not.
    """

    due: Sequence[Due]
    again_at: float | None
    missing: Mapping[str, str]
    stuck: frozenset[str] = frozenset()
    switches: frozenset[Action] = frozenset()


class _Queue(NamedTuple):
    """Parts that may be asked together. `new` if nobody knows yet whether such requests are answered at all.

    Those with a deadline share no batch with those without: theirs may be ended early.
    """

    provider: str
    model: str
    endpoint: str
    lane: Lane | None
    new: bool
    finish_within: float | None


_WAITING_FOR_OTHERS = (lifecycle.Forget, lifecycle.Admit, lifecycle.Hasten, lifecycle.Move, lifecycle.Recheck)


class Look:
    """Looks repeatedly. It remembers what has to wait, and since when parts wait for a batch."""

    def __init__(
        self, context: Context, retry_clock: RetryClock, room: Room, *, undecided: Mapping[str, int] | None = None
    ) -> None:
        """`undecided` are the providers of which it was asked, so often, whether they have batches, in vain."""
        self._context = context
        self._retry_clock = retry_clock
        self._room = room
        self._since: dict[tuple[str, int], float] = {}
        self._resting: dict[str, tuple[float, bool]] = {}
        self._resets = 0
        self._switch_look = SwitchLook(context, retry_clock, room, undecided={} if undecided is None else undecided)
        self._keys_looked_at = 0.0
        self._again: list[float] = []
        self._missing: dict[str, str] = {}
        self.lanes_wanted: set[str] = set()
        """The providers that parts wait for, and of which it is not known how they are asked."""

    async def look(self) -> Outlook:
        """Everything that is due now and not under way."""
        self._again, self._missing, self.lanes_wanted = [], {}, set()
        candidates: list[Due] = []
        batches = await self._context.store.batches.in_work()
        turns = Turns(self._context, batches)
        self._notice_new_keys()
        ours = await self._batches_of_only()
        for batch in (*batches, *await self._context.store.batches.held_for_a_change()):
            if ours is None or batch.key in ours:
                candidates += self._of_batch(batch, turns)
        for batch in await self._context.store.input_files.left():
            if (ours is None or batch.key in ours) and batch.provider in self._context.configured.providers:
                # No call of the provider's line: what comes of it says nothing about the others.
                candidates.append(Due(lifecycle.Forget(batch.key)))
        candidates += await self._of_jobs()
        switched: frozenset[Action] = frozenset()
        if ours is None:
            switches = await self._switch_look.look()
            candidates += [Due(action) for action in switches.due]
            self._again += switches.times
            switched = frozenset(switches.wanted)
        candidates += await self._packing(turns)
        if ours is None:
            candidates += [Due(lifecycle.Erase(job.id)) for job in await self._context.store.purging.under_way()]
            candidates += [Due(lifecycle.Admit(job)) for job in await self._context.store.money.waiting()]
        steady = self._context.clock.steady()
        due = []
        for candidate in candidates:
            if self._room.is_taken_by(candidate.action):
                continue  # its end leads to another look
            until = max(self._retry_clock.until(candidate.action), self._gate(candidate.callee))
            if until <= steady:
                due.append(candidate)
            elif not isinstance(candidate.action, _WAITING_FOR_OTHERS):
                # What waits for money or for a person is looked at again, but `batchd once` does not wait with it.
                self._again.append(until)
        self._again = [until for until in self._again if until < math.inf]
        stuck = frozenset(
            each.action.batch
            for each in candidates
            if isinstance(each.action, lifecycle.Distribute) and self._retry_clock.until(each.action) == math.inf
        )
        # At a provider that fails us calls take turns: else one call that never works would keep all others waiting.
        due.sort(key=lambda each: (self._turn(each), urgency(each)))
        return Outlook(due, min(self._again, default=None), self._missing, stuck, switched)

    async def _batches_of_only(self) -> set[str] | None:
        """The batches of the jobs that alone are worked on; None if all are."""
        if self._context.only is None:
            return None
        batches = self._context.store.batches
        return {batch.key for job in self._context.only for batch in await batches.of_job(job)}

    def batch_has_moved(self) -> None:
        """A batch has made progress: that may be work for jobs whose own actions have to wait."""
        self._resting = {job: rest for job, rest in self._resting.items() if not rest[1]}

    def is_shut(self, callee: Subject | None) -> bool:
        """Whether a provider or sink fails us as a whole: it is down, or refuses our key."""
        return callee is not None and self._retry_clock.failures(callee) > 0

    def _turn(self, due: Due) -> float:
        return self._retry_clock.until(due.action) if self.is_shut(due.callee) else 0.0

    async def _of_jobs(self) -> list[Due]:
        """What can be done for jobs. A job whose every action has to wait makes room for the next in the line.

        Or those of a route whose prompt is broken, or files that may not be read, would keep all others waiting.
        """
        steady = self._context.clock.steady()
        reset, self._resets = self._resets != self._retry_clock.resets, self._retry_clock.resets
        self._resting = {job: rest for job, rest in self._resting.items() if rest[0] > steady and not reset}
        only = self._context.only
        others = await self._context.store.jobs.ids() - only if only is not None else ()
        while True:
            found: list[list[Due]] = []
            before = len(self._resting)
            for view in await self._context.store.jobs.views(resting=[*self._resting, *others]):
                actions = list(next_actions(view))
                waits = [self._wait_of(action) for action in actions]
                if waits and min(waits) > steady:
                    self._resting[view.job.id] = min(waits), view.open_parts > 0
                else:
                    found.append([Due(action) for action in actions])
            if len(self._resting) == before:
                self._again += [until for until, _ in self._resting.values()]
                # The first action of each job before the second of any: a small file does not wait for workers until
                # all parts of a large one are planned.
                return [due for place in zip_longest(*found) for due in place if due is not None]

    def _wait_of(self, action: Action) -> float:
        """Steady time before which the action must not be tried; 0 if it is under way, or was a moment ago."""
        return 0.0 if self._room.is_taken_by(action) else self._retry_clock.until(action)

    def _notice_new_keys(self) -> None:
        """While an account is refused, look now and then whether its key was replaced."""
        accounts, steady = self._context.accounts, self._context.clock.steady()
        blocked = accounts.blocked()
        if blocked:
            self._again.append(steady + LOOK_AGAIN)
        if not blocked or steady < self._keys_looked_at + LOOK_AGAIN / 3:
            return
        self._keys_looked_at = steady
        for provider in blocked:
            mark = key_mark(self._context, provider)
            if any(block.key != mark and block.until > steady for block in accounts.of(provider)):
                accounts.release(provider)
                self._retry_clock.release(Subject.provider(provider))

    def _of_batch(self, batch: Batch, turns: Turns) -> list[Due]:
        provider = self._context.configured.providers.get(batch.provider)
        timeout = provider.create_takes(batch.lane) if provider is not None else 60.0
        now = self._context.now()
        if batch.state is BatchState.SUBMITTING:
            wait = outcome_wait(batch, now, create_timeout=timeout)
            if wait > 0:
                self._again.append(now.steady + wait)
        actions = list(next_batch_actions(batch, now, create_timeout=timeout))
        if any(isinstance(action, lifecycle.Upload | lifecycle.Submit) for action in actions):
            wait = turns.wait_to_send(batch)
            if wait > now.steady:
                self._again.append(wait)
                return []
        # Calls that are to begin no more are here: whether their service works does not matter.
        live = batch.lane is Lane.LIVE
        away = not (live and batch.cut_at is not None)
        return [Due(action, batch.provider if is_remote(action) and away else None, live=live) for action in actions]

    async def _packing(self, turns: Turns) -> list[Due]:
        """Batches to make of the parts that wait, and parts to cut first."""
        queues: dict[_Queue, list[QueuedPart]] = defaultdict(list)
        configured = self._context.configured
        deadlines = {route.name: route.finish_within for route in configured.routes}
        steady, wall = self._context.clock.steady(), self._context.clock.now()
        waiting = await self._context.store.batches.waiting()
        if self._context.only is not None:
            waiting = [entry for entry in waiting if entry.part.job in self._context.only]
        keys = {(entry.part.job, entry.part.first) for entry in waiting}
        self._since = {key: since for key, since in self._since.items() if key in keys}
        ahead = await self._recipes_ahead({entry.recipe for entry in waiting})
        for entry in waiting:
            part = entry.part
            lane = self._lane(entry)
            live = lane is Lane.LIVE
            rest = max(
                part.rest_until - wall if part.rest_until is not None else 0.0,
                0.0 if live else ahead.get(entry.recipe, 0.0),
            )
            if rest > 0:
                self._again.append(steady + min(rest, MAX_REST))
                continue
            new = not live and entry.recipe not in self._context.proven
            within = None if live else deadlines.get(entry.route)
            queues[_Queue(entry.provider, entry.model, entry.endpoint, lane, new, within)].append(
                QueuedPart(
                    claimed_at=entry.claimed_at,
                    job=part.job,
                    first=part.first,
                    requests=part.requests,
                    size=part.size,
                    input_tokens=part.input_tokens,
                    output_tokens=part.output_tokens,
                    since=self._since.setdefault((part.job, part.first), steady),
                    suspect=part.suspect,
                    priority=configured.priority(entry.route),
                )
            )
        if not queues:
            return []
        enqueued = await self._context.store.batches.enqueued_tokens()
        under_way = await self._context.store.batches.open_live()
        found: list[Due] = []
        for queue, parts in queues.items():
            name, model, endpoint = queue.provider, queue.model, queue.endpoint
            try:
                provider = provider_for(configured, name)
            except ProviderNotConfigured as error:
                self._missing[name] = str(error)
                continue
            if queue.lane is None:
                self.lanes_wanted.add(name)
                self._again.append(steady + 1.0)
                continue
            if queue.lane is Lane.LIVE:
                made = pack_live(parts, under_way.get((name, model, endpoint), {}), now=wall)
                if made:
                    found.append(Due(Pack(name, model, endpoint, tuple((part,) for part in made), lane=Lane.LIVE)))
                continue
            room = turns.room(name, model)
            # Where nobody knows whether such requests are answered at all, one batch goes ahead of the others.
            most = min(1 if queue.new else PACKED_AT_ONCE, room)
            found += self._pack_queue(provider, model, endpoint, parts, enqueued.get((name, model), 0), turns, most)
        return found

    def _lane(self, entry: WaitingPart) -> Lane | None:
        provider = self._context.configured.providers.get(entry.provider)
        return provider.lane_for(late=entry.late) if provider is not None else None

    async def _recipes_ahead(self, waiting: set[str]) -> dict[str, float]:
        """Recipes that are not proven, but have a batch that went ahead: for how many seconds others wait for it."""
        if waiting <= self._context.proven:
            return {}
        now = self._context.clock.now()
        ahead: dict[str, float] = {}
        for route, since in await self._context.store.learnt.under_way():
            rest = since + UNDECIDED_FOR - now
            if rest > 0 and route.recipe not in self._context.proven:
                ahead[route.recipe] = max(rest, ahead.get(route.recipe, 0.0))
        return ahead

    def _pack_queue(
        self,
        provider: ConfiguredProvider,
        model: str,
        endpoint: str,
        parts: list[QueuedPart],
        enqueued: int,
        turns: Turns,
        most: int,
    ) -> list[Due]:
        quotas, queue, steady = self._context.quotas, (provider.name, model), self._context.clock.steady()
        until = max(quotas.paused_until(queue), turns.wait_to_pack(*queue))
        if until > steady:
            self._again.append(until)
            return []
        limits = quotas.limits(queue, provider.limits)
        free = None if limits.max_enqueued_tokens is None else limits.max_enqueued_tokens - enqueued
        careful = self._context.accounts.is_careful(*queue)
        packing = pack(
            parts,
            limits,
            linger=provider.linger,
            steady=steady,
            now=self._context.clock.now(),
            free_tokens=free,
            careful=careful,
        )
        if packing.again_at is not None:
            self._again.append(packing.again_at)
        made = tuple(tuple(batch) for batch in packing.batches[:most])
        found = [Due(Pack(provider.name, model, endpoint, made))] if made else []
        for part in packing.too_large:
            action = Split(
                part.job, part.first, piece_requests(part, limits), f"it is more than {provider.name} takes at once"
            )
            found.append(Due(action))
        return found

    def _gate(self, callee: Subject | None) -> float:
        """While a provider or sink fails us as a whole, one call at a time finds out whether it still does."""
        if callee is None or not self.is_shut(callee):
            return 0.0
        if self._room.is_called(callee):
            return self._context.clock.steady() + 1.0
        return self._retry_clock.until(callee)

"""Look, decide, act. One look finds every action that is due; carrying one out leads to the next look.

Start-up, a finished action, an order, a poll that is due: all of them only wake the loop.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..domain import lifecycle
from ..domain.lifecycle import Action, Pack, Split, next_actions, next_batch_actions, outcome_wait
from ..domain.records import Batch, BatchState, QueuedPart
from ..errors import RejectedError, RemoteMissing, TransientError
from ..sending import backoff
from ..sending.packing import pack, pieces
from ..store.event_log import Order
from .conditions import Conditions, in_words, worth_saying_at_once
from .context import ConfiguredProvider, Context
from .provider_calls import ProviderNotConfigured, provider_for, until_open
from .retry_clock import RetryClock
from .retry_later import RetryLater
from .steps import CARRIED_OUT_BY, orders

logger = logging.getLogger(__name__)

_WORKER_ACTIONS = (lifecycle.Read, lifecycle.Plan, lifecycle.Split, lifecycle.Distribute, lifecycle.Collect)
_REMOTE_ACTIONS = (
    lifecycle.Upload,
    lifecycle.Submit,
    lifecycle.Find,
    lifecycle.Poll,
    lifecycle.CancelBatch,
    lifecycle.Fetch,
)

REMOTE_AT_A_TIME = 16
LOCAL_AT_A_TIME = 16
PACKED_AT_ONCE = 100
"""Batches made in one transaction. A commit for each takes long where a file is big; one for all holds up others."""
COMPLAIN_AFTER = 3
"""A passing fault is said to people once it has not passed this many times."""


@dataclass(frozen=True, slots=True)
class Due:
    """An action that may be carried out now, and the provider it concerns, if one."""

    action: Action
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a look found: what is due, in order of urgency, and when to look again at the latest (steady time)."""

    due: Sequence[Due]
    again_at: float | None


class Engine:
    """Decides what is due, and carries it out."""

    def __init__(self, context: Context, *, workers: int) -> None:
        self.context = context
        self.retry_clock = RetryClock(context.clock)
        self.conditions = Conditions(context.store.event_log)
        self.workers = workers
        # Packing has room of its own: twenty thousand files that are to be taken must not keep others from being asked.
        self._room = {"worker": workers * 2, "remote": REMOTE_AT_A_TIME, "local": LOCAL_AT_A_TIME, "pack": 1}
        self._since: dict[tuple[str, int], float] = {}
        self._resting: dict[str, tuple[float, bool]] = {}
        self._resets = 0
        self._streaks: Counter[str] = Counter()
        self._under_way: set[Action] = set()
        self._ended_meanwhile: set[Action] = set()
        self._busy_providers: Counter[str] = Counter()

    # --- looking ---------------------------------------------------------------------------------------------

    async def look(self) -> Outlook:
        """Everything that is due now and not under way."""
        self._ended_meanwhile.clear()
        candidates: list[Due] = []
        again: list[float] = []
        for order in await self.context.store.event_log.orders():
            await self._obey(order, again)
        for batch in await self.context.store.batches.in_work():
            candidates += self._of_batch(batch, again)
        candidates += await self._of_jobs(again)
        candidates += await self._packing(again)
        candidates += [Due(lifecycle.Admit(job)) for job in await self.context.store.money.waiting()]
        steady = self.context.clock.steady()
        due = []
        for candidate in candidates:
            # What has ended since we began to look may have been read as it was before; its end leads to another look.
            if candidate.action in self._under_way or candidate.action in self._ended_meanwhile:
                continue
            until = max(self.retry_clock.until(candidate.action), self._gate(candidate.provider))
            if until <= steady:
                due.append(candidate)
            elif not isinstance(candidate.action, lifecycle.Admit):
                # A job that waits for money is looked at again, but `batchd once` does not wait with it.
                again.append(until)
        # Whose turn it is at a provider that fails us: else one call that never works would keep all others waiting.
        due.sort(key=lambda each: self.retry_clock.until(each.action) if self._shut(each.provider) else 0.0)
        return Outlook(due, min(again, default=None))

    async def _obey(self, order: Order, again: list[float]) -> None:
        """Carry out an order. One that cannot be carried out now, for want of room say, is tried again."""
        subject = f"order {order.id}"
        if self.retry_clock.until(subject) > self.context.clock.steady():
            again.append(self.retry_clock.until(subject))
            return
        try:
            await orders.obey(self.context, order)
        except Exception as error:  # the border, as in `_perform`: nothing else may stop for it
            self.retry_clock.failed(subject)
            again.append(self.retry_clock.until(subject))
            logger.debug("%s failed", order, exc_info=error, extra={"action": "Obey"})
            await self.conditions.say(subject, in_words(error, f"{order.kind} {order.target}"))
            return
        self.retry_clock.forget(subject)
        self.retry_clock.reset()
        await self.conditions.all_well(subject)

    async def _of_jobs(self, again: list[float]) -> list[Due]:
        """What can be done for jobs. A job whose every action has to wait makes room for the next in the line.

        Or those of a route whose prompt is broken, or files that may not be read, would keep all others waiting.
        """
        steady = self.context.clock.steady()
        hurried, self._resets = self._resets != self.retry_clock.resets, self.retry_clock.resets
        self._resting = {job: rest for job, rest in self._resting.items() if rest[0] > steady and not hurried}
        while True:
            found: list[Due] = []
            before = len(self._resting)
            for view in await self.context.store.jobs.views(resting=self._resting):
                actions = list(next_actions(view))
                waits = [self._wait_of(action) for action in actions]
                if waits and min(waits) > steady:
                    self._resting[view.job.id] = min(waits), view.open_parts > 0
                else:
                    found += [Due(action) for action in actions]
            if len(self._resting) == before:
                again += [until for until, _ in self._resting.values()]
                return found

    def _wait_of(self, action: Action) -> float:
        """Steady time before which the action must not be tried; 0 if it is under way, or was a moment ago."""
        if action in self._under_way or action in self._ended_meanwhile:
            return 0.0
        return self.retry_clock.until(action)

    def _of_batch(self, batch: Batch, again: list[float]) -> list[Due]:
        provider = self.context.providers.get(batch.provider)
        timeout = provider.create_timeout if provider is not None else 60.0
        now = self.context.now()
        if batch.state is BatchState.SUBMITTING:
            wait = outcome_wait(batch, now, create_timeout=timeout)
            if wait > 0:
                again.append(now.steady + wait)
        actions = next_batch_actions(batch, now, create_timeout=timeout)
        return [Due(action, batch.provider if isinstance(action, _REMOTE_ACTIONS) else None) for action in actions]

    async def _packing(self, again: list[float]) -> list[Due]:
        """Batches to make of the parts that wait, and parts to cut first."""
        lanes: dict[tuple[str, str, str], list[QueuedPart]] = defaultdict(list)
        steady = self.context.clock.steady()
        waiting = await self.context.store.batches.waiting()
        keys = {(entry.part.job, entry.part.first) for entry in waiting}
        self._since = {key: since for key, since in self._since.items() if key in keys}
        for entry in waiting:
            part = entry.part
            lanes[entry.provider, entry.model, entry.endpoint].append(
                QueuedPart(
                    claimed_at=entry.claimed_at,
                    job=part.job,
                    first=part.first,
                    requests=part.requests,
                    size=part.size,
                    input_tokens=part.input_tokens,
                    output_tokens=part.output_tokens,
                    since=self._since.setdefault((part.job, part.first), steady),
                    alone=part.suspect,
                )
            )
        if not lanes:
            return []
        enqueued = await self.context.store.batches.enqueued_tokens()
        found: list[Due] = []
        for (name, model, endpoint), parts in lanes.items():
            try:
                provider = provider_for(self.context, name)
            except ProviderNotConfigured as error:
                await self.conditions.say(f"provider {name}", str(error))
                continue
            found += self._pack_lane(provider, model, endpoint, parts, enqueued.get((name, model), 0), again)
        return found

    def _pack_lane(
        self,
        provider: ConfiguredProvider,
        model: str,
        endpoint: str,
        parts: list[QueuedPart],
        enqueued: int,
        again: list[float],
    ) -> list[Due]:
        quotas, lane, steady = self.context.quotas, (provider.name, model), self.context.clock.steady()
        if quotas.paused_until(lane) > steady:
            again.append(quotas.paused_until(lane))
            return []
        most = quotas.limit(lane, provider.limits.max_enqueued_tokens)
        limits = replace(provider.limits, max_enqueued_tokens=most)
        free = None if most is None else most - enqueued
        packing = pack(parts, limits, linger=provider.linger, steady=steady, free_tokens=free)
        if packing.again_at is not None:
            again.append(packing.again_at)
        made = tuple(tuple(batch) for batch in packing.batches[:PACKED_AT_ONCE])
        found = [Due(Pack(provider.name, model, endpoint, made))] if made else []
        for part in packing.too_large:
            action = Split(part.job, part.first, pieces(part, limits), f"it is more than {provider.name} takes at once")
            found.append(Due(action))
        return found

    def _shut(self, provider: str | None) -> bool:
        """Whether a provider fails us as a whole: it is down, or refuses our key."""
        return provider is not None and self.retry_clock.failures(provider) > 0

    def _gate(self, provider: str | None) -> float:
        """While a provider fails us as a whole, one call at a time finds out whether it still does."""
        if provider is None or not self._shut(provider):
            return 0.0
        if self._busy_providers[provider]:
            return self.context.clock.steady() + 1.0
        return self.retry_clock.until(provider)

    # --- acting ----------------------------------------------------------------------------------------------

    def room_for(self, due: Due) -> bool:
        """Whether one more of its kind may be under way. At a provider that fails us, one call is enough."""
        kind = _kind(due.action)
        if sum(_kind(action) == kind for action in self._under_way) >= self._room[kind]:
            return False
        return not self._shut(due.provider) or not self._busy_providers[due.provider or ""]

    def perform(self, due: Due) -> Coroutine[Any, Any, None]:
        """Carry out one action; it counts as under way from this call on, before it is awaited.

        What goes wrong becomes patience, and after a while words; nothing is raised.
        """
        self._under_way.add(due.action)
        self._busy_providers[due.provider or ""] += 1
        return self._perform(due)

    async def _perform(self, due: Due) -> None:
        action = due.action
        try:
            await until_open(self.context, due.provider or "")
            await CARRIED_OUT_BY[type(action)](self.context, action)
            await self._went_well(due)
        except RetryLater as again:
            self.retry_clock.pause(action, again.pause)
            await self._answered(due)
        except Exception as error:  # noqa: BLE001  # the border: every fault becomes patience and words
            await self._complain(due, error)
        finally:
            self._under_way.discard(action)
            self._ended_meanwhile.add(action)
            self._busy_providers[due.provider or ""] -= 1
            if not hasattr(action, "job"):
                # What became of a batch may be work for jobs whose own has to wait.
                self._resting = {job: rest for job, rest in self._resting.items() if not rest[1]}

    async def _went_well(self, due: Due) -> None:
        if isinstance(due.action, lifecycle.Poll):
            self.retry_clock.pause(due.action, await self._poll_pause(due.action))
        else:
            self.retry_clock.forget(due.action)
        await self._answered(due)
        await self._all_well(_subject(due.action))
        if isinstance(due.action, lifecycle.Fetch):
            # Whether it could be cancelled does not matter any more.
            await self._all_well(_subject(lifecycle.CancelBatch(due.action.batch)))

    async def _answered(self, due: Due) -> None:
        if due.provider is not None:
            self.retry_clock.forget(due.provider)
            await self._all_well(f"provider {due.provider}")

    async def _poll_pause(self, action: lifecycle.Poll) -> float:
        batch = await self.context.store.batches.get(action.batch)
        provider = self.context.providers.get(batch.provider)
        # By the clock that does not jump: one set forward by a day would have a batch looked at every five minutes.
        age = batch.intent.age(self.context.now()) if batch.intent is not None else 0.0
        return backoff.poll_delay(
            max(age, 0.0), least=provider.poll if provider else 30.0, jitter=self.context.clock.jitter()
        )

    async def _complain(self, due: Due, error: Exception) -> None:
        action, provider = due.action, due.provider
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        failures = self.retry_clock.failed(action, retry_after=retry_after)
        name = type(action).__name__
        logger.debug("%s failed", action, exc_info=error, extra={"action": name})
        if isinstance(error, ProviderNotConfigured):
            await self.conditions.say(f"provider {provider}", str(error))
        elif provider is not None and isinstance(error, RejectedError):
            self._shut_for_longer(provider)
            waits = f"{error} Jobs wait; nothing is lost."
            await self.conditions.say(f"provider {provider}", waits, cause="rejected")
        elif provider is not None and isinstance(error, TransientError) and not isinstance(error, RemoteMissing):
            self._streaks[provider] += 1
            if self._streaks[provider] >= COMPLAIN_AFTER:
                self._shut_for_longer(provider)
                waits = f"{error} Trying again until it works; jobs wait."
                await self.conditions.say(f"provider {provider}", waits, cause="passing")
        elif failures >= COMPLAIN_AFTER or worth_saying_at_once(error):
            await self.conditions.say(_subject(action), in_words(error, name))

    def _shut_for_longer(self, provider: str) -> None:
        # Calls that were under way when the first of them failed tell nothing new.
        if self.retry_clock.until(provider) <= self.context.clock.steady():
            self.retry_clock.failed(provider)

    async def _all_well(self, subject: str) -> None:
        self._streaks.pop(subject.removeprefix("provider "), None)
        await self.conditions.all_well(subject)


def _kind(action: Action) -> str:
    if isinstance(action, Pack):
        return "pack"
    if isinstance(action, _WORKER_ACTIONS):
        return "worker"
    return "remote" if isinstance(action, _REMOTE_ACTIONS) else "local"


def _subject(action: Action) -> str:
    """Whom people know that an action is about."""
    if isinstance(action, lifecycle.Deliver):
        return f"sink {action.sink}"
    if isinstance(action, Pack):
        # Not the provider itself: it is not called for this, so this proves nothing about it.
        return f"batches for {action.provider}"
    if isinstance(action, lifecycle.CancelBatch):
        return f"cancelling batch {action.batch}"  # by itself, since polls of the batch go well meanwhile
    job = getattr(action, "job", None)
    return f"job {job}" if job is not None else f"batch {getattr(action, 'batch', '')}"

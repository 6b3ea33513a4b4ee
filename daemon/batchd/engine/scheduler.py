"""Look, decide, act: carries out what a look finds due. Carrying one action out leads to the next look.

Start-up, a finished action, an order, a poll that is due: all of them only wake the loop.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ..domain import lifecycle
from ..domain.lifecycle import Action, Pack
from ..domain.records import BatchState
from ..domain.subjects import Subject, SubjectKind
from ..errors import NodeLost, RejectedError, RemoteMissing, TransientError, WorkerLost
from ..money.lanes import Lane
from ..orders.values import Pause, Resume
from ..plugin.absent import PluginOff
from ..sending import backoff
from ..store.errors import StoreUnavailable
from ..store.tables.orders import StoredOrder
from ..values import replace
from . import sending_hours
from .conditions import Conditions, in_words, worth_saying_at_once
from .context import Context
from .due_line import DueLine
from .lane_finding import LaneFinding
from .looks.in_work import InWork
from .looks.look import Look, Outlook
from .pausing import put_in_force
from .provider_calls import ProviderNotConfigured, TookTooLong
from .retry_clock import RetryClock
from .retry_later import RetryLater
from .room import Due, Room
from .steps import CARRIED_OUT_BY, orders
from .steps.deliver import SinkNotConfigured, SinkTookTooLong
from .steps.worker_crashes import MAX_WORKER_CRASHES, stop_after_crashes

logger = logging.getLogger(__name__)

ORDERS_MAY_TAKE = 1.0
"""Seconds that a look waits for orders. One that needs a worker or a provider may take longer."""
_OF_ALL = frozenset({Pause.kind, Resume.kind})
COMPLAIN_AFTER = 3
"""A passing fault becomes a condition after this many tries."""


class Engine:
    """Finds due actions, carries them out, and reports what keeps them waiting."""

    def __init__(self, context: Context, *, workers: int) -> None:
        self.context = context
        self.retry_clock = RetryClock(context.clock, on_reset=context.accounts.release)
        self.conditions = Conditions(context.store.event_log)
        self.workers = workers
        self.on_news: Callable[[], None] = lambda: None
        """Called when something may be due though none of our actions has ended."""
        self._lane_finding = LaneFinding(context, self.conditions, lambda: self.on_news())
        self._room = Room(workers=workers, hanging=context.hung)
        self.line = DueLine(self._room)
        self.in_work = InWork(context.store)
        self._look = Look(context, self.retry_clock, self._room, self.in_work, self._lane_finding.failures)
        self._streaks: Counter[Subject] = Counter()
        self._obeying: asyncio.Task[list[float | None]] | None = None
        self._remembers = False
        self._off: tuple[int, frozenset[str]] = (0, frozenset())
        """The jobs that need a plugin that is kept off, as of this number of resets."""

    async def look(self) -> Outlook:
        """Carry out the orders that were left, then find everything that is due."""
        self._room.look_begins()
        if not self._remembers:
            self.context.quotas.restore(await self.context.store.learnt.limits())
            self.context.proven |= await self.context.store.learnt.proven()
            await put_in_force(self.context)
            self._remembers = True
        waits = await self._obey_all(await self._orders())
        await self.in_work.refresh()
        hours_at = await sending_hours.put_in_force(self.context, self.conditions, self.in_work)
        outlook = await self._look.look()
        lanes_at = self._lane_finding.look(self._look.lanes_wanted)
        await self._lane_finding.tell(self._look.lanes_wanted)
        wanted = {_subject(action) for action in outlook.switches}
        for subject in await self.conditions.of_kinds(SubjectKind.DEADLINE, SubjectKind.FALLBACK):
            if subject not in wanted:
                await self.conditions.all_well(subject)
        await self._let_go_of_providers()
        for name, text in outlook.missing.items():
            await self.conditions.say(Subject.provider(name), text)
        # Actions that were given up have an infinite time.
        times = [until for until in (*waits, outlook.again_at, lanes_at) if until is not None and until < math.inf]
        return replace(outlook, again_at=min(times, default=None), hours_at=hours_at)

    async def has_work(self, outlook: Outlook) -> bool:
        """Whether jobs or batches have work that is not stuck, by what is stored now."""
        in_work = self.in_work
        await in_work.refresh()
        off = self._off[1] if self._off[0] == self.retry_clock.resets else frozenset()
        paused, outside = self.context.paused, self.context.outside
        if (
            in_work.has_jobs(but=off)
            or not in_work.batches.keys() <= outlook.stuck | in_work.held | paused.live | outside.live
        ):
            return True
        # A batch that a person must decide about may take up the room of its model.
        taken = set(await self.context.store.waiting.enqueued_tokens())
        waiting = (
            key.asking
            for key, line in in_work.waiting(None).items()
            if any(outside.until(key.asking.route, each.claimed_at, late=key.late) is None for each in line.places)
        )
        return any(
            asking.provider not in outlook.missing
            and (asking.provider, asking.model) not in taken
            and not paused.holds(asking.provider, asking.route)
            for asking in waiting
        )

    async def _orders(self) -> list[StoredOrder]:
        orders, only = await self.context.store.event_log.orders(), self.context.only
        # Pauses apply to all jobs, so also to those that `batchd once` sends.
        return [each for each in orders if only is None or each.target in only or each.kind in _OF_ALL]

    async def _obey_all(self, orders: Sequence[StoredOrder]) -> list[float | None]:
        """Carry out orders, one after the other. One that takes long goes on beside the loop; the rest wait for it."""
        if self._obeying is None:
            self._obeying = asyncio.create_task(self._obey_each(orders), name="carry out orders")
        await asyncio.wait([self._obeying], timeout=ORDERS_MAY_TAKE)
        if not self._obeying.done():
            return [self.context.clock.steady() + ORDERS_MAY_TAKE]
        ended, self._obeying = self._obeying, None
        return ended.result()

    async def _obey_each(self, orders: Sequence[StoredOrder]) -> list[float | None]:
        return [await self._obey(order) for order in orders]

    async def end_orders(self) -> None:
        """Cancel the orders under way: those without an answer are carried out at the next start."""
        await self._lane_finding.end()
        if self._obeying is not None:
            self._obeying.cancel()
            await asyncio.gather(self._obeying, return_exceptions=True)

    async def _obey(self, order: StoredOrder) -> float | None:
        """Carry out an order. If it fails (a full disk, say), return the steady time of the next try."""
        subject = Subject(SubjectKind.ORDER, str(order.id))
        if self.retry_clock.until(subject) > self.context.clock.steady():
            return self.retry_clock.until(subject)
        try:
            if not await orders.obey(self.context, order):
                return None  # an action carries it out; its end leads to another look
        except WorkerLost as lost:
            if isinstance(lost, NodeLost) or self.retry_clock.crashed(subject) < MAX_WORKER_CRASHES:
                self.retry_clock.failed(subject)
                return self.retry_clock.until(subject)
            answer = f"The order was given up: a worker process died {MAX_WORKER_CRASHES} times over it. {lost}"
            await self.context.store.event_log.answer(order, answer, refused=True)
        except Exception as error:  # the border, as in `_perform`: a fault stops nothing else
            self.retry_clock.failed(subject)
            logger.debug("%s failed", order, exc_info=error, extra={"action": "Obey"})
            await self.conditions.say(subject, in_words(error, f"{order.kind} {order.target}"))
            return self.retry_clock.until(subject)
        self.retry_clock.forget(subject)
        self.retry_clock.reset()
        await self.conditions.all_well(subject)
        return None

    def use_workers(self, number: int) -> None:
        """Set how many tasks can be worked on at a time: machines came, or went away."""
        self.workers = self._room.workers = number

    def room_for(self, due: Due) -> bool:
        """Whether one more of its kind may be under way. A provider or sink that fails us gets one call at a time."""
        if not self._room.has_room_for(due):
            return False
        return due.callee is None or not self._look.is_shut(due.callee) or not self._room.is_called(due.callee)

    def perform(self, due: Due) -> Coroutine[Any, Any, None]:
        """Carry out one action; it counts as under way from this call on, before it is awaited.

        An action that fails is tried again later, and reported after a while; nothing is raised.
        """
        self._room.begin(due)
        return self._perform(due)

    async def _perform(self, due: Due) -> None:
        action = due.action
        try:
            await CARRIED_OUT_BY[type(action)](self.context, action)
            await self._note_refusals()
            await self._went_well(due)
        except RetryLater as again:
            self.retry_clock.pause(action, again.pause)
            if again.text is not None:
                await self.conditions.say(_subject(action), again.text)
            await self._answered(due)
        except WorkerLost as lost:
            await self._crashed(due, lost)
        except Exception as error:  # noqa: BLE001  # the border: every fault is tried again and said
            await self._complain(due, error)
        finally:
            self._room.end(due)
            if not hasattr(action, "job"):
                self._look.batch_has_moved()

    async def _crashed(self, due: Due, lost: WorkerLost) -> None:
        """Try again after a worker crash; after three, stop the jobs. Some steps count crashes by part themselves."""
        if isinstance(lost, NodeLost) or self.retry_clock.crashed(due.action) < MAX_WORKER_CRASHES:
            await self._complain(due, lost)
            return
        self.retry_clock.give_up(due.action)
        try:
            await stop_after_crashes(self.context, due.action, lost)
        except StoreUnavailable as error:
            self.retry_clock.forget(due.action)
            await self._complain(due, error)

    async def _went_well(self, due: Due) -> None:
        pause = await self._poll_pause(due.action) if isinstance(due.action, lifecycle.Poll) else None
        if pause is not None:
            self.retry_clock.pause(due.action, pause)
        else:
            self.retry_clock.forget(due.action)
        await self._answered(due)
        await self.conditions.all_well(_subject(due.action))
        if isinstance(due.action, lifecycle.Finish):
            await self._let_go_of_sinks(due.action.job)
        if isinstance(due.action, lifecycle.Fetch):
            # The batch has ended: whether it could be cancelled does not matter any more.
            await self.conditions.all_well(_subject(lifecycle.CancelBatch(due.action.batch)))

    async def _let_go_of_sinks(self, job: str) -> None:
        """Clear the conditions of the finished job's sinks that no job waits for any more."""
        troubled = await self.conditions.of_kinds(SubjectKind.SINK)
        if not troubled:
            return
        sinks = (await self.context.store.jobs.get(job)).route.sinks
        troubled = [each for each in troubled if each.name in sinks]
        waiting = await self.context.store.jobs.sinks_waited_for()
        for sink in troubled:
            if sink.name not in waiting:
                self.retry_clock.forget(sink)
                await self.conditions.all_well(sink)

    async def _let_go_of_providers(self) -> None:
        """Clear the conditions of providers that nothing waits for: these are not tried, so no success clears them.

        Whatever comes next is tried at once, as after a restart.
        """
        for subject in await self.conditions.of_kinds(SubjectKind.PROVIDER, SubjectKind.PACKING):
            if not self._look.is_needed(subject.name):
                callee = Subject.provider(subject.name)
                self.retry_clock.forget(callee)
                self._streaks.pop(callee, None)
                self.context.accounts.forget(subject.name)
                self._lane_finding.forget(subject.name)
                await self.conditions.all_well(subject)

    async def _answered(self, due: Due) -> None:
        if due.callee is not None:
            self.retry_clock.forget(due.callee)
            self._streaks.pop(due.callee, None)
            # An answer does not clear the condition of a refused account, or of a provider whose lane is looked for.
            if due.provider not in {*self.context.accounts.blocked(), *self._look.lanes_wanted}:
                await self.conditions.all_well(due.callee)

    async def _note_refusals(self) -> None:
        """Tell people which accounts are refused, and store the limits that were learned from refusals."""
        accounts, quotas = self.context.accounts, self.context.quotas
        while accounts.changed:
            provider = accounts.changed.pop()
            blocks = accounts.of(provider)
            if blocks:
                text = " ".join(dict.fromkeys(block.text for block in blocks))
                await self.conditions.say(Subject.provider(provider), text, cause="account")
            else:
                await self.conditions.all_well(Subject.provider(provider))
        while quotas.changed:
            queue = quotas.changed.pop()
            await self.context.store.learnt.learn(queue, quotas.of(queue))

    async def _poll_pause(self, action: lifecycle.Poll) -> float | None:
        """Seconds until the next poll of the batch; None if there is none, since this one found that it has ended."""
        batch = await self.context.store.batches.get(action.batch)
        if batch.state is not BatchState.SUBMITTED:
            return None
        if batch.lane is Lane.LIVE:
            return 0.1  # the poll itself waits for the end
        provider = self.context.configured.providers.get(batch.provider)
        # By the clock that does not jump: a clock set forward by a day would have the batch polled less often.
        # A batch that is ended for a deadline was asked to stop: its end is awaited, so it is polled often.
        age = batch.intent.age(self.context.now()) if batch.intent is not None and batch.cut_at is None else 0.0
        return backoff.poll_delay(
            max(age, 0.0), least=provider.poll if provider else 30.0, jitter=self.context.clock.jitter()
        )

    async def _complain(self, due: Due, error: Exception) -> None:
        action, callee = due.action, due.callee
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        failures = self.retry_clock.failed(action, retry_after=retry_after)
        name = type(action).__name__
        logger.debug("%s failed", action, exc_info=error, extra={"action": name})
        if isinstance(error, PluginOff):
            # The plugin stays off until a person changes something, and that has everything tried again.
            self.retry_clock.give_up(action)
            if (job := getattr(action, "job", None)) is not None:
                before = self._off[1] if self._off[0] == self.retry_clock.resets else frozenset()
                self._off = (self.retry_clock.resets, before | {job})
            ways = ""
            if isinstance(action, lifecycle.Deliver):
                ways = f" To go on without it: `batchd skip-sink {action.job} {action.sink}`."
            await self.conditions.say(callee or _subject(action), f"{error}{ways}")
        elif isinstance(error, ProviderNotConfigured):
            await self.conditions.say(Subject.provider(error.name), str(error))
        elif callee is not None and isinstance(action, lifecycle.Deliver) and isinstance(error, RejectedError):
            if self.retry_clock.until(callee) <= self.context.clock.steady():
                self.retry_clock.refused(callee)
            self.retry_clock.forget(action)
            waits = (
                f"{error} Its jobs wait; nothing is lost. When it is fixed: `batchd retry {action.job}`, or reload. "
                f"To go on without it: `batchd skip-sink {action.job} {action.sink}`."
            )
            await self.conditions.say(callee, waits, cause="rejected")
        elif isinstance(error, SinkNotConfigured):
            await self.conditions.say(_subject(action), str(error))
        elif callee is not None and isinstance(error, RejectedError):
            self._shut_for_longer(callee)
            await self._say_rejected(due, callee, error)
        elif callee is not None and isinstance(error, TransientError) and not isinstance(error, RemoteMissing):
            self._streaks[callee] += 1
            if self._streaks[callee] >= COMPLAIN_AFTER or isinstance(error, TookTooLong | SinkTookTooLong):
                self._shut_for_longer(callee)
                waits = f"{error} Trying again until it works; jobs wait."
                await self.conditions.say(callee, waits, cause="passing")
        elif failures >= COMPLAIN_AFTER or worth_saying_at_once(error):
            await self.conditions.say(_subject(action), in_words(error, name, of=_of(action)))

    async def _say_rejected(self, due: Due, callee: Subject, error: RejectedError) -> None:
        """Report that a provider refuses our key. The text on a refused account stays: it says when to try again."""
        accounts = self.context.accounts
        if due.provider not in accounts.blocked():
            await self.conditions.say(callee, f"{error} Jobs wait; nothing is lost.", cause="rejected")
            return
        if isinstance(due.action, lifecycle.Upload | lifecycle.Submit):
            self.retry_clock.forget(due.action)  # the account says when it is tried again
        accounts.changed.add(callee.name)
        await self._note_refusals()

    def _shut_for_longer(self, callee: Subject) -> None:
        # Calls that were under way when the first of them failed tell nothing new.
        if self.retry_clock.until(callee) <= self.context.clock.steady():
            self.retry_clock.failed(callee)


def _of(action: Action) -> str:
    """Which job or batch it was about, in words."""
    if isinstance(action, lifecycle.JobAction):
        return f"job {action.job}"
    return f"batch {action.batch}" if isinstance(action, lifecycle.BatchAction) else ""


def _subject(action: Action) -> Subject:
    """The subject of an action, by a name that people know."""
    if isinstance(action, lifecycle.Deliver):
        return Subject.sink(action.sink)
    if isinstance(action, Pack):
        return Subject(SubjectKind.PACKING, action.provider)
    if isinstance(action, lifecycle.CancelBatch):
        return Subject(SubjectKind.CANCELLING, action.batch)
    if isinstance(action, lifecycle.Hasten):
        return Subject(SubjectKind.DEADLINE, action.job)
    if isinstance(action, lifecycle.Move):
        return Subject(SubjectKind.FALLBACK, action.job)
    if isinstance(action, lifecycle.JobAction):
        return Subject.job(action.job)
    return Subject(SubjectKind.BATCH, action.batch)

"""One look at the store finds every action that is due.

A look changes nothing, neither in the store nor at a provider.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from msgspec import Struct

from ...domain import lifecycle
from ...domain.lifecycle import Action, next_actions, next_batch_actions, outcome_wait
from ...domain.records import Batch, BatchState
from ...domain.subjects import Subject
from ...money.lanes import Lane
from ..context import Context
from ..key_marks import key_mark
from ..retry_clock import RetryClock
from ..room import Due, Room, is_remote, urgency
from .in_work import InWork
from .packing_look import PackingLook
from .switch_look import SwitchLook
from .turns import LOOK_AGAIN, Turns


class Outlook(Struct, frozen=True):
    """What a look found: what is due, in order of urgency, and when to look again at the latest (steady time).

    `missing` has the providers that parts wait for and that are not configured, or kept off, with what people can do.
    `stuck` has the batches that rest until a person changes something, `switches` the actions that ask jobs in another
    way, due or not. At `hours_at` the hours of a route begin or end: `batchd once` does not wait for that.
    """

    due: Sequence[Due]
    again_at: float | None
    missing: Mapping[str, str]
    stuck: frozenset[str] = frozenset()
    switches: frozenset[Action] = frozenset()
    hours_at: float | None = None


_WAITING_FOR_OTHERS = (lifecycle.Forget, lifecycle.Admit, lifecycle.Hasten, lifecycle.Move, lifecycle.Recheck)

_OF_OPEN_BATCHES = (
    lifecycle.Upload,
    lifecycle.Submit,
    lifecycle.Find,
    lifecycle.Poll,
    lifecycle.Recheck,
    lifecycle.CancelBatch,
    lifecycle.Fetch,
    lifecycle.Distribute,
)
"""What is done for batches that are not over. Nothing is remembered of it for the others, as they become ever more."""


class Look:
    """Looks repeatedly. It remembers what has to wait, and since when parts wait for a batch."""

    def __init__(
        self,
        context: Context,
        retry_clock: RetryClock,
        room: Room,
        in_work: InWork,
        undecided: Mapping[str, int],
    ) -> None:
        """`undecided` says how often in a row each provider did not say whether it has batches."""
        self._context = context
        self._retry_clock = retry_clock
        self._room = room
        self._in_work = in_work
        self._packing = PackingLook(context, in_work)
        self._asleep: dict[str, float] = {}
        self._resting: dict[str, tuple[float, bool]] = {}
        self._resets = 0
        self._switch_look = SwitchLook(context, retry_clock, room, undecided)
        self._keys_looked_at = 0.0
        self._again: list[float] = []

    @property
    def lanes_wanted(self) -> set[str]:
        """The providers that parts wait for, and whose lane is not known."""
        return self._packing.lanes_wanted

    async def look(self) -> Outlook:
        """Everything that is due now and not under way."""
        self._again = []
        candidates: list[Due] = []
        await self._in_work.refresh()
        turns = Turns(self._context, self._in_work.batches.values())
        self._notice_new_keys()
        ours = await self._batches_of_only()
        for batch in self._awake():
            if ours is None or batch.key in ours:
                candidates += self._of_batch(batch, turns)
        for batch in await self._context.store.batches.input_files_left():
            if (ours is None or batch.key in ours) and batch.provider in self._context.configured.providers:
                # Not counted as a call to the provider: its outcome says nothing about the other calls.
                candidates.append(Due(lifecycle.Forget(batch.key)))
        candidates += await self._of_jobs()
        switched: frozenset[Action] = frozenset()
        if ours is None:
            candidates += [Due(action) for action in await self._switch_look.look()]
            self._again += self._switch_look.again
            switched = self._switch_look.wanted
        candidates += await self._packing.look(turns)
        self._again += self._packing.again
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
                # What waits for money or for a person is looked at again, but `batchd once` does not wait for it.
                self._again.append(until)
        self._again = [until for until in self._again if until < math.inf]
        given_up = [each.action for each in candidates if self._retry_clock.until(each.action) == math.inf]
        stuck = frozenset(action.batch for action in given_up if isinstance(action, lifecycle.BatchAction))
        # At a provider that fails us calls take turns: else one call that never works would keep all others waiting.
        due.sort(key=lambda each: (self._turn(each), urgency(each)))
        return Outlook(due, min(self._again, default=None), self._packing.missing, stuck, switched)

    async def _batches_of_only(self) -> set[str] | None:
        """The batches of the jobs in `context.only`; None if all jobs are worked on."""
        if self._context.only is None:
            return None
        batches = self._context.store.batches
        return {batch.key for job in self._context.only for batch in await batches.of_job(job)}

    def batch_has_moved(self) -> None:
        """Look again at resting jobs with open parts: a batch has made progress, which may be work for them."""
        self._resting = {job: rest for job, rest in self._resting.items() if not rest[1]}

    def is_shut(self, callee: Subject | None) -> bool:
        """Whether a provider or sink fails us as a whole: it is down, or refuses our key."""
        return callee is not None and self._retry_clock.failures(callee) > 0

    def is_needed(self, provider: str) -> bool:
        """Whether it matters that the provider fails: something waits for it, or jobs move to a fallback for that."""
        return self._in_work.needs(provider) or self._switch_look.knows_out(provider)

    def _turn(self, due: Due) -> float:
        return self._retry_clock.until(due.action) if self.is_shut(due.callee) else 0.0

    async def _of_jobs(self) -> list[Due]:
        """The actions for jobs. A job whose actions all have to wait makes room for the next in the line.

        Otherwise jobs of a route with a broken prompt, or files that may not be read, would keep all others waiting.
        """
        steady = self._context.clock.steady()
        self._resting = {job: rest for job, rest in self._resting.items() if rest[0] > steady}
        while True:
            found: list[list[Due]] = []
            before = len(self._resting)
            for view in await self._in_work.views(resting=self._resting, only=self._context.only):
                actions = list(next_actions(view))
                waits = [self._wait_of(action) for action in actions]
                if waits and min(waits) > steady:
                    self._resting[view.job.id] = min(waits), view.open_parts > 0
                else:
                    found.append([Due(action) for action in actions])
            if len(self._resting) == before:
                self._again += [until for until, _ in self._resting.values()]
                # The first action of each job before the second of any: a small file need not wait for workers until
                # all parts of a large one are planned.
                return [due for place in zip_longest(*found) for due in place if due is not None]

    def _awake(self) -> list[Batch]:
        """The batches that something may be due for. Answers that the provider deletes soon come first."""
        steady = self._context.clock.steady()
        if self._resets != self._retry_clock.resets:
            # A person has changed something: everything is tried again.
            self._resets = self._retry_clock.resets
            self._resting, self._asleep = {}, {}
        while self._in_work.changed_batches:
            key = self._in_work.changed_batches.pop()
            self._asleep.pop(key, None)
            if key not in self._in_work.batches:
                for kind in _OF_OPEN_BATCHES:
                    self._retry_clock.forget(kind(key))
        asleep, awake, again = self._asleep, [], math.inf
        for key, batch in self._in_work.batches.items():
            until = asleep.get(key, 0.0)
            if until <= steady:
                awake.append(batch)
            elif until < again:
                again = until
        self._again.append(again)
        awake.sort(key=lambda each: (each.answers_until or math.inf, each.created_at, each.key))
        return awake

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
        if all(isinstance(action, lifecycle.Poll | lifecycle.CancelBatch) for action in actions):
            until = min(map(self._wait_of, actions), default=0.0)
            if now.steady < until < math.inf:
                # Most batches only wait for their next poll. They are not looked at before, unless they change.
                self._asleep[batch.key] = until
                self._again.append(until)
                return []
        # A live batch that is being ended calls no service: whether the service works does not matter.
        live = batch.lane is Lane.LIVE
        away = not (live and batch.cut_at is not None)
        return [Due(action, batch.provider if is_remote(action) and away else None, live=live) for action in actions]

    def _gate(self, callee: Subject | None) -> float:
        """While a provider or sink fails us as a whole, one call at a time finds out whether it still does."""
        if callee is None or not self.is_shut(callee):
            return 0.0
        if self._room.is_called(callee):
            return self._context.clock.steady() + 1.0
        return self._retry_clock.until(callee)

"""Sends events to one observer, one after the other in the database's order, as fast as it takes them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct

from ..contracts import Observer
from ..domain.subjects import Subject, SubjectKind
from ..errors import TransientError
from ..events import ConditionCleared, ConditionRaised, Event
from ..plugin.background import Background, what_it_raises
from ..plugin.sources import said_or_raised, what_was_raised
from ..secrets.known import covered
from ..sending import backoff
from ..store.errors import StoreUnavailable
from ..store.tables.observers import EventPage, Observers, Place
from ..system.clock import Clock
from ..system.threads import threads_of

T = TypeVar("T")

logger = logging.getLogger("batchd")

MAX_TRIES = 20
"""Tries to send one event to an observer that fails on it. With the pauses between them they take about an hour."""
SAID_AFTER = 3
"""Tries after which people are told that the observer fails."""
CALL_MAY_TAKE = 300.0
"""Seconds after which an observer that has not returned is cancelled, and counts as failed."""
CLOSE_MAY_TAKE = 5.0
"""Seconds that an observer has to close."""
MAX_PASSED_OVER = 1_000
"""Events that an observer does not want after which its cursor is written all the same."""


class ConfiguredObserver(Struct, frozen=True):
    """One configured observer: the plugin's object, the kinds of events that it gets, and the routes (None: all)."""

    plugin: Observer[Any]
    events: frozenset[str]
    routes: tuple[str, ...] | None = None


class Listener:
    """Sends events to one observer, in a task of its own, from its cursor on.

    The cursor is written once `notice` has returned. If the process ends before that, the event is sent again.
    """

    def __init__(
        self,
        name: str,
        observer: ConfiguredObserver,
        store: Observers,
        clock: Clock,
        *,
        after: Sequence[asyncio.Task[None]] = (),
    ) -> None:
        """Begin only once the tasks in `after` have ended, such as the end of an earlier listener of this name."""
        self.name = name
        self.observer = observer
        self._store = store
        self._clock = clock
        self._wake = asyncio.Event()
        self._interrupted = asyncio.Event()
        self._stops_at_the_end = False
        self._background = Background(clock)
        self._cursor = 0
        self._may_be_failing = True
        self._task = asyncio.create_task(self._run(after), name=f"tell the observer {name}")
        self._task.add_done_callback(_report_fault)

    # --- from outside ----------------------------------------------------------------------------------------

    def heard(self, event: Event) -> None:
        """An event was committed. Never fails, never waits."""
        if event.kind in self.observer.events:
            self._wake.set()

    def end(self, grace: float) -> asyncio.Task[None]:
        """Send nothing more, and close the observer once it is done with the event under way, or after `grace`."""
        self._interrupted.set()
        self._wake.set()
        return asyncio.create_task(self._end(grace), name=f"end the observer {self.name}")

    def finish(self, grace: float) -> asyncio.Task[None]:
        """Like `end`, but first send what has been committed until now. Events that fail are left to the next start."""
        self._stops_at_the_end = True
        return self.end(grace)

    def hurry(self, grace: float) -> None:
        """Let an end that is under way take no longer than `grace`."""
        asyncio.get_running_loop().call_later(grace, self._task.cancel)

    # --- the task --------------------------------------------------------------------------------------------

    async def _run(self, after: Sequence[asyncio.Task[None]]) -> None:
        if after:
            await asyncio.wait(after)
        if not await self._opened():
            return
        self._background.start(str(Subject(SubjectKind.OBSERVER, self.name)), self.observer.plugin)
        place = await self._stored(partial(self._store.place, self.name, self.observer.events, self.observer.routes))
        if place is not None:
            await self._tell_all(place)

    async def _tell_all(self, place: Place) -> None:
        position = self._cursor = place.cursor
        while not self._ends:
            self._wake.clear()
            page = await self._stored(partial(self._store.after, place, position))
            if page is not None and page.events and self.observer.plugin.group_for > 0:
                # Events that come meanwhile are sent together with these. `_wait` returns at once if the daemon ends.
                await self._wait(self.observer.plugin.group_for)
                page = await self._stored(partial(self._store.after, place, position))
            if page is None or not await self._tell(page):
                return
            position = page.upto
            # Events that were committed while the observer got these have set `_wake` again.
            at_the_end = position >= page.last and not self._wake.is_set()
            # Write the cursor at the end, and now and then before, so that a restart has little to look through again.
            if position - self._cursor >= (1 if at_the_end and self._stops_at_the_end else MAX_PASSED_OVER):
                await self._advance(position)
            if at_the_end and self._stops_at_the_end:
                return
            if at_the_end:
                await self._wake.wait()

    async def _tell(self, page: EventPage) -> bool:
        """Send the events of a page. Return False if the rest is left to the next start."""
        together = (
            [page.events] if self.observer.plugin.group_for > 0 and page.events else [[each] for each in page.events]
        )
        for events in together:
            if (
                self._ends
                or not await self._told([event for _, event in events])
                or not await self._advance(events[-1][0])
            ):
                return False
        return True

    async def _told(self, events: Sequence[Event]) -> bool:
        """Send these events, again and again if need be. Return False if that is left to the next start."""
        event, plugin = events[0], self.observer.plugin
        what = f"{event.kind} of job {event.job}" if event.job else event.kind
        what += (
            f" (event {event.id})" if len(events) == 1 else f" and {len(events) - 1} more (from event {event.id} on)"
        )
        own = str(Subject(SubjectKind.OBSERVER, self.name))
        if len(events) == 1 and isinstance(event, ConditionRaised | ConditionCleared) and event.subject == own:
            return True  # that this observer fails is news for others only
        for attempt in range(1, MAX_TRIES + 1):
            error = await self._called(
                partial(plugin.notice, event) if plugin.group_for <= 0 else partial(plugin.notice_all, events)
            )
            if error is None:
                await self._say_well()
                return True
            if attempt >= SAID_AFTER:
                again = (
                    "batchd sends it again, less and less often."
                    if attempt < MAX_TRIES
                    else "batchd does not send it again."
                )
                await self._say_failing(f"It failed on {what}, {attempt} times: {what_was_raised(error)}. {again}")
            words = f"The observer {self.name} failed on {what}"
            if attempt == MAX_TRIES:
                self._warn(f"{words} {MAX_TRIES} times and does not get it again: {what_was_raised(error)}.", error)
            elif attempt == 1:
                self._warn(f"{words}: {what_was_raised(error)}. batchd sends it {MAX_TRIES} times at most.", error)
            else:
                logger.debug(
                    "%s, for the %d. time: %s", words, attempt, what_was_raised(error), extra={"action": "Notice"}
                )
            if attempt < MAX_TRIES and not await self._pause(attempt, error):
                return False
        return True

    async def _opened(self) -> bool:
        """Open the observer. Return False if the listener is to end before that."""
        failures = 0
        while not self._ends:
            error = await self._called(self.observer.plugin.aopen)
            if error is None:
                return True
            failures += 1
            if failures >= SAID_AFTER:
                await self._say_failing(
                    f"It could not be opened, {failures} times: {said_or_raised(error)}. batchd tries again."
                )
            if failures == 1:
                self._warn(
                    f"The observer {self.name} could not be opened: {said_or_raised(error)}. batchd tries again.",
                    error,
                )
            if not await self._pause(failures, error):
                return False
        return False

    async def _say_failing(self, text: str) -> None:
        self._may_be_failing = True
        advice = (
            f"Nothing else waits for it. For the operator: fix what it needs, in [observers.{self.name}] or at "
            "the other end; or remove that table and reload."
        )
        # If the condition cannot be stored, the next try stores it.
        with contextlib.suppress(StoreUnavailable):
            await self._store.failing(self.name, covered(f"{text} {advice}"))

    async def _say_well(self) -> None:
        """Clear the condition; once after a start too, since an earlier process may have stored one."""
        if self._may_be_failing:
            with contextlib.suppress(StoreUnavailable):
                await self._store.well(self.name)
                self._may_be_failing = False

    async def _advance(self, cursor: int) -> bool:
        """Write the cursor. Return False if the listener is to end before that."""
        if await self._stored(partial(self._store.heard, self.name, cursor)) is None:
            return False
        self._cursor = cursor
        return True

    async def _stored(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the database until it answers; None if the listener is to end before. Others say why it cannot."""
        failures = 0
        while True:
            try:
                return await ask()
            except StoreUnavailable as error:
                failures += 1
                logger.debug("The observer %s waits for the database: %s", self.name, error, extra={"action": "Notice"})
                if not await self._pause(failures, error):
                    return None

    # --- how -------------------------------------------------------------------------------------------------

    @property
    def _ends(self) -> bool:
        task = asyncio.current_task()
        # A plugin may have swallowed a cancellation.
        cancelled = task is not None and task.cancelling() > 0
        return cancelled or (self._interrupted.is_set() and not self._stops_at_the_end)

    async def _called(self, call: Callable[[], Awaitable[None]]) -> BaseException | None:
        """Make a call within CALL_MAY_TAKE; return what it raised, or None."""

        async def limited() -> None:
            async with asyncio.timeout(CALL_MAY_TAKE):
                with threads_of(f"observer {self.name}"):
                    await call()

        error = await what_it_raises(limited)
        silent = isinstance(error, TimeoutError) and not str(error)
        return TimeoutError(f"it did not return within {CALL_MAY_TAKE:.0f} s") if silent else error

    async def _pause(self, failures: int, error: BaseException) -> bool:
        """Wait, longer after each failure. Return False if the listener is to end meanwhile."""
        asked = error.retry_after if isinstance(error, TransientError) else None
        await self._wait(backoff.delay(failures, jitter=self._clock.jitter(), retry_after=asked))
        return not self._interrupted.is_set()

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until the listener is to end."""
        waits = [asyncio.ensure_future(self._interrupted.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _end(self, grace: float) -> None:
        if not await _within(grace, self._task):
            self._task.cancel()
            await _within(CLOSE_MAY_TAKE, self._task)
        await self._background.close()
        closing = asyncio.create_task(self._called(self.observer.plugin.aclose))
        if await _within(CLOSE_MAY_TAKE, closing):
            error = closing.result()
        else:
            closing.cancel()
            error = TimeoutError(f"it did not return within {CLOSE_MAY_TAKE:.0f} s")
        if error is not None:
            self._warn(f"The observer {self.name} failed while it was closed: {what_was_raised(error)}.", error)

    def _warn(self, sentence: str, error: BaseException) -> None:
        logger.warning("%s", sentence, extra={"action": "Notice"})
        logger.debug("where", exc_info=error)


async def _within(seconds: float, task: asyncio.Task[Any]) -> bool:
    """Whether the task ends in this time."""
    done, _ = await asyncio.wait([task], timeout=seconds)
    return bool(done)


def _report_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("A fault in batchd itself: %s", error, exc_info=error, extra={"action": "Notice"})

"""The loops of the daemon: looking at the inbox, working; and how they end.

Each waits for a wake-up or an interval, then looks. A loop that returns or dies ends the process, with the
reason: a service manager starts it again, and a daemon that only seems alive is worse than none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from ..domain import lifecycle
from ..domain.subjects import INBOX
from ..engine.context import Context
from ..engine.looks import held_look
from ..engine.looks.inbox_look import InboxLook, Seen
from ..engine.looks.look import Outlook
from ..engine.room import Due
from ..engine.scheduler import Engine
from ..intake.watcher import Watcher
from ..store.errors import StoreUnavailable
from ..system.systemd import Notifier
from .node_watch import watch_nodes
from .stopping import Stopping
from .sweeping import keep_sweeping
from .waiting_notes import WaitingNoteKeeper
from .warm_up import start_workers
from .watchdog import Watchdog

logger = logging.getLogger(__name__)

MAX_LOOK_PAUSE = 1.0
"""The most seconds between looks: an order from the command line is noticed within this time."""
BREATH = 0.01
"""The least seconds between looks while actions are under way: one look then sees all that finished meanwhile."""
LOOKING_TAKES_AT_MOST = 9
"""The pause after a look at the inbox is at least this many times as long: looks take at most a tenth of the time."""
MANY = 8
BREATH_OF_MANY = 0.05
"""The same if `MANY` or more actions are under way: one that ends makes room for one that was found before."""
CREATES_MAY_TAKE = 3.0
"""Seconds that a stopping daemon waits for create calls under way, so that it need not find out their outcome later."""


class Supervisor:
    def __init__(
        self,
        context: Context,
        engine: Engine,
        intake: InboxLook,
        *,
        rescan: Callable[[], float],
        notifier: Notifier | None = None,
    ) -> None:
        self.context = context
        self.engine = engine
        engine.on_news = self.wake
        self.intake = intake
        self._rescan = rescan
        self.watcher: Watcher | None = None
        """Makes looks at the inbox come sooner."""
        self._wake = asyncio.Event()
        self._dropped = asyncio.Event()
        self._stopping = Stopping(context.clock)
        self._watchdog = Watchdog(notifier, context.store.event_log, self._status)
        self._starting: asyncio.Task[None] | None = None
        self._tasks: dict[asyncio.Task[None], Due] = {}
        self._last_seen: Seen | None = None

    # --- from outside ----------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look for work: something may have changed."""
        self._wake.set()

    def dropped(self) -> None:
        """Look at the inbox: there may be a file."""
        self._dropped.set()

    def stop(self) -> None:
        """End in good order: nothing new is begun, what is under way is left to the next start."""
        self._stopping.set()
        self._wake.set()
        self._dropped.set()

    @property
    def works(self) -> bool:
        """Whether it has looked at the inbox, and is not about to end."""
        return self._last_seen is not None and not self._stopping.is_set()

    async def caught_up(self) -> None:
        """Wait until every action that is under way now has ended."""
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def run(self) -> None:
        if self.watcher is not None:
            await asyncio.to_thread(self.watcher.start, asyncio.get_running_loop())
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._watch_inbox(), name="watch the inbox")
                loops.create_task(self.work(), name="work")
                loops.create_task(keep_sweeping(self.context, self.engine.conditions, self._stopping), name="sweep")
                loops.create_task(
                    WaitingNoteKeeper(self.context).keep(self._stopping), name="notes about files in work"
                )
                loops.create_task(watch_nodes(self.engine, self._stopping), name="watch the nodes")
                loops.create_task(self._watchdog.report(self._stopping), name="report to systemd")
        finally:
            if self.watcher is not None:
                await asyncio.to_thread(self.watcher.stop)

    async def run_until_idle(self) -> None:
        """Work until nothing is left that can be done without a person, then stop."""
        # There is work for it, or nobody would have started it.
        self._warm_up()
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._watch_inbox(until_idle=True), name="watch the inbox")
            loops.create_task(watch_nodes(self.engine, self._stopping), name="watch the nodes")
            loops.create_task(self.work(until_idle=True), name="work")

    # --- loops -----------------------------------------------------------------------------------------------

    async def _watch_inbox(self, *, until_idle: bool = False) -> None:
        conditions = self.engine.conditions
        while not self._stopping.is_set():
            self._dropped.clear()
            with self._watchdog.looking():
                # In a thread, since a share that hangs must not hold up the rest.
                pause = await asyncio.to_thread(self._before_scan)
                began = self.context.clock.steady()
                seen = None
                try:
                    seen = await self.intake.look()
                    await held_look.look(self.context)
                    await conditions.all_well(INBOX)
                except (OSError, StoreUnavailable) as error:
                    await conditions.say(INBOX, _in_words(error, self.context.folders.inbox, pause))
                self._last_seen = seen
            if seen is not None and seen.settling:
                self._warm_up()
            if seen is not None and (seen.claimed or until_idle):
                self._wake.set()
            # Ten thousand files in the inbox take long to look at, and the same process moves them out.
            pause = max(pause, (self.context.clock.steady() - began) * LOOKING_TAKES_AT_MOST)
            due = seen.again_in if seen is not None else None
            await self._stopping.or_event(self._dropped, min(pause, due + BREATH) if due is not None else pause)

    def _warm_up(self) -> None:
        """Start the workers while the first file settles. Only the first call does anything."""
        if self._starting is None:
            self._starting = asyncio.create_task(start_workers(self.context), name="start workers")

    def _before_scan(self) -> float:
        """Make sure that the watcher watches; the scan sees what it missed. Return the seconds until the next scan."""
        if self.watcher is not None:
            self.watcher.check()
        return self._rescan()

    async def work(self, *, until_idle: bool = False) -> None:
        """Work until `stop`, without looking at the folders that people see."""
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                outlook = await self._look()
                begun = self._begin(outlook)
                if until_idle and not begun and await self._idle(outlook):
                    self.stop()
                steady = self.context.clock.steady()
                times = [each for each in (outlook.again_at, outlook.hours_at) if each is not None]
                again = min(times, default=steady + MAX_LOOK_PAUSE)
                await self._stopping.or_event(self._wake, max(0.0, min(again - steady, MAX_LOOK_PAUSE)))
                if self._tasks:
                    breath = BREATH_OF_MANY if len(self._tasks) >= MANY else BREATH
                    await asyncio.sleep(max(0.0, steady + breath - self.context.clock.steady()))
        finally:
            await asyncio.shield(self._wind_up())

    async def _look(self) -> Outlook:
        try:
            return await self.engine.look()
        except StoreUnavailable as error:
            logger.error("%s Trying again.", error, extra={"action": "Look"})
            return Outlook([], self.context.clock.steady() + MAX_LOOK_PAUSE, {})

    def _begin(self, outlook: Outlook) -> int:
        left = []
        for due in outlook.due:
            if self.engine.room_for(due):
                self._perform(due)
            else:
                left.append(due)
        self.engine.line.renew(left)
        return len(outlook.due) - len(left)

    def _perform(self, due: Due) -> None:
        task = asyncio.create_task(self.engine.perform(due), name=str(due.action))
        self._tasks[task] = due
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        due = self._tasks.pop(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A bug in batchd: %s", error, exc_info=error, extra={"action": "Perform"})
        following = self.engine.line.after(due)
        if following is not None and not self._stopping.is_set() and self.engine.room_for(following):
            self._perform(following)

    async def _idle(self, outlook: Outlook) -> bool:
        """Whether nothing is under way, due now or later, settling in the inbox, or new since the look."""
        if self._tasks or outlook.due or outlook.again_at is not None or self._wake.is_set():
            return False
        seen = self._last_seen
        # If the inbox could not be read, there may be files in it.
        if seen is None or seen.settling:
            return False
        if seen.claimed:
            # The next look tells whether more has come; nothing else is left to wait for.
            self._dropped.set()
            return False
        try:
            work = await self.engine.has_work(outlook)
            # Anything that came during this check is looked at first.
            return not work and not self._wake.is_set()
        except StoreUnavailable:
            return False

    async def _wind_up(self) -> None:
        """Give create calls a moment to end, and cancel all other actions: they are simply done again."""
        creates = [task for task, due in self._tasks.items() if isinstance(due.action, lifecycle.Submit)]
        for task in self._tasks.keys() - set(creates):
            task.cancel()
        if creates:
            await asyncio.wait(creates, timeout=CREATES_MAY_TAKE)
        await self.engine.end_orders()
        rest = [*self._tasks, *filter(None, [self._starting])]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _status(self) -> str:
        settling = self._last_seen.settling if self._last_seen is not None else 0
        return f"{settling} files settling, {len(self._tasks)} actions under way"


def _in_words(error: OSError | StoreUnavailable, inbox: Path, pause: float) -> str:
    """Why the inbox cannot be read, or its files cannot be taken."""
    again = f"Looking again every {pause:.0f} s."
    if isinstance(error, StoreUnavailable):
        return f"Files wait there. {error} {again}"
    if isinstance(error, FileNotFoundError) and error.filename == str(inbox):
        return f"The folder {inbox} is not there. {again} Mount its share, or make it: batchd init"
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}. {again}"

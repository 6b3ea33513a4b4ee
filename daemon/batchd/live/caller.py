"""The calls to one model at one endpoint of a provider: as many as its pace lets begin, by turns between jobs.

A refusal of the account or a breakdown of the service stops the whole lane, and is kept as its `trouble`. Then nothing
begins but a probe, one call, each time that `probe` asks for one. If it works, the lane goes on.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress

from msgspec import Struct

from ..calls import LiveAnswer, LiveCall
from ..errors import BatchdError, NotSent, PluginError, ProviderError, TooManyCalls, TransientError
from ..model import Failure
from ..sending.pace import Pace
from ..sending.turns import FairTurns
from ..system.clock import Clock
from .journal import NotJson, line_of
from .rows import CallRow, LiveBatch

logger = logging.getLogger(__name__)

BEGIN_AT_ONCE = 64
"""The most calls that begin in one turn of the event loop, which other tasks share."""
TRIES = 3
"""How often a row's call may break off while other rows are answered. Then the row fails in this attempt."""
BREAKDOWNS = 10
"""How many calls in a row must break off before the service counts as down."""
BROKEN_FOR_GOOD = 20
"""How often a row's call may break off while no other row is answered: then the row need not be the cause."""
REFUSED_ALONE = 1
"""How often a row may be refused, while those before and after it are answered, before it counts as the cause."""
REFUSES_ALL_AFTER = 60.0
"""Seconds after which batchd reports a service that refuses every call as one too many: it may be down."""
DISK_PAUSE = 1.0

Answer = Callable[[LiveCall], Awaitable[LiveAnswer]]


class Rate(Struct, frozen=True):
    """The present state of the live calls to a model, for people."""

    per_second: float
    in_flight: int
    window: int
    limited_by: str
    refused_ago: float | None


class Caller:
    """Calls to one model at one endpoint. `answer` makes a call; a reload of the configuration may replace it."""

    def __init__(self, answer: Answer, pace: Pace, *, timeout: float, clock: Clock | None = None) -> None:
        self.answer = answer
        self.pace = pace
        self.timeout = timeout
        self._clock = clock or Clock()
        self.trouble: Exception | None = None
        self._batches: dict[str, LiveBatch] = {}
        self._turns = FairTurns()
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self.calls: set[asyncio.Task[None]] = set()
        self._streak = 0
        self._answered_from = -math.inf
        """The latest time at which a call began that was answered."""
        self._refused: dict[str, CallRow] = {}
        """The rows that were refused since the lane stopped."""
        self._troubled_at = -math.inf
        self._probing = False
        self._stopping = False
        self._refusing: tuple[float, TooManyCalls] | None = None
        """Since when each call was refused as one too many, and the last refusal; None once one was answered."""

    # --- from outside --------------------------------------------------------------------------------------------

    def add(self, batch: LiveBatch) -> None:
        """Begin to ask the rows of a batch."""
        self._batches[batch.key] = batch
        self._stopping = False
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="live calls")
        self.wake()

    def wake(self) -> None:
        """Look again: something has changed."""
        self._wake.set()

    def probe(self) -> None:
        """Make one call, if the lane is stopped, to find out whether its trouble is over."""
        if self.trouble is not None and not self._probing and not self.calls:
            self._probing = True
            self.wake()

    @property
    def refuses_all(self) -> TransientError | None:
        """The error to report if the service has refused all calls for long. They go on, as slowly as it wants."""
        if self._refusing is None or _now() - self._refusing[0] < REFUSES_ALL_AFTER:
            return None
        since, error = self._refusing
        return TransientError(
            f"{str(error).rstrip('.')}. It has refused every call as one too many for {_now() - since:.0f} s."
        )

    def now(self) -> Rate:
        """Return the present state of the calls."""
        now = _now()
        refused = self.pace.refused_at
        return Rate(
            per_second=self.pace.rate(now),
            in_flight=self.pace.in_flight,
            window=self.pace.window(now),
            limited_by="trouble" if self.trouble is not None else self.pace.limited_by(now),
            refused_ago=None if refused is None else now - refused,
        )

    async def stop(self, *, within: float) -> None:
        """Begin no more calls, wait so long for those under way, and break off the others, which may be paid twice."""
        self._stopping = True
        self.wake()
        if self.calls:
            await asyncio.wait(list(self.calls), timeout=within)
        tasks = [*self.calls, *([self._running] if self._running is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for batch in self._batches.values():
            with suppress(OSError):
                await batch.journal.close()
            # If the disk is full, these answers are lost. The journal has their calls, so the rows are told.
            batch.journal.let_go()
        self._batches.clear()

    # --- calls begin ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while self._batches and not self._stopping:
            self._wake.clear()
            pause = None
            try:
                pause = self._begin()
            except OSError as error:
                self._troubled(error)
            await self._end_batches()
            if not self._batches:
                return
            if isinstance(self.trouble, OSError):
                # The disk is full or broken: answers stay in memory, and no call begins meanwhile.
                pause = DISK_PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _begin(self) -> float | None:
        """Begin all calls that may begin. Returns seconds until more may, None if that depends on calls under way."""
        if isinstance(self.trouble, OSError):
            for batch in self._batches.values():
                batch.journal.write()
            self._well()
        begun: list[tuple[LiveBatch, CallRow]] = []
        pause = self._choose(begun)
        try:
            # The answers that have come and the calls that begin, in one write.
            for batch in self._batches.values():
                batch.journal.write()
        except OSError:
            for batch, row in begun:
                self.pace.undo(row.begun, row.tokens)
                batch.journal.take_back(row.custom_id)
                batch.put_back(row, _now())
            raise
        for batch, row in begun:
            task = asyncio.create_task(self._call(batch, row))
            self.calls.add(task)
            # However the call ends, it is removed, and the lane looks again.
            task.add_done_callback(self._over_with)
        return pause

    def _choose(self, begun: list[tuple[LiveBatch, CallRow]]) -> float | None:
        while not self._stopping:
            if len(begun) >= BEGIN_AT_ONCE:
                return 0.0
            if self.trouble is not None and (not self._probing or self.calls or begun):
                return None  # there is another look when a call ends, or when a probe is asked for
            now = _now()
            ready: dict[str, tuple[LiveBatch, CallRow]] = {}
            for batch in self._batches.values():
                # A probe need not wait until its row may be asked again.
                if batch.job not in ready and (row := batch.peek(math.inf if self._probing else now)) is not None:
                    ready[batch.job] = batch, row
            job = self._turns.next(ready)
            if job is None:
                again = min((batch.again_at for batch in self._batches.values()), default=math.inf)
                return None if again == math.inf else max(0.0, again - now)
            batch, row = ready[job]
            wait = self.pace.wait(now, row.tokens)
            if wait > 0:
                return None if wait == math.inf else wait
            self._turns.took(job, batch.weight)
            batch.take(row)
            row.begun = now
            self.pace.started(now, row.tokens)
            self._probing = False
            batch.journal.note("?", row.custom_id)
            begun.append((batch, row))
        return None

    async def _end_batches(self) -> None:
        for batch in [batch for batch in self._batches.values() if batch.done]:
            try:
                await batch.journal.close()
            except OSError as error:
                self._troubled(error)
                continue  # the next look closes it
            del self._batches[batch.key]
            if all(other.job != batch.job for other in self._batches.values()):
                self._turns.forget(batch.job)
            batch.over = True
            batch.news.set()

    # --- calls end -----------------------------------------------------------------------------------------------

    async def _call(self, batch: LiveBatch, row: CallRow) -> None:
        key = f"{batch.key}-{row.custom_id}-{row.over}"
        call = LiveCall(row.custom_id, row.body, batch.endpoint, key, self.timeout)
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self.answer(call)
            line = line_of(row.custom_id, answer, self._clock.now())
        except TooManyCalls as error:
            self._too_many(batch, row, error)
        except (TransientError, TimeoutError, NotJson) as error:
            self.pace.broke_down()
            self._broke(batch, row, _said(error, self.timeout))
        except ProviderError as error:
            self.pace.broke_down()
            self._was_refused(batch, row, error)
        except (Exception, SystemExit) as error:  # a plugin's code, so it may raise anything
            logger.debug("a live call failed", exc_info=error)
            self.pace.broke_down()
            self._broke(
                batch, row, PluginError(f"The provider's plugin failed over a call: {type(error).__name__}: {error}")
            )
        else:
            now = _now()
            self.pace.answered(now, row.begun, answer.headers)
            self._answered_from, self._streak = max(self._answered_from, row.begun), 0
            self._refusing = None
            if self.trouble is not None and row.begun >= self._troubled_at:
                self._well()
            batch.settled(line, ok=answer.failure is None and answer.status < 400)
            if batch.is_useless(row, line):
                await self._end(batch)

    async def _end(self, batch: LiveBatch) -> None:
        """Ask no more rows of the batch: a person must look at its answers first."""
        try:
            await batch.cancel()
        except OSError as error:
            self._troubled(error)

    def _over_with(self, task: asyncio.Task[None]) -> None:
        self.calls.discard(task)
        self.wake()

    def _too_many(self, batch: LiveBatch, row: CallRow, error: TooManyCalls) -> None:
        now = _now()
        self._refusing = (self._refusing[0] if self._refusing is not None else now), error
        self.pace.refused(now, row.begun, row.tokens, retry_after=error.retry_after, kind=error.limit)
        self._over(batch, row)
        asked = error.retry_after
        pause, spread = (0.5, 1.0) if asked is None else (asked, min(1.0, asked))
        batch.put_back(row, now + pause + spread * self._clock.jitter())
        if self.trouble is not None and row.begun >= self._troubled_at:
            self._well()  # it answers, and the pace takes care of the rest

    def _was_refused(self, batch: LiveBatch, row: CallRow, error: Exception) -> None:
        """Stop the lane: the account or the model is refused. If only this row is, again and again, the row fails."""
        self._over(batch, row)
        if row.refused_alone >= REFUSED_ALONE:
            failure = Failure("refused", f"{str(error).rstrip('.')}. Other rows were answered meanwhile.")
            batch.settled(line_of(row.custom_id, LiveAnswer(failure=failure), self._clock.now()), ok=False)
            return
        batch.put_last(row)
        self._refused[row.custom_id] = row
        if self.trouble is None:
            # One more call, of another row, shows whether it is about this row alone.
            self.trouble, self._troubled_at, self._probing = error, _now(), True
        else:
            self._troubled(error)

    def _broke(self, batch: LiveBatch, row: CallRow, error: BatchdError) -> None:
        now = _now()
        if isinstance(error, TransientError) and error.answered:
            self._over(batch, row)
        elif isinstance(error, NotSent):
            batch.journal.note("-", row.custom_id)
        else:
            batch.journal.note("~", row.custom_id)
            batch.unsure.add(row.custom_id)
        # A call that was never sent says nothing about the row, which waits for the service.
        row.broken += not isinstance(error, NotSent)
        self._streak += 1
        if (row.broken >= TRIES and self._answered_from > row.broken_at) or row.broken >= BROKEN_FOR_GOOD:
            code = "server_error" if isinstance(error, TransientError) else "plugin_error"
            failure = Failure(code, str(error), transient=True)
            batch.settled(line_of(row.custom_id, LiveAnswer(failure=failure), self._clock.now()), ok=False)
            return
        row.broken_at = min(row.broken_at, now)
        pause = (error.retry_after or 0.0) if isinstance(error, TransientError) else 0.0
        batch.put_back(
            row, now + max(min(pause, 60.0), 0.5 * 2 ** min(max(row.broken - 1, 0), 2)) * (1 + self._clock.jitter() / 2)
        )
        if self._streak >= BREAKDOWNS or row.broken >= TRIES or isinstance(error, NotSent):
            self._troubled(error)

    def _over(self, batch: LiveBatch, row: CallRow) -> None:
        row.over += 1
        batch.journal.note("-", row.custom_id)

    def _troubled(self, error: Exception) -> None:
        """Stop the lane: only probes begin from now on. Wakes the polls of its batches."""
        self.trouble, self._troubled_at = error, _now()
        for batch in self._batches.values():
            batch.news.set()

    def _well(self) -> None:
        self.trouble, self._streak = None, 0
        if len(self._refused) == 1:
            for row in self._refused.values():
                row.refused_alone += 1
        self._refused.clear()
        for batch in self._batches.values():
            batch.news.set()


def _said(error: Exception, timeout: float) -> BatchdError:
    if isinstance(error, BatchdError):
        return error
    if isinstance(error, NotJson):
        # The answer was probably cut off. A service that knows the call's key may have the whole answer.
        return TransientError(
            "The service's answer ends in the middle of its JSON. If this continues, look at the server, and at any "
            "proxy in between that may cut long answers."
        )
    return TransientError(f"The service did not answer within {timeout:.0f} s.")


def _now() -> float:
    return asyncio.get_running_loop().time()

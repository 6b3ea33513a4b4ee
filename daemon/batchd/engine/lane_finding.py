"""Finds out whether a provider has batches, or is asked by live calls: once, and again after a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from ..calls import BatchesFound, FindsBatches
from ..domain.records import Batch
from ..domain.subjects import Subject
from ..errors import RejectedError
from ..money.lanes import Lane
from ..secrets.known import covered
from ..sending import backoff
from ..store.errors import StoreUnavailable
from ..system.threads import threads_of
from .conditions import Conditions
from .context import ConfiguredProvider, Context

logger = logging.getLogger(__name__)

BELIEVED_FOR = 86_400.0
"""Seconds after which a provider is asked again."""
APART = 60.0
"""Seconds between the two answers that it takes to believe that a provider has no batches."""
LOOK_AGAIN = 0.2


class LaneFinding:
    """Asks the providers with `mode = "auto"`, in tasks beside the loop."""

    def __init__(self, context: Context, conditions: Conditions, on_found: Callable[[], None] = lambda: None) -> None:
        """`on_found` is called when a provider has answered: something may be due now."""
        self._context = context
        self._on_found = on_found
        self._conditions = conditions
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self.failures: dict[str, int] = {}
        """How often in a row each provider did not say whether it has batches."""
        self._said: dict[str, str] = {}

    def look(self, waited_for: Collection[str]) -> float | None:
        """Ask the providers that it is time to ask. Return the steady time of the next look, None if there is none.

        Only providers that jobs wait for or that a route names are asked: a fault of others does not matter yet.
        """
        steady, times = self._context.clock.steady(), []
        configured = self._context.configured
        used = {name for route in configured.routes for name in (route.provider, route.fallback)}.union(waited_for)
        for name, provider in configured.providers.items():
            if provider.mode is not None or name not in used or not isinstance(provider.plugin, FindsBatches):
                continue
            if Subject.provider(name) in configured.kept_off:
                continue
            task = self._under_way.get(name)
            if task is not None and not task.done():
                if name in waited_for:
                    times.append(steady + LOOK_AGAIN)
            elif provider.found.until <= steady:
                self._under_way[name] = asyncio.create_task(self._find(provider), name=f"find the lane of {name}")
                times.append(steady + LOOK_AGAIN)
            elif provider.found.lane is None and name in waited_for:
                times.append(provider.found.until)
        return min(times, default=None)

    async def tell(self, waited_for: Collection[str]) -> None:
        """Tell people why jobs wait while the lane of their provider is not known, and clear that once it is."""
        providers = self._context.configured.providers
        for name in waited_for:
            words = providers[name].found.words if name in providers else ""
            if words and self._said.get(name) != words:
                self._said[name] = words
                await self._conditions.say(Subject.provider(name), words, cause="lane")
        for name in [each for each in self._said if each not in providers or providers[each].lane is not None]:
            del self._said[name]
            if name not in self._context.accounts.blocked():
                await self._conditions.all_well(Subject.provider(name))

    def forget(self, name: str) -> None:
        """Forget what was said about a provider that nothing waits for any more."""
        self._said.pop(name, None)

    async def end(self) -> None:
        """Cancel the questions under way."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _find(self, provider: ConfiguredProvider) -> None:
        found, clock = provider.found, self._context.clock
        try:
            if found.lane is None and found.no_at is None and found.refused_at is None:
                stored = await self._context.store.learnt.lane(provider.name, _address(provider))
                if stored is not None and 0 <= clock.now() - stored[1] < BELIEVED_FOR:
                    found.lane, found.until = stored[0], clock.steady() + BELIEVED_FOR - (clock.now() - stored[1])
                    return
            await self._judge(provider, await self._ask(provider))
        except StoreUnavailable as error:
            logger.debug("what was found of a provider could not be stored", exc_info=error)
            found.until = clock.steady() + APART
        finally:
            self._on_found()

    async def _ask(self, provider: ConfiguredProvider) -> BatchesFound:
        assert isinstance(provider.plugin, FindsBatches)
        try:
            opening = self._context.configured.opening.get(provider.name)
            if opening is not None:
                await asyncio.wait([opening], timeout=provider.call_timeout)
            async with asyncio.timeout(provider.call_timeout):
                with threads_of(f"provider {provider.name}"):
                    return await provider.plugin.find_batches()
        except TimeoutError:
            return BatchesFound(None, f"{provider.name} has not answered within {provider.call_timeout:.0f} s.")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # foreign code, so it may raise anything
            return BatchesFound(None, covered(str(error) or type(error).__name__))

    async def _judge(self, provider: ConfiguredProvider, answer: BatchesFound) -> None:
        found, steady, name = provider.found, self._context.clock.steady(), provider.name
        why = covered(answer.why)
        if found.refused_at is not None and answer.there is not False:
            # A service that lists batches may still refuse to create one: only a create decides.
            found.no_at, found.until = None, found.refused_at + APART
            if found.until <= steady:
                found.lane, found.until, found.words = Lane.BATCH, steady + BELIEVED_FOR, ""
            return
        if answer.there is None:
            found.no_at = None
            failures = self.failures[name] = self.failures.get(name, 0) + 1
            found.until = steady + backoff.delay(failures, jitter=self._context.clock.jitter())
            found.words = (
                f"{why} So it is not known whether {name} has batches. Jobs wait; nothing is lost. "
                f'To say so yourself: mode = "batch" or "live" in [providers.{name}].'
            )
            return
        self.failures.pop(name, None)
        if not answer.there and (found.no_at is None or steady - found.no_at < APART):
            found.no_at = steady if found.no_at is None else found.no_at
            found.until = found.no_at + APART
            found.words = _finding_out(name, why)
            return
        if found.lane is None:
            # An earlier daemon may have told people that it was not known.
            self._said.setdefault(name, "")
        await _believe(self._context, provider, Lane.BATCH if answer.there else Lane.LIVE, why)


async def lane_refused(context: Context, batch: Batch, refusal: RejectedError) -> bool:
    """Return the batch to the queue if the refusal says that the service has no batches, and live calls are possible.

    Whether that was so. The service is then asked again at once. Its jobs go on by live calls if it says the same of
    its lists, or refuses a create again a minute later.
    """
    provider = context.configured.providers.get(batch.provider)
    if not refusal.no_batches or provider is None or provider.mode is not None or provider.live is None:
        return False
    found, steady, why = provider.found, context.clock.steady(), covered(str(refusal))
    if found.lane is not Lane.LIVE:
        if found.refused_at is None:
            found.refused_at = found.no_at = steady
            found.lane, found.until, found.words = None, steady, _finding_out(batch.provider, why)
        elif steady - found.refused_at >= APART:
            await _believe(context, provider, Lane.LIVE, why)
    await context.store.batches.returned(batch, str(refusal))
    return True


async def _believe(context: Context, provider: ConfiguredProvider, lane: Lane, why: str) -> None:
    found, name = provider.found, provider.name
    if lane is Lane.LIVE and found.lane is not lane:
        text = f"{why} So {name} is asked by live calls, one a row, at live prices."
        logger.info("%s", text, extra={"action": "FindLane"})
        found.lane = lane
        await context.store.money.price_again(name)
    found.lane, found.until, found.words = lane, context.clock.steady() + BELIEVED_FOR, ""
    found.no_at = found.refused_at = None
    await context.store.learnt.learn_lane(name, _address(provider), lane, context.clock.now())


def _finding_out(name: str, why: str) -> str:
    return (
        f"{why} batchd is finding out whether {name} has batches, and asks once more in a minute. If it has none, live "
        "calls ask one row each, at live prices. Jobs wait for that; nothing is lost."
    )


def _address(provider: ConfiguredProvider) -> str:
    """The address of the service: another address is another service."""
    facts: Mapping[str, object] = dict(provider.plugin.settings)
    return str(facts.get("base_url", ""))

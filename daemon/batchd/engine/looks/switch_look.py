"""Finds the jobs that are to be asked in another way: they would be late, or their provider has been out for long."""

from __future__ import annotations

from collections.abc import Mapping

from ...domain.lifecycle import Hasten, Move, SwitchAction
from ...domain.routing import Route
from ...domain.subjects import Subject
from ...money.lanes import Lane
from ...sending.accounts import Place
from ...sending.deadlines import earliest, late_from
from ..context import Context
from ..retry_clock import RetryClock
from ..room import Room


class SwitchLook:
    """Looks repeatedly, and remembers since when providers are out.

    `wanted` are all switches that are wanted, due or not; `again` are the steady times to look again at. `undecided`
    says how often in a row each provider did not say whether it has batches.
    """

    def __init__(self, context: Context, retry_clock: RetryClock, room: Room, undecided: Mapping[str, int]) -> None:
        self._context = context
        self._retry_clock = retry_clock
        self._room = room
        self._undecided = undecided
        self._out_since: dict[Place, float] = {}
        self.again: list[float] = []
        self.wanted: frozenset[SwitchAction] = frozenset()

    async def look(self) -> list[SwitchAction]:
        """What is to be switched now."""
        self.again = []
        late, moves = await self._late(), await self._outages()
        self.wanted = frozenset([*late, *moves])
        now = [move for move, route in moves.items() if self._is_out(route.provider, route.model, just_now=True)]
        return [*late, *now]

    async def _late(self) -> list[Hasten]:
        """Jobs that would be late: their rows are to be asked by live calls, or by those of another provider."""
        configured, now, steady = self._context.configured, self._context.clock.now(), self._context.clock.steady()
        deadlines = {route.name: route.finish_within for route in configured.routes if route.finish_within is not None}
        if not deadlines:
            return []
        found: list[Hasten] = []
        for each in await self._context.store.switching.with_deadline(deadlines):
            route = configured.route(each.route)
            fallback = None if route is None or each.moved else route.fallback
            provider = configured.providers.get(each.provider)
            then = configured.providers.get(fallback or each.provider)
            if then is None or then.live is None:
                continue
            if then is provider and provider.lane is Lane.LIVE:
                continue  # the job is asked by live calls already
            finish_within = deadlines[each.route]
            at = earliest(each.accepted_at, finish_within)
            if at <= now:
                totals = await self._context.store.jobs.totals(each.job)
                rows = totals.rows - totals.settled
                if not rows:
                    continue
                at = late_from(each.accepted_at, finish_within, rows=rows, calls_a_minute=then.rpm)
            if at <= now:
                found.append(Hasten(each.job))
            else:
                self.again.append(steady + at - now)
        return found

    async def _outages(self) -> dict[Move, Route]:
        """Jobs whose provider has been out for so long that they are to be asked at the fallback of their route."""
        configured, steady = self._context.configured, self._context.clock.steady()
        routes = [route for route in configured.routes if route.fallback in configured.providers]
        places = {(route.provider, route.model) for route in routes if route.fallback_after is not None}
        self._out_since = {place: self._out_since.get(place, steady) for place in places if self._is_out(*place)}
        lasting: dict[str, Route] = {}
        for route in routes:
            place = (route.provider, route.model)
            since = self._out_since.get(place)
            if since is None or route.fallback_after is None:
                continue
            if since + route.fallback_after > steady:
                self.again.append(since + route.fallback_after)
            else:
                lasting[route.name] = route
        if not lasting:
            return {}
        jobs = await self._context.store.switching.to_move(lasting)
        return {Move(job): lasting[name] for job, name, provider in jobs if lasting[name].provider == provider}

    def knows_out(self, provider: str) -> bool:
        """Whether the provider is out, and jobs are moved to the fallback of their route for that."""
        return any(place[0] == provider for place in self._out_since)

    def _is_out(self, provider: str, model: str, *, just_now: bool = False) -> bool:
        """Whether the provider is out; with `just_now`, whether the last try has only just shown that.

        If the time for another try has come, new rows are tried there first.
        """
        callee, steady = Subject.provider(provider), self._context.clock.steady()
        block = self._context.accounts.block(provider, model)
        fails, blocked = self._retry_clock.failures(callee) > 0, block is not None
        if just_now:
            fails = fails and (self._retry_clock.until(callee) > steady or self._room.is_called(callee))
            blocked = block is not None and block.until > steady
        return fails or blocked or self._undecided.get(provider, 0) > 0

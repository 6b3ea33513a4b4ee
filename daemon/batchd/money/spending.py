"""The cost of answers: tokens and money, added up answer by answer, with the wasted part."""

from __future__ import annotations

from msgspec import Struct, field

from ..model import Usage
from .lanes import Lane
from .pricing import Terms


class Bill(Struct, frozen=True):
    """The cost of some answers, in tokens and in subunits. `wasted` is the part for answers that no row uses.

    Money is None if the price is not known, which is not the same as zero. `live_cost` is the cost of the same in live
    calls. For `estimated` of the answers the service gave no token counts: theirs are the planned ones.
    """

    answers: int = 0
    usage: Usage = field(default_factory=Usage)
    wasted: Usage = field(default_factory=Usage)
    cost: int | None = None
    wasted_cost: int | None = None
    live_cost: int | None = None
    estimated: int = 0


class AnsweredBy(Struct, frozen=True):
    """How many answers of a job a provider's model gave in one lane, and what they cost; None if that is not known."""

    provider: str
    model: str
    lane: Lane
    answers: int
    cost: int | None


class Tally:
    """Adds up the costs of answers of one lane. It prices each answer, since long requests may have other rates."""

    def __init__(self, terms: Terms | None, lane: Lane) -> None:
        self._terms, self._lane = terms, lane
        self._tiered = terms is not None and terms.tiered
        self.by_hour = terms is not None and bool(terms.by_hour)
        """Whether the price of an answer depends on when it came."""
        self._answers = self._estimated = 0
        # Input, cached, output and written tokens, as plain integers for speed: this runs for every answer.
        self._used, self._wasted = [0] * 5, [0] * 5
        self._cost = self._wasted_cost = self._live_cost = 0

    def add(self, usage: Usage, *, wasted: bool, estimated: bool = False, at: float | None = None) -> None:
        """Add an answer: `wasted` if no row uses it, `estimated` if its usage is the planned one; `at` is its time."""
        self._answers += 1
        self._estimated += estimated
        _add(self._used, usage)
        if wasted:
            _add(self._wasted, usage)
        if self._tiered:
            assert self._terms is not None
            cost = self._terms.at(self._lane, at).cost(usage)
            self._cost += cost
            self._live_cost += self._terms.at(Lane.LIVE, at).cost(usage)
            self._wasted_cost += cost if wasted else 0

    @property
    def takes_many(self) -> bool:
        """Whether the cost of many answers follows from the sum of their tokens."""
        return not self._tiered

    def add_many(self, answers: int, usage: Usage) -> None:
        """Add so many answers with this total usage; rows use all of them."""
        self._answers += answers
        _add(self._used, usage)

    def bill(self) -> Bill:
        """The sum so far."""
        used, wasted = Usage(*self._used), Usage(*self._wasted)
        counts = (self._answers, used, wasted)
        if self._terms is None:
            return Bill(*counts, estimated=self._estimated)
        if self._tiered:
            return Bill(*counts, self._cost, self._wasted_cost, self._live_cost, self._estimated)
        rates, live = self._terms.at(self._lane), self._terms.at(Lane.LIVE)
        return Bill(*counts, rates.cost(used), rates.cost(wasted), live.cost(used), self._estimated)


def _add(sums: list[int], usage: Usage) -> None:
    sums[0] += usage.input_tokens
    # Never more cached tokens than input tokens: a service that reports more must not make other answers cheaper.
    sums[1] += min(usage.cached_tokens, usage.input_tokens)
    sums[2] += usage.output_tokens
    if usage.cache_writes:
        writes = min(usage.cache_writes, usage.input_tokens - min(usage.cached_tokens, usage.input_tokens))
        sums[3] += writes
        sums[4] += min(usage.long_writes, writes)

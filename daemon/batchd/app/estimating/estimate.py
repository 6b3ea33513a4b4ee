"""Makes an estimate: counts the file, looks up prices and past answers, and puts all of it together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from ...config.load import Config
from ...contracts import Limits
from ...domain.routing import PluginSpec, Route, cached_for
from ...domain.words import proposal
from ...errors import FileRefused, StateError
from ...model import Json
from ...money import tokens
from ...money.budget import SURE, UNSURE, Account, Limit, Refusal, find_refusal, limits_for
from ...money.calibration import MAX_FACTOR, correction
from ...money.estimating import (
    Advice,
    Answers,
    Basis,
    Habits,
    Load,
    Past,
    Quote,
    Span,
    advice,
    answers,
    cheapest_first,
    quote,
)
from ...money.lanes import Lane
from ...money.price_list import PriceList
from ...money.pricing import Terms
from ...money.sampling import PIECE
from ...plugin.catalogue import Catalogue
from ...requests.param_rules import param_notes
from ...store.reading import history
from ...store.reading.snapshot import snapshot
from ...system.clock import Clock
from ...values import replace
from ...work.pictures import PictureFolder
from ...work.planning.estimate import LARGE, Counted, CountTask, count
from ..dropping import NotClear, asked_beside, named_route, route_of

_BYTES = "bytes"


class Choice(Struct, frozen=True):
    """A model to estimate with, and its prices; None if they are not known."""

    provider: str
    model: str
    terms: Terms | None


class ChainCost(Struct, frozen=True):
    """What all steps of a chain cost together, each by its own lane; None if that is not known.

    The file would be held before the step `held_before`, for this `reason`. With `may`, it is held only if the answers
    to the steps before are as long as they are allowed to be.
    """

    likely: int | None
    most: int | None
    held_before: str | None = None
    reason: str = ""
    may: bool = False


class Estimate(Struct, frozen=True, kw_only=True):
    """An estimate. Without a `file`, `counted` is None, and the caller has given the number and size of the requests.

    `unknown` has a sentence for each model without a price; `limits` are those of the budget; `refusal` is why the job
    would not be sent as it is, `refused_params` are reasons for which every row would be refused. `steps` are the
    estimates of the later steps of a chain, each for as many rows as can be answered at most; `chain` is what all steps
    cost. `cost` is what the route's own model costs by the provider's lane.
    """

    currency: str
    requests: int
    answers: Answers
    quotes: Sequence[Quote]
    file: str | None = None
    route: str | None = None
    own: tuple[str, str] | None = None
    counted: Counted | None = None
    counted_by: str = ""
    correction: float = 1.0
    past: Past | None = None
    unknown: Sequence[str] = ()
    advice: Sequence[Advice] = ()
    limits: Sequence[Limit] = ()
    refusal: Refusal | None = None
    refused_params: Sequence[str] = ()
    steps: Sequence[Estimate] = ()
    chain: ChainCost | None = None
    cost: Span | None = None

    @property
    def held(self) -> bool:
        """Whether the job would be held, or wait, for its cost: at once, or before a later step of its chain."""
        later = self.chain is not None and self.chain.held_before is not None and not self.chain.may
        return self.refusal is not None or later

    def quote(self) -> Quote:
        """The prices of the route's own model."""
        return next(each for each in self.quotes if (each.provider, each.model) == self.own)


@dataclass(slots=True)
class Estimating:
    """Makes estimates with a configuration. Of a file above `large` bytes, sections of `piece` bytes are read.

    `counting` reads and counts a file, in this process or in another.
    """

    config: Config
    catalogue: Catalogue
    large: int = LARGE
    piece: int = PIECE
    counting: Callable[[CountTask], Counted] = count
    _books: dict[str, PriceList] = field(default_factory=dict)

    def of_file(
        self,
        file: Path,
        wanted: str | Route | None,
        models: Iterable[str],
        *,
        everything: bool,
        expected: int | None,
        rows: int | None = None,
    ) -> Estimate:
        """Estimate what a file would cost by this route. Raise FileRefused if the route cannot take it.

        With `rows`, the file is a sample of so many rows.
        """
        route = wanted
        if not isinstance(route, Route):
            route = asked_beside(file, route_of(file, self.config.folders.inbox, self.config.routes, route))
        choices = self._choices(route, models, everything=everything, providers=[route.provider])
        factors, taught = self._corrections(choices)
        try:
            counted = self._count(file, route, choices)
        except FileRefused as refused:
            # As the note beside a rejected file would say it, where the name has a line of its own.
            raise FileRefused(refused.code, f"{file.name} would be rejected. {refused}") from None
        counted.rows = max(counted.looked_at, rows or counted.rows)
        requests = round(counted.requests / counted.share)
        past = self._past(route)
        answered = answers(
            requests,
            limits=round(counted.limits / counted.share),
            unlimited=round(counted.unlimited / counted.share),
            past=past,
            expected=expected,
            silent=_embeds(route),
        )
        loads = {
            choice: counted.loads[_way(choice.model)].corrected(factors[choice.provider, choice.model])
            for choice in choices
        }
        quotes = [
            quote(
                each.provider,
                each.model,
                each.terms,
                loads[each],
                answered,
                margin=SURE if (each.provider, each.model) in taught else UNSURE,
                cached_for=cached_for(route),
                at=Clock().now(),
            )
            for each in choices
        ]
        own = quotes[0]
        factor = factors[own.provider, own.model]
        same = counted.same[_way(own.model)]
        limited = counted.requests - counted.unlimited
        habits = Habits(
            requests=counted.requests,
            # With reuse, repeated rows cost nothing anyway.
            repeats=0 if route.reuse is not None or route.asks_once() else counted.repeats,
            same=None if same is None else same * factor,
            limit=counted.limits / limited if limited and not counted.unlimited else None,
            past=past,
            whole=counted.share == 1,
        )
        cost, limits, refusal = self._room(own, route, unlimited=round(counted.unlimited / counted.share))
        return Estimate(
            file=file.name,
            route=route.name,
            own=(own.provider, own.model),
            currency=self.config.budget.currency,
            requests=requests,
            counted=counted,
            counted_by=_way(own.model),
            correction=factor,
            answers=answered,
            past=past if answered.basis is Basis.PAST else None,
            quotes=cheapest_first(quotes),
            unknown=self._unknown(quotes),
            advice=list(advice(habits, own, requests=requests)),
            limits=limits,
            refusal=refusal,
            refused_params=list(param_notes(route)),
            cost=cost,
        )

    def of_numbers(
        self, requests: int, given: int, output: int, wanted: str | None, models: Sequence[str], *, everything: bool
    ) -> Estimate:
        """The cost of a number of requests of one size, with the named models or those of the routes."""
        routes = [named_route(self.config.routes, wanted)] if wanted is not None else self.config.routes
        providers = list(dict.fromkeys(route.provider for route in routes))
        own = routes[0] if wanted is not None or not (models or everything) else None
        choices = self._choices(own, models, everything=everything, providers=providers)
        if own is not None and wanted is None:
            others = [
                Choice(each.provider, each.model, self._terms(each.provider, each.model, each.params))
                for each in routes
            ]
            choices = list(dict.fromkeys([*choices, *others]))
        answered = answers(requests, limits=requests * output, expected=output)
        quotes = []
        for each in choices:
            steps = () if each.terms is None else each.terms.steps
            long = any(given > step.above for step in steps)
            load = Load(1, given, (given,), 1 / requests) if long else Load(requests, requests * given)
            quotes.append(quote(each.provider, each.model, each.terms, load, answered, at=Clock().now()))
        return Estimate(
            currency=self.config.budget.currency,
            requests=requests,
            answers=answered,
            quotes=cheapest_first(quotes),
            unknown=self._unknown(quotes),
        )

    # --- models and prices ---------------------------------------------------------------------------------------

    def _choices(
        self, route: Route | None, models: Iterable[str], *, everything: bool, providers: Sequence[str]
    ) -> list[Choice]:
        """The route's own model first, then those that were named, then all that have a price."""
        pairs = [] if route is None else [(route.provider, route.model)]
        pairs += [self.pair(word, providers) for word in models]
        if everything:
            pairs += [(provider, model) for provider in providers for model in self._book(provider).models()]
        params = {} if route is None else route.params
        choices = [Choice(*pair, self._terms(*pair, params)) for pair in dict.fromkeys(pairs)]
        if not everything:
            return choices
        own, embeds = choices[: route is not None], route is not None and _embeds(route)
        return [*own, *(each for each in choices[len(own) :] if _silent(each.terms) == embeds)]

    def pair(self, word: str, providers: Sequence[str]) -> tuple[str, str]:
        """Read `PROVIDER/MODEL` if that provider is configured; else take the word as a model of the only provider."""
        before, slash, after = word.partition("/")
        if slash and after and before in self.config.providers:
            return before, after
        if len(providers) == 1:
            return providers[0], word
        known = proposal(before, self.config.providers)
        raise NotClear(f"Say whose model {word} is, as PROVIDER/MODEL{known}")

    def _terms(self, provider: str, model: str, params: Mapping[str, Json]) -> Terms | None:
        return self._book(provider).terms(model, Clock().now(), params)

    def _book(self, provider: str) -> PriceList:
        if provider not in self._books:
            table, settings = self.config.providers[provider], self._settings(provider)
            self._books[provider] = PriceList.of(table, settings, currency=self.config.budget.currency)
        return self._books[provider]

    def _settings(self, provider: str) -> object:
        table = self.config.providers[provider]
        return self.catalogue.settings("provider", table.plugin, table.settings)

    def _address(self, provider: str) -> str:
        return str(getattr(self._settings(provider), "base_url", ""))

    def _unknown(self, quotes: Iterable[Quote]) -> list[str]:
        return [self._book(each.provider).unknown(each.provider, each.model) for each in quotes if each.terms is None]

    def _room(self, own: Quote, route: Route, *, unlimited: int) -> tuple[Span | None, Sequence[Limit], Refusal | None]:
        """What such a job costs, its limits, and why the daemon would not send it right now."""
        limits = self.config.spending_limits()
        table = self.config.providers[own.provider]
        live, account = table.mode == "live", Account(at=Clock().now())
        with suppress(StateError), snapshot(self.config.folders.state) as past:
            account = history.account(past, route.name, own.provider, limits.currency, Clock().now())
            live = live or (table.mode == "auto" and history.is_live(past, own.provider, self._address(own.provider)))
        span = own.live if live else own.batch
        most = 0 if span is None or span.most is None else span.most
        unknown = None if own.terms else self._book(own.provider).unknown(own.provider, own.model)
        account = replace(account, own=most, unlimited=unlimited)
        refusal = find_refusal(limits, own.provider, account, approved=None, price_unknown=unknown, route=route.name)
        return span, list(limits_for(limits, own.provider, route.name, account)), refusal

    # --- the file and the past -----------------------------------------------------------------------------------

    def _count(self, file: Path, route: Route, choices: Sequence[Choice]) -> Counted:
        table = self.config.providers[route.provider]
        limits = table.limits(self.catalogue.limits_of(table.plugin) or Limits())
        steps = [step.above for each in choices if each.terms for step in each.terms.steps]
        with tempfile.TemporaryDirectory(prefix="batchd-estimate-") as folder:
            return self.counting(
                CountTask(
                    source=file.resolve(),
                    name=file.name,
                    folder=Path(folder),
                    formats=route.formats,
                    reader=self.config.here(route.reader or PluginSpec("")),
                    builder=self.config.here(route.prompt),
                    common=route.common_body(),
                    endpoint=route.endpoint,
                    max_line_bytes=limits.max_line_bytes,
                    models={_way(each.model): each.model for each in choices},
                    # Requests that a correction may lift over a price step are priced one by one, too.
                    long=int(min(steps) / MAX_FACTOR) if steps else None,
                    large=self.large,
                    piece=self.piece,
                    pictures=PictureFolder(route.files, route.max_file_bytes) if route.files else None,
                    max_file_bytes=route.max_file_bytes,
                    skip_empty=route.empty_rows == "skip",
                )
            )

    def _past(self, route: Route) -> Past | None:
        # A state folder that cannot be read does not prevent an estimate.
        with suppress(StateError), snapshot(self.config.folders.state) as past:
            number, output = history.answered(past, route.name, route.provider, route.model)
            return Past(number, output) if number else None
        return None

    def _corrections(self, choices: Sequence[Choice]) -> tuple[dict[tuple[str, str], float], set[tuple[str, str]]]:
        """The factors for counts, by provider and model; and the pairs whose factor was learnt."""
        pairs = [(each.provider, each.model) for each in choices]
        sums = dict.fromkeys(pairs, (0, 0))
        with suppress(StateError), snapshot(self.config.folders.state) as past:
            sums = {pair: history.calibration(past, *pair) for pair in pairs}
        return {pair: correction(*each) for pair, each in sums.items()}, {pair for pair in pairs if sums[pair][0]}


def _embeds(route: Route) -> bool:
    return route.endpoint.endswith("/embeddings")


def _silent(terms: Terms | None) -> bool:
    """Whether, by its prices, a model is paid for its input alone: one for embeddings, which writes nothing."""
    return terms is not None and not terms.at(Lane.LIVE).output and bool(terms.at(Lane.LIVE).input)


def _way(model: str) -> str:
    """How the model's tokens are counted, as a word."""
    return tokens.vocabulary(model) or _BYTES

"""The prices of models at one provider: the operator's own first, then those that the service publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from ..bodies.usage import Json
from . import published_prices as published_prices
from .lanes import Lane
from .pricing import Price, PricedLane, Terms
from .published_prices import Service

if TYPE_CHECKING:
    from ..config.provider_table import ProviderTable

OPERATOR = "configuration"
"""The source of terms that come from the operator."""


class PriceList:
    """The prices of one provider's models.

    `operator` are those of the config, in `currency`; `lanes` are live calls at other prices. `known` is the service
    whose published prices apply if the operator set none: its name or its base URL. `discount` is the discount of
    batches if neither has one.

    A lookup may import the list of published prices, which takes 0.4 s: call it in a thread, not on the event loop.
    """

    def __init__(
        self,
        operator: Mapping[str, Price],
        *,
        currency: str = published_prices.CURRENCY,
        known: str | None = None,
        discount: Decimal | None = None,
        lanes: Sequence[PricedLane] = (),
    ) -> None:
        self.currency = currency
        self._operator = operator
        self._known = known
        self._discount = discount
        self.lanes = lanes

    @classmethod
    def of(cls, table: ProviderTable, settings: object, *, currency: str) -> PriceList:
        """The prices of a configured provider; `settings` are its plugin's, whose `base_url` identifies the service."""
        known = table.prices_of or getattr(settings, "base_url", None)
        return cls(
            table.price_list(),
            currency=currency,
            known=known,
            discount=table.batch_discount,
            lanes=table.priced_lanes(),
        )

    @property
    def at_hand(self) -> bool:
        """Whether a lookup imports nothing."""
        return self._known is None or "_service" in vars(self)

    def terms(self, model: str, at: float, params: Mapping[str, Json] | None = None) -> Terms | None:
        """The terms of the model at this time (seconds since 1970) for requests with these params.

        None if they are not known, never zero.
        """
        terms = self._terms(model, at)
        return None if terms is None else terms.on(self.lanes, params or {})

    def _terms(self, model: str, at: float) -> Terms | None:
        own = self._operator.get(model)
        if own is not None:
            batch, live = (own.rates(self.currency, lane) for lane in (Lane.BATCH, Lane.LIVE))
            return Terms(batch, live, self.currency, OPERATOR)
        if self.currency != published_prices.CURRENCY or self._service is None:
            return None
        return self._service.terms(model, at, discount=self._discount)

    def context(self, model: str) -> int | None:
        """The context window of the model in tokens, question and answer together; None if it is not known."""
        return self._service.context(model) if self._service is not None else None

    def models(self) -> list[str]:
        """Every model with a known price, the operator's own first."""
        published = (
            [] if self.currency != published_prices.CURRENCY or self._service is None else self._service.models()
        )
        return [*self._operator, *(model for model in published if model not in self._operator)]

    def unknown(self, provider: str, model: str) -> str:
        """Why the price of a model is not known, and which table to add. `provider` is its name in the config."""
        if self._service is None:
            why = "batchd knows no published prices of this service"
        elif self.currency != published_prices.CURRENCY:
            why = f"published prices are in {published_prices.CURRENCY}, and [budget] counts in {self.currency}"
        else:
            why = f"it is not among the published prices of {self._service.name}"
        own = " (0 for a server of your own)" if self._service is None else ""
        what = f'The price of the model "{model}" at {provider} is not known: {why}.'
        return (
            f"{what} Add [providers.{provider}.prices.{json.dumps(model, ensure_ascii=False)}] with input and "
            f"output{own}."
        )

    @cached_property
    def _service(self) -> Service | None:
        if self._known is None:
            return None
        return Service.at(self._known) if "://" in self._known else Service.named(self._known)

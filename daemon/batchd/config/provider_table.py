"""`[providers.NAME]` of config.toml: the plugin, the operator's limits for it, and what its models cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..contracts import Limits
from ..model import Json
from ..money.hours import HourSpan
from ..money.pricing import Price, PricedLane
from ..sending.limit_headers import LimitHeader
from ..values import replace
from .service_table import ServiceLimits, ServiceTable
from .tables import CeilingsTable, Count, Currency, Discount, Interval, Length, PerMillion, Table, Text


def _off(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -10 <= value <= 1:
        raise ValueError("write the part that it takes off the price of live calls: 0.5 is half price, -1.0 twice it")
    return Decimal(str(value))


def _spans(values: list[str]) -> list[str]:
    for each in values:
        HourSpan.read(each)
    return values


class LaneTable(Table):
    """`[[providers.NAME.lanes]]`: live calls at another price, by params of the request, by the hour, or by both."""

    name: Text
    params: dict[str, Json] = Field(default_factory=dict)
    hours: Annotated[list[Text], AfterValidator(_spans)] = Field(default_factory=list)
    discount: Annotated[Decimal, BeforeValidator(_off)]

    @model_validator(mode="after")
    def _chosen(self) -> LaneTable:
        if not self.params and not self.hours:
            raise ValueError("needs params or hours: without them all live calls have this price")
        return self


class PriceTable(Table):
    """`[providers.NAME.prices.MODEL]`, per million tokens. `batch_discount` is the discount for batches, 0.5: half."""

    input: PerMillion
    output: PerMillion
    cached_input: PerMillion | None = None
    cache_write: PerMillion | None = None
    cache_write_1h: PerMillion | None = None
    batch_discount: Discount | None = None
    batch_input: PerMillion | None = None
    batch_output: PerMillion | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _one_way(self) -> PriceTable:
        batch_prices = (self.batch_input is not None, self.batch_output is not None)
        if any(batch_prices) and self.batch_discount is not None:
            raise ValueError("write either batch_discount, or batch_input and batch_output")
        if any(batch_prices) and not all(batch_prices):
            raise ValueError("batch_input and batch_output go together")
        return self

    def price(self, discount: Decimal | None) -> Price:
        """The prices that the daemon uses. `discount` is the provider's discount for batches, unless set here."""
        discounts = (self.batch_discount, discount, Decimal(0))
        own = self.model_dump(exclude={"batch_discount", "currency"})
        return Price(**own, batch_discount=next(each for each in discounts if each is not None))


BATCH_REQUESTS = 10_000
"""The default for requests per batch. Services allow 50,000 and more, but answers come only with a whole batch. Of
smaller batches, the first are collected while the last still run, fewer requests are sent again if one expires, and the
downloads do not break off."""


class ProviderTable(Table):
    """`[providers.NAME]`: the plugin, and the operator's limits for it. Times in seconds; None is the plugin's limit.

    `settings` are the keys that belong to the plugin, as written; they may contain secrets, so no repr shows them.
    `known_service` is what is known of `service`.
    """

    service: Text | None = None
    plugin: Text
    mode: Literal["batch", "live", "auto"] = "auto"
    poll: Interval = 30.0
    create_timeout: Interval = 60.0
    call_timeout: Interval = 60.0
    linger: Length = 5.0
    max_requests: Count | None = None
    max_bytes: Count | None = None
    max_line_bytes: Count | None = None
    max_enqueued_tokens: Count | None = None
    rpm: Count | None = None
    tpm: Count | None = None
    calls_at_once: Count = 1_024
    limit_headers: dict[Text, LimitHeader] | None = None
    answer_timeout: Interval = 600.0
    prices_of: Text | None = None
    batch_discount: Discount | None = None
    prices: dict[str, PriceTable] = Field(default_factory=dict)
    lanes: list[LaneTable] = Field(default_factory=list)
    budget: CeilingsTable | None = None
    settings: Mapping[str, Any] = Field(default_factory=dict, repr=False, exclude=True)
    known_service: ServiceTable | None = Field(default=None, repr=False, exclude=True)

    def limits(self, offered: Limits) -> Limits:
        """The operator's limits; for those that the operator did not set, the lower of the plugin's and the service's.

        The lower, since a plugin may stay below what a service takes: uploads of the largest files break off.
        """
        known = self.known_service.limits if self.known_service is not None else ServiceLimits()
        most: dict[str, Any] = {}
        for name in ServiceLimits.model_fields:
            both = (getattr(offered, name), getattr(known, name))
            most[name] = getattr(self, name) or min((each for each in both if each is not None), default=None)
        return Limits(**most)

    def packing(self, offered: Limits) -> Limits:
        """The same for making batches: at most the default size, unless the operator set a limit."""
        limits = self.limits(offered)
        if self.max_requests is not None:
            return limits
        return replace(limits, max_requests=min(limits.max_requests, BATCH_REQUESTS))

    def price_list(self) -> dict[str, Price]:
        return {model: table.price(self.batch_discount) for model, table in self.prices.items()}

    def priced_lanes(self) -> tuple[PricedLane, ...]:
        return tuple(
            PricedLane(lane.name, lane.discount, lane.params, tuple(map(HourSpan.read, lane.hours)))
            for lane in self.lanes
        )

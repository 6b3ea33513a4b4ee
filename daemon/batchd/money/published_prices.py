"""Published prices of known services, from the package genai-prices: offline, in USD.

Imports the package with the first lookup: that takes 0.2 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from .pricing import Rates, Step, Terms, per_token

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider

CURRENCY = "USD"

_BATCH = {"processing": "batch"}
_TOKENS = ("input_mtok", "cache_read_mtok", "output_mtok", "cache_write_mtok", "cache_write_1h_mtok")
# Charges besides tokens, or for tokens that the usage of an answer does not show: batchd cannot use such a price.
_BEYOND = ("requests_kcount", "input_text_messages_kcount", "output_reasoning_mtok", "output_citation_mtok")


class Service(Struct, frozen=True):
    """A service with published prices, by its name in genai-prices."""

    name: str

    @classmethod
    def named(cls, name: str) -> Service | None:
        """The service with this name."""
        return cls(name) if name in names() else None

    @classmethod
    def at(cls, address: str) -> Service | None:
        """The service with this base URL."""
        host = urlsplit(address).hostname or ""
        if "." not in host or host.rpartition(".")[2].isdigit():
            # A private server, with an IP address or a name that only its network knows: import nothing for it.
            return None
        try:
            return cls(_snapshot().find_provider(None, None, address).id)
        except LookupError:
            return None

    def terms(self, model: str, at: float, *, discount: Decimal | None = None) -> Terms | None:
        """The terms of the model at this time (seconds since 1970), None if they are not published.

        `discount` is the discount of a batch if no price for batches is published; None is no discount.
        """
        found = find(self.name, model)
        if found is None:
            return None
        info, own = found
        moments = _moments(info, datetime.fromtimestamp(at, UTC))
        live = _dearest([_rates(info.get_prices(moment)) for moment in moments])
        if live is None:
            return None
        if own and any(_sells_batches(info, moment) for moment in moments):
            batch = _dearest([_rates(info.get_prices(moment, _BATCH)) for moment in moments])
        else:
            # For a batch without a price of its own, genai-prices silently returns the price of a live call.
            batch = live if discount is None else live.less(discount)
        assert batch is not None  # it has one for every model with a live price
        return Terms(batch, live, CURRENCY, f"published prices ({self.name}/{info.id}, genai-prices {_version()})")

    def context(self, model: str) -> int | None:
        """The context window of the model in tokens, question and answer together; None if it is not published."""
        found = find(self.name, model)
        return found[0].context_window if found is not None and found[1] else None

    def models(self) -> list[str]:
        """The models with a price per token that can be looked up by their ids."""
        now = datetime.now(UTC)
        return [
            info.id
            for info in _provider(self.name).models
            if _rates(info.get_prices(now)) is not None
            # Some ids are only the beginning of a name, such as those of tuned models.
            and info.id[-1].isalnum()
            and find(self.name, info.id) == (info, True)
        ]


def names() -> Sequence[str]:
    """Every service with published prices."""
    return tuple(provider.id for provider in _snapshot().providers)


def _snapshot() -> DataSnapshot:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


@cache
def _version() -> str:
    from importlib.metadata import version

    return version("genai-prices")


@cache
def _provider(name: str) -> Provider:
    return next(provider for provider in _snapshot().providers if provider.id == name)


@cache
def find(service: str, model: str) -> tuple[ModelInfo, bool] | None:
    """The model, and whether the entry is the service's own: batch prices of another service do not apply here."""
    provider = _provider(service)
    info = provider.find_model(model, all_providers=_snapshot().providers)
    return None if info is None else (info, any(info is each for each in provider.models))


def _moments(info: ModelInfo, at: datetime) -> list[datetime]:
    """`at`, and each time of that day at which the price changes: a batch may run at any time."""
    from genai_prices.types import TimeOfDateConstraint

    conditions = [price.constraint for price in info.prices] if isinstance(info.prices, list) else []
    conditions += [variant.constraint for variant in info.price_variants or ()]
    hours = {
        hour.replace(tzinfo=None)
        for each in conditions
        if isinstance(each, TimeOfDateConstraint)
        for hour in (each.start_time, each.end_time)
    }
    return [at, *(datetime.combine(at.date(), hour, UTC) for hour in sorted(hours))]


def _sells_batches(info: ModelInfo, at: datetime) -> bool:
    return any(
        variant.when == _BATCH and (variant.constraint is None or variant.constraint.active(at))
        for variant in info.price_variants or ()
    )


def _rates(prices: ModelPrice) -> Rates | None:
    """A published price as rates, None if it is not per token."""
    from genai_prices.types import TieredPrices

    if prices.input_mtok is None or any(getattr(prices, key) is not None for key in _BEYOND):
        return None
    given_input, cached, output, *written = (getattr(prices, key) for key in _TOKENS)
    # Without a price for cached tokens, they cost the same as other input; without one for output, there is no output.
    prices_of = [given_input, given_input if cached is None else cached, Decimal(0) if output is None else output]
    writes = [each for each in written if each is not None] if written[0] is not None else []
    prices_of += writes
    starts = sorted({tier.start for each in prices_of if isinstance(each, TieredPrices) for tier in each.tiers})

    def at(tokens: int) -> tuple[int, int, int, int | None, int | None]:
        found = []
        for each in prices_of:
            price = each
            if isinstance(each, TieredPrices):
                price = each.base
                for tier in each.tiers:
                    if tokens > tier.start:
                        price = tier.price
            found.append(per_token(price, CURRENCY))
        # Some lists have cached input in batches at its live price, which is then above the batch price of other input.
        short, long, *_ = *found[3:], None, None
        return found[0], min(found[1], found[0]), found[2], short, long

    first = at(0)
    return Rates(*first[:3], tuple(Step(start, *at(start + 1)) for start in starts), *first[3:])


def _dearest(rates: Sequence[Rates | None]) -> Rates | None:
    known = [each for each in rates if each is not None]
    return max(known, key=lambda each: (each.input, each.output), default=None)

"""Input that is written to a service's cache, which Anthropic bills at 1.25 times the price, and at 2 for an hour."""

from __future__ import annotations

from decimal import Decimal

import pytest

from batchd.bodies.usage import count_tokens
from batchd.domain.routing import PluginSpec, Route, cached_for
from batchd.model import Json, Usage
from batchd.money.budget import reserved
from batchd.money.estimating import Load, answers, quote
from batchd.money.lanes import Lane
from batchd.money.price_list import PriceList
from batchd.money.pricing import Price, Rates, Step, Terms
from batchd.money.spending import Tally

pytestmark = pytest.mark.field("money")

RATES = Rates(100, 10, 500, cache_write=125, cache_write_1h=200)
TERMS = Terms(RATES, RATES, "USD", "configuration")


def test_what_services_say_of_their_caches_is_counted() -> None:
    by_time = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 30}
    said: list[tuple[Json, Usage]] = [
        ({"input_tokens": 10, "cache_creation_input_tokens": 130, "cache_read_input_tokens": 60, "output_tokens": 5,
          "cache_creation": by_time}, Usage(200, 60, 5, 130, 30)),
        ({"prompt_tokens": 200, "completion_tokens": 5, "total_tokens": 205, "cache_creation_input_tokens": 130,
          "cache_read_input_tokens": 60, "prompt_tokens_details": {"cached_tokens": 60}}, Usage(200, 60, 5, 130, 0)),
        ({"prompt_tokens": 200, "completion_tokens": 5, "total_tokens": 205,
          "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 130}}, Usage(200, 60, 5, 130, 0)),
        # More than there is: no service can have written what it has read.
        ({"prompt_tokens": 200, "completion_tokens": 5, "total_tokens": 205, "cache_creation": by_time,
          "prompt_tokens_details": {"cached_tokens": 190}}, Usage(200, 190, 5, 10, 10)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, Usage(10, 0, 5)),
    ]  # fmt: skip
    wrong = [(usage, counted) for usage, expected in said if (counted := count_tokens(usage).whole()) != expected]
    assert not wrong


def test_written_tokens_have_prices_of_their_own() -> None:
    usage = Usage(200, 60, 5, 130, 30)
    assert RATES.cost(usage) == 10 * 100 + 60 * 10 + 100 * 125 + 30 * 200 + 5 * 500
    assert Rates(100, 10, 500).cost(usage) == 140 * 100 + 60 * 10 + 5 * 500  # without such a price as any other
    assert Rates(100, 10, 500, cache_write=125).cost(usage) == 10 * 100 + 60 * 10 + 130 * 125 + 5 * 500
    tiered = Rates(100, 10, 500, (Step(150, 300, 30, 900, 375, 600),), 125, 200)
    assert tiered.cost(usage) == 10 * 300 + 60 * 30 + 100 * 375 + 30 * 600 + 5 * 900


@pytest.mark.parametrize("steps", [(), (Step(150, 300, 30, 900, 375, 600),)], ids=["flat", "tiered"])
def test_the_bill_has_them_and_terms_keep_them(steps: tuple[Step, ...]) -> None:
    rates = Rates(100, 10, 500, steps, 125, 200)
    terms = Terms.from_json(Terms(rates, rates, "USD", "x").to_json())
    assert terms.live == rates
    tally, usages = Tally(terms, Lane.LIVE), [Usage(200, 60, 5, 130, 30), Usage(20, 0, 5, 999, 0), Usage(7, 0, 1)]
    for usage in usages:
        tally.add(usage, wasted=usage.output_tokens == 1)
    assert tally.bill().cost == sum(rates.cost(usage) for usage in usages)
    old = {
        "input": 1,
        "cached_input": 1,
        "output": 1,
        "steps": [{"above": 1, "input": 1, "cached_input": 1, "output": 1}],
    }
    before = Terms.from_json({"batch": old, "live": old, "currency": "USD", "source": "x"})
    assert before.live == Rates(1, 1, 1, (Step(1, 1, 1, 1),))


def test_prices_of_the_configuration_and_published_ones_have_them() -> None:
    price = Price(
        Decimal(4), Decimal(20), cache_write=Decimal(5), cache_write_1h=Decimal(8), batch_discount=Decimal("0.5")
    )
    assert (price.rates("USD", Lane.BATCH).cache_write, price.rates("USD", Lane.LIVE).cache_write) == (
        2_500_000,
        5_000_000,
    )
    own = Price(Decimal(4), Decimal(20), cache_write=Decimal(5), batch_input=Decimal(1), batch_output=Decimal(2))
    assert own.rates("USD", Lane.BATCH).cache_write == 1_250_000
    terms = PriceList({}, known="anthropic", discount=Decimal("0.5")).terms("claude-sonnet-4-5", 1.79e9)
    assert terms is not None
    for rates in (terms.batch, terms.live, *terms.live.steps):
        assert (rates.cache_write, rates.cache_write_1h) == (rates.input * 5 // 4, rates.input * 2)
    halved = PriceList({}, known="anthropic", discount=Decimal("0.5")).terms("claude-3-5-sonnet", 1.79e9)
    assert halved is not None
    assert halved.batch.cache_write == halved.batch.input * 5 // 4


def test_a_route_that_asks_for_a_cache_may_cost_more() -> None:
    def kept(ttl: Json) -> float:
        params: Json = {"cache_control": {"type": "ephemeral", **ttl}}
        return cached_for(route(PluginSpec("template"), params))

    def route(prompt: PluginSpec, params: Json) -> Route:
        return Route(name="r", match=(), provider="p", model="m", prompt=prompt, params=params)

    assert [kept({}), kept({"ttl": "5m"}), kept({"ttl": "1h"})] == [300.0, 300.0, 3_600.0]
    messages = [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}]
    assert cached_for(route(PluginSpec("p", {"messages": messages}), {})) == 300.0
    assert cached_for(route(PluginSpec("p", {"system": "cache_control"}), {})) == 0.0
    load, answered = Load(10, 1_000), answers(10, limits=100)
    for seconds, dearest in ((0.0, 100), (300.0, 125), (3_600.0, 200)):
        most = reserved(RATES, input_tokens=1_000, output_tokens=100, longest=100, sure=True, cached_for=seconds)
        assert most == reserved(Rates(dearest, 10, 500), input_tokens=1_000, output_tokens=100, longest=100, sure=True)
        live = quote("p", "m", TERMS, load, answered, cached_for=seconds).live
        assert live is not None
        assert live.most == 1_000 * dearest + 100 * 500
        assert live.likely == 1_000 * 100 + 50 * 500

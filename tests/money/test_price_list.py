"""What a model costs: by the operator, by what is published, or not known, which is not zero."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, time
from decimal import Decimal
from fractions import Fraction

import pytest

from batchd.model import Usage
from batchd.money import published_prices as published_prices
from batchd.money.lanes import Lane
from batchd.money.price_list import OPERATOR, PriceList
from batchd.money.pricing import UNIT, Price, Rates
from batchd.money.published_prices import Service

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
BEFORE_BATCH_PRICES = datetime(2026, 10, 1, tzinfo=UTC).timestamp()
OWN = Price(Decimal(1), Decimal(2))


def per_million(rates: Rates) -> tuple[float, float, float]:
    """Rates as people write them."""
    return rates.input / 1e6, rates.cached_input / 1e6, rates.output / 1e6


def test_the_operators_prices_come_first_and_hold_whatever_is_published() -> None:
    book = PriceList({"gpt-4o-mini": OWN}, known="openai")
    terms = book.terms("gpt-4o-mini", NOW)
    assert terms is not None
    assert (terms.source, terms.currency) == (OPERATOR, "USD")
    # No discount that nobody promised, though the service has one for this model.
    assert terms.batch == terms.live == OWN.rates("USD", Lane.LIVE)


@pytest.mark.parametrize("known", ["openai", "https://api.openai.com/v1"])
def test_a_known_service_has_published_prices_for_batches_and_live(known: str) -> None:
    terms = PriceList({}, known=known).terms("gpt-4o-mini", NOW)
    assert terms is not None
    assert per_million(terms.live) == (0.15, 0.075, 0.6)
    # Cached input keeps its live price in a batch, as published.
    assert per_million(terms.batch) == (0.075, 0.075, 0.3)
    assert terms.currency == "USD"
    assert "openai/gpt-4o-mini" in terms.source


def test_a_price_for_batches_holds_from_its_day_on() -> None:
    terms = PriceList({}, known="openai").terms("gpt-4o-mini", BEFORE_BATCH_PRICES)
    assert terms is not None
    assert terms.batch == terms.live
    # Until then it is one of those of which only the operator may know better.
    known_better = PriceList({}, known="openai", discount=Decimal("0.5")).terms("gpt-4o-mini", BEFORE_BATCH_PRICES)
    assert known_better is not None
    assert known_better.batch.input * 2 == known_better.live.input


def test_a_model_without_a_price_for_batches_is_not_promised_a_discount() -> None:
    terms = PriceList({}, known="groq").terms("llama-3.1-8b-instant", NOW)
    assert terms is not None
    assert terms.batch == terms.live
    less = PriceList({}, known="groq", discount=Decimal("0.2")).terms("llama-3.1-8b-instant", NOW)
    assert less is not None
    assert less.live == terms.live
    assert less.batch == Rates(
        *(round(each * 0.8) for each in (less.live.input, less.live.cached_input, less.live.output))
    )


def test_the_operators_discount_does_not_come_on_top_of_a_published_one() -> None:
    plain = PriceList({}, known="openai").terms("gpt-4o-mini", NOW)
    assert PriceList({}, known="openai", discount=Decimal("0.5")).terms("gpt-4o-mini", NOW) == plain


def test_another_services_model_has_its_live_price_alone() -> None:
    """Azure sells OpenAI's models; OpenAI's price for batches says nothing about Azure."""
    terms = PriceList({}, known="https://x.openai.azure.com/openai/v1").terms("gpt-5.6-luna", NOW)
    assert terms is not None
    assert terms.batch == terms.live


def test_published_prices_that_depend_on_the_length_keep_their_steps() -> None:
    terms = PriceList({}, known="openai").terms("gpt-6-luna", NOW)
    assert terms is not None
    assert [step.above for step in terms.batch.steps] == [272_000]
    assert terms.batch.steps[0].input == 2 * terms.batch.input


def test_a_price_that_depends_on_the_hour_is_the_dearest_of_the_day() -> None:
    """Nobody knows when a batch will run."""
    book = PriceList({}, known="deepseek")
    day = datetime(2026, 11, 26, tzinfo=UTC)
    hours = {book.terms("deepseek-v4-pro", datetime.combine(day, time(hour), UTC).timestamp()) for hour in range(24)}
    assert len(hours) == 1
    [terms] = hours
    assert terms is not None
    assert per_million(terms.live)[0] == 1.32


@pytest.mark.parametrize(
    ("known", "model"),
    [
        ("openai", "no-such-model"),
        ("openai", "whisper-1"),  # by the hour
        ("perplexity", "sonar"),  # a fee for each request on top
        ("mistral", "mistral-nemo:free"),  # listed without any price
        (None, "gpt-4o"),
        ("https://api.holysheep.ai/v1", "gpt-4.1"),
    ],
)
def test_what_is_not_known_is_not_zero(known: str | None, model: str) -> None:
    book = PriceList({"mine": OWN}, known=known)
    assert book.terms(model, NOW) is None
    assert model not in book.models()
    assert "mine" in book.models()


def test_published_prices_are_of_no_use_in_another_currency() -> None:
    book = PriceList({"mine": OWN}, currency="EUR", known="openai")
    assert book.terms("gpt-4o", NOW) is None
    assert book.models() == ["mine"]
    mine = book.terms("mine", NOW)
    assert mine is not None
    assert mine.currency == "EUR"
    assert book.unknown("acme", "gpt-4o") == (
        'The price of the model "gpt-4o" at acme is not known: published prices are in USD, and [budget] counts in EUR. '
        'Add [providers.acme.prices."gpt-4o"] with input and output.'
    )


def test_an_unknown_price_is_told_with_the_table_to_add() -> None:
    assert PriceList({}, known="openai").unknown("acme", "gpt 9.9") == (
        'The price of the model "gpt 9.9" at acme is not known: it is not among the published prices of openai. '
        'Add [providers.acme.prices."gpt 9.9"] with input and output.'
    )
    assert "batchd knows no published prices of this service" in PriceList({}).unknown("acme", "x")


def test_zero_is_a_price() -> None:
    terms = PriceList({"local": Price(Decimal(0), Decimal(0))}).terms("local", NOW)
    assert terms is not None
    assert terms.batch == Rates(0, 0, 0)


@pytest.mark.slow
def test_every_published_price_can_be_kept_and_a_batch_is_never_dearer() -> None:
    seen = tiered = 0
    for name in published_prices.names():
        service = Service(name)
        for model in service.models():
            terms = service.terms(model, NOW)
            assert terms is not None
            for rates in (terms.batch, terms.live):
                assert 0 <= rates.cached_input <= rates.input
                assert rates.output >= 0
            assert terms.batch.input <= terms.live.input
            assert terms.batch.output <= terms.live.output
            seen += 1
            tiered += terms.live.tiered
    assert seen > 1_500
    assert tiered > 20


SOLD = ["openai", "google", "anthropic", "mistral", "groq", "x-ai", "perplexity", "zai"]


@pytest.mark.parametrize("name", SOLD)
def test_rates_come_to_what_the_package_itself_comes_to(name: str) -> None:
    """For each model, at lengths on both sides of every step, with and without cached tokens."""
    import genai_prices

    service, moment = Service(name), datetime.fromtimestamp(NOW, UTC)
    for model in service.models():
        terms = service.terms(model, NOW)
        assert terms is not None
        lengths = {1_000, *(step.above + more for step in terms.live.steps for more in (0, 1))}
        for given, rates, context in [
            (each, rates, context)
            for each in lengths
            for rates, context in ((terms.live, None), (terms.batch, {"processing": "batch"}))
        ]:
            theirs = genai_prices.calc_price(
                genai_prices.Usage(input_tokens=given, cache_read_tokens=given // 3, output_tokens=77),
                model,
                provider_id=name,
                genai_request_timestamp=moment,
                price_context=context,
            )
            ours = Fraction(rates.cost(Usage(given, given // 3, 77)), UNIT)
            assert ours == pytest.approx(Fraction(theirs.total_price), rel=1e-6), (model, given, context)


def test_a_lookup_is_made_once_a_model() -> None:
    book = PriceList({}, known="openrouter")
    before = published_prices.find.cache_info().misses
    for _ in range(3):
        book.terms("openai/gpt-4o-mini", NOW)
    assert published_prices.find.cache_info().misses <= before + 1


@pytest.mark.slow
def test_prices_are_imported_only_when_they_are_asked_for() -> None:
    code = (
        "import sys\n"
        "import batchd.app\n"
        "from batchd.money.price_list import PriceList\n"
        "PriceList({}, known='openai')\n"
        "for host in ('localhost:8000', '127.0.0.1:11434', '[::1]:80', 'vllm', '10.0.0.7'):\n"
        "    assert PriceList({}, known=f'http://{host}/v1').terms('gpt-4o', 1.8e9) is None\n"
        "assert 'genai_prices' not in sys.modules\n"
        "assert PriceList({}, known='https://api.openai.com/v1').terms('gpt-4o', 1.8e9) is not None\n"
        "assert PriceList({}, known='openai').terms('gpt-4o', 1.8e9) is not None\n"
        "assert 'genai_prices' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

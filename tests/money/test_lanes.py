"""Live calls at other prices: by params, by the hour; chosen, reserved and counted."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from batchd.answers.joining import join
from batchd.calls import LiveAnswer
from batchd.cli.checking.routes import lane_results
from batchd.config.load import load
from batchd.live.journal import line_of
from batchd.model import Usage
from batchd.money.estimating import Answers, Basis, Load, quote
from batchd.money.hours import HourSpan
from batchd.money.lanes import Lane
from batchd.money.price_list import PriceList
from batchd.money.pricing import Price, PricedLane, Rates, Terms
from batchd.money.spending import Tally
from batchd.plugin.catalogue import Catalogue

PEAK = datetime(2026, 11, 27, 2, 0, tzinfo=UTC).timestamp()  # a Friday
NIGHT = datetime(2026, 11, 27, 11, 0, tzinfo=UTC).timestamp()
SUNDAY = datetime(2026, 11, 29, 2, 0, tzinfo=UTC).timestamp()
OFF_PEAK = ("Mon-Fri 00:00-01:00", "Mon-Fri 04:00-06:00", "Mon-Fri 10:00-24:00", "Sat-Sun")
FLEX = PricedLane("flex", Decimal("0.5"), {"service_tier": "flex"})
HOURS = PricedLane("off-peak", Decimal("0.5"), hours=tuple(map(HourSpan.read, OFF_PEAK)))
PRICE = Price(input=Decimal(4), output=Decimal(0), batch_discount=Decimal("0.25"))


def terms(*lanes: PricedLane, **params: str) -> Terms:
    found = PriceList({"m": PRICE}, lanes=lanes).terms("m", PEAK, params)
    assert found is not None
    return found


def usd(rates: Rates) -> float:
    return rates.input / 1_000_000


def test_a_lane_is_chosen_by_the_params_of_the_route() -> None:
    assert usd(terms(FLEX).at(Lane.LIVE)) == 4
    flex = terms(FLEX, service_tier="flex")
    assert (usd(flex.at(Lane.LIVE)), usd(flex.at(Lane.BATCH))) == (2, 3), "batches keep their own price"
    assert flex.source == "configuration; flex, 50% off"
    assert (
        usd(terms(PricedLane("priority", Decimal(-1), {"service_tier": "priority"}), service_tier="priority").live) == 8
    )


def test_by_the_hour_the_time_decides_and_without_one_the_highest_price() -> None:
    by_hour = terms(HOURS)
    at = {when: usd(by_hour.at(Lane.LIVE, when)) for when in (PEAK, NIGHT, SUNDAY, None)}
    assert at == {PEAK: 4, NIGHT: 2, SUNDAY: 2, None: 4}
    assert usd(by_hour.at(Lane.BATCH, NIGHT)) == 3
    dearer = terms(PricedLane("rush hour", Decimal("-0.5"), hours=(HourSpan.read("01:00-04:00"),)))
    assert (usd(dearer.at(Lane.LIVE, NIGHT)), usd(dearer.at(Lane.LIVE))) == (4, 6)


def test_they_are_stored_with_the_job() -> None:
    both = terms(FLEX, HOURS, service_tier="flex")
    assert usd(both.at(Lane.LIVE, NIGHT)) == 1
    assert Terms.from_json(msgspec.json.decode(msgspec.json.encode(both.to_json()))) == both


def test_an_estimate_says_the_price_of_now_and_at_most_the_highest() -> None:
    quoted = quote("p", "m", terms(HOURS), Load(1, 1_000_000), Answers(0, 0, Basis.NONE), at=NIGHT)
    assert quoted.live is not None
    assert (quoted.live.likely, quoted.live.most) == (2 * 10**12, 4 * 10**12)


def test_each_answer_is_counted_at_the_price_of_its_hour() -> None:
    body = b'{"choices":[{"message":{"content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000000,"completion_tokens":1,"total_tokens":1000001}}'
    lines = {row: [line_of(f"x-{row}", LiveAnswer(body=body), when)] for row, when in enumerate((PEAK, NIGHT))}
    tally = Tally(terms(HOURS), Lane.LIVE)
    tally.add(Usage(1_000_000, 0, 0), wasted=True, estimated=True)  # nobody knows when: the highest price
    join([0, 1], lines, _Reads(), attempt=1, attempts=1, tally=tally)
    assert tally.bill().cost == (4 + 4 + 2) * 10**12


class _Reads:
    columns = ("answer",)
    wants = None

    def parse(self, response: object) -> list[str]:
        return ["fine"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("24:00-01:00", "must end after"),
        ("22:00-02:00", "as two"),
        ("night", "no span of hours"),
        ("", "no span of hours"),
        ("Mon 1:00-2:00", "no span"),
    ],
)
def test_hours_that_mean_nothing_are_refused(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        HourSpan.read(text)


def test_days_may_go_over_the_end_of_a_week() -> None:
    assert HourSpan.read("Fri-Mon").days == {4, 5, 6, 0}
    assert HourSpan.read("Sun 03:00-04:30") == HourSpan(frozenset({6}), 180, 270)


def test_deepseek_is_counted_by_its_hours(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[providers.deepseek]\nservice = "deepseek"\n'
        '[providers.openai]\nservice = "openai"\nlanes = []\n'
        '[providers.deepseek.prices."d"]\ninput = 4.0\noutput = 8.0\n'
        '[routes.r]\nprovider = "deepseek"\nmodel = "d"\nprompt = { plugin = "passthrough" }\n'
        '[routes.o]\nprovider = "openai"\nmodel = "gpt-5-mini"\nprompt = { plugin = "passthrough" }\n'
        'params = { service_tier = "flex" }\n'
    )
    config = load(path, Catalogue.load())
    prices = {name: PriceList.of(table, None, currency="USD") for name, table in config.providers.items()}
    deepseek = prices["deepseek"].terms("d", PEAK, {})
    assert deepseek is not None
    assert [usd(deepseek.at(Lane.LIVE, when)) for when in (PEAK, NIGHT, SUNDAY, None)] == [4, 2, 2, 4]
    [said] = [each.text for each in lane_results(config, "deepseek", prices["deepseek"])]
    assert said == "Its live calls are counted at other prices than most: off-peak, 50% off."
    [unknown] = [each.text for each in lane_results(config, "openai", prices["openai"])]
    assert 'service_tier = "flex", whose price batchd does not know' in unknown

"""`batchd estimate`: what a file would cost, before anything is asked."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from batchd.app.estimating.estimate import Estimating
from batchd.app.estimating.record import record as estimate_record
from batchd.app.load import load
from batchd.cli.showing import estimate_lines
from batchd.money import tokens
from batchd.money.budget import SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.store.reading.history import answered
from batchd.store.reading.snapshot import snapshot
from batchd.values import replace

from .cli_kit import ROUTE as HOUSE_ROUTE
from .cli_kit import House, finished_house, here, process, reviews_service
from .test_start import imported_by
from .test_terminal import plain, shown

PROVIDERS = """
[providers.openai]

[providers.holysheep]
plugin = "openai"
base_url = "https://api.holysheep.ai/v1"
api_key = "env:HOLYSHEEP_API_KEY"
"""
PRICES = """
[providers.openai.prices.gpt-4o]
input = 2.50
output = 10.00
batch_discount = 0.5

[providers.holysheep.prices."gpt-4.1"]
input = 8.00
output = 8.00
batch_discount = 0.5

[providers.holysheep.prices."deepseek-v3.2"]
input = 0.42
output = 2.10
batch_discount = 0.5
"""
ROUTE = """
[routes.reviews]
provider = "openai"
model = "gpt-4o"
params = { max_tokens = 50 }
prompt = { plugin = "template", user = "Review: {{ review }}" }
"""
COMPARED = ["openai/gpt-4o", "holysheep/gpt-4.1", "holysheep/deepseek-v3.2"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with two services and the user's prices."""
    path = tmp_path / "config.toml"
    path.write_text(PROVIDERS + PRICES + ROUTE)
    return path


def changed(config: Path, *changes: tuple[str, str]) -> Path:
    """The configuration with these changes."""
    text = config.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    return config


def file_of(folder: Path, *reviews: str, name: str = "may.csv") -> Path:
    """A file of reviews."""
    path = folder / name
    path.write_text("id,review\n" + "".join(f"{number},{text}\n" for number, text in enumerate(reviews)))
    return path


def asked(*models: str) -> list[str]:
    """Options that name models."""
    return [word for model in models for word in ("--model", model)]


def priced(record: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Batch, most in a batch and live, by model."""
    return {
        each["model"]: (each["batch"]["likely"], each["batch"]["most"], each["live"]["likely"])
        for each in record["models"]
    }


# --- without a file ------------------------------------------------------------------------------------------------


def test_ten_thousand_short_requests_on_three_models(config: Path) -> None:
    """The comparison that people make by hand: 100 input and 20 output tokens each, in a batch at half price."""
    said = here("estimate", "--requests", "10000", "--input", "100", "--output", "20", *asked(*COMPARED), config=config)
    assert (said.status, said.out) == (
        0,
        (
            "10,000 requests of 100 input and 20 output tokens each.\n"
            "holysheep/deepseek-v3.2: batch 0.42 USD; live 0.84 USD, saves 50 %\n"
            "openai/gpt-4o: batch 2.25 USD; live 4.50 USD, saves 50 %\n"
            "holysheep/gpt-4.1: batch 4.80 USD; live 9.60 USD, saves 50 %\n"
        ),
    )


def test_the_same_for_machines(config: Path) -> None:
    said = here(
        "estimate",
        "--requests",
        "10000",
        "--input",
        "100",
        "--output",
        "20",
        *asked(*COMPARED),
        "--json",
        config=config,
    )
    record = said.json()
    assert priced(record) == {
        "deepseek-v3.2": (0.42, 0.42, 0.84),
        "gpt-4o": (2.25, 2.25, 4.5),
        "gpt-4.1": (4.8, 4.8, 9.6),
    }
    assert [each["saving"] for each in record["models"]] == [0.5] * 3
    assert {each["price_from"] for each in record["models"]} == {"configuration"}
    assert (record["requests"], record["currency"], record["file"], record["rows"]) == (10_000, "USD", None, None)


def test_without_models_those_of_the_routes_are_estimated(config: Path) -> None:
    changed(config, (ROUTE, ROUTE + ROUTE.replace("reviews", "more").replace("gpt-4o", "gpt-4o-mini")))
    record = here("estimate", "--requests", "1", "--input", "1", "--output", "1", "--json", config=config).json()
    assert {each["model"] for each in record["models"]} == {"gpt-4o", "gpt-4o-mini"}
    one = here(
        "estimate", "--requests", "1", "--input", "1", "--output", "1", "--json", "--route", "more", config=config
    )
    assert {each["model"] for each in one.json()["models"]} == {"gpt-4o-mini"}


def test_long_requests_are_priced_at_the_rates_for_long_ones(config: Path) -> None:
    def live(tokens_each: int) -> float:
        said = here(
            "estimate", "--requests", "10", "--input", str(tokens_each), "--output", "0", "--json",
            *asked("gpt-6-luna"), config=config,
        )  # fmt: skip
        cost: float = priced(said.json())["gpt-6-luna"][2]
        return cost

    assert live(272_000) == pytest.approx(10 * 0.0272)
    assert live(272_001) == pytest.approx(2 * 10 * 0.0272, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "Name a FILE; or give --requests, --input and --output"),
        (["--requests", "5"], "Name a FILE; or give --requests, --input and --output"),
        (["--requests", "0", "--input", "1", "--output", "1"], "is not in the range"),
        (["--requests", "5", "--input", "-1", "--output", "1"], "is not in the range"),
        (["may.csv", "--requests", "5"], "for an estimate without a FILE"),
        (["may.csv", "--route", "rewievs"], 'There is no route "rewievs". There are: --route reviews'),
        (["gone.csv"], "does not exist"),
    ],
)
def test_wrong_use(config: Path, arguments: list[str], why: str) -> None:
    file_of(config.parent, "good")
    said = here("estimate", *arguments, config=config)
    assert said.status == 2
    assert why in said.err.replace("\n", " ")


def test_a_model_whose_provider_is_not_clear(config: Path) -> None:
    changed(config, (ROUTE, ROUTE + ROUTE.replace("reviews", "more").replace('"openai"', '"holysheep"')))
    said = here("estimate", "--requests", "1", "--input", "1", "--output", "1", *asked("openia/gpt-4o"), config=config)
    assert said.status == 2
    assert 'Say whose model openia/gpt-4o is, as PROVIDER/MODEL; did you mean "openai"?' in said.err.replace("\n", " ")


# --- a file --------------------------------------------------------------------------------------------------------


def test_a_file_is_read_and_planned_by_its_route(config: Path) -> None:
    path = file_of(config.parent, "good", "bad", "It came late and the box was broken")
    record = here("estimate", path, *asked("holysheep/gpt-4.1"), "--json", config=config).json()
    assert (record["file"], record["route"], record["requests"]) == ("may.csv", "reviews", 3)
    assert record["rows"] == {"total": 3, "looked_at": 3, "sampled": False, "unaskable": {}, "repeats": 0}
    own = next(each for each in record["models"] if each["of_route"])
    # What is around a message, "Review:", and the words.
    assert own["input_tokens"] == 3 * (7 + 2) + 1 + 1 + 8
    assert record["tokens"] == {
        "counted_by": "o200k_base",
        "correction": 1.0,
        "output_most": 150,
        "output_likely": 75,
        "output_likely_from": "half",
    }
    cost = own["input_tokens"] * 1.25e-6
    dearest = ceil(own["input_tokens"] * 1.25) * 1.25e-6
    assert priced(record)["gpt-4o"][:2] == (pytest.approx(cost + 75 * 5e-6), pytest.approx(dearest + 150 * 5e-6))
    assert [each["model"] for each in record["models"]] == ["gpt-4o", "gpt-4.1"]


def test_a_file_in_words(config: Path) -> None:
    path = file_of(config.parent, *["It came late and the box was broken"] * 2)
    said = here("estimate", path, *asked("holysheep/secret"), config=config)
    assert said.status == 0
    assert said.out.splitlines() == [
        "may.csv by the route reviews: 2 rows, 2 requests.",
        "Input: 34 tokens, counted with the vocabulary o200k_base.",
        "Output: at most 100 tokens, likely 50 (half of it, since no job of this route has finished yet).",
        "openai/gpt-4o (the route's): batch 0.000292 USD, at most 0.000554 USD; live 0.000585 USD, saves 50 %",
        "holysheep/secret: price unknown",
        (
            'The price of the model "secret" at holysheep is not known: batchd knows no published prices of this service. '
            'Add [providers.holysheep.prices."secret"] with input and output (0 for a server of your own).'
        ),
        (
            "1 request (50%) is the same as an earlier one in the file and costs about 0.000146 USD. With `reuse` in the "
            "route they are asked once."
        ),
    ]


def test_rows_that_cannot_be_asked_are_told(config: Path) -> None:
    (config.parent / "may.csv").write_text("id,review\n1,good\n2\n3,a,b,c\n")
    said = here("estimate", "may.csv", config=config)
    assert said.status == 0
    assert (
        "may.csv by the route reviews: 3 rows, 1 request.\n2 rows cannot be sent, and will cost nothing:\n" in said.out
    )


def test_a_file_that_cannot_be_taken(config: Path) -> None:
    (config.parent / "may.csv").write_text("id,text\n1,good\n")
    said = here("estimate", "may.csv", config=config)
    assert (said.status, said.out) == (1, "")
    assert "needs the column “review”, and this file does not have it" in said.err
    assert "may.csv would be rejected. The " in said.err


def test_the_routes_own_model_without_a_price_is_unknown_and_not_free(config: Path) -> None:
    changed(config, (PRICES, ""), ('model = "gpt-4o"', 'model = "my-own"'))
    path = file_of(config.parent, "good")
    said = here("estimate", path, config=config)
    assert said.status == 0
    assert "openai/my-own (the route's): price unknown\n" in said.out
    assert 'it is not among the published prices of openai. Add [providers.openai.prices."my-own"]' in said.out
    [own] = here("estimate", path, "--json", config=config).json()["models"]
    assert (own["batch"], own["live"], own["saving"], own["price_from"]) == (None, None, None, None)


def test_published_prices_are_of_no_use_in_another_currency(config: Path) -> None:
    changed(config, (PRICES, '\n[budget]\ncurrency = "EUR"\n'))
    said = here("estimate", file_of(config.parent, "good"), config=config)
    assert "published prices are in USD, and [budget] counts in EUR" in said.out


def test_all_models_with_a_price_the_cheapest_first(config: Path) -> None:
    record = here("estimate", file_of(config.parent, "good"), "--all", "--json", config=config).json()
    costs = [each["batch"]["likely"] for each in record["models"]]
    assert len(costs) > 50
    assert costs == sorted(costs)
    names = {each["model"] for each in record["models"]}
    assert {"gpt-4o", "gpt-4o-mini", "gpt-4.1"} <= names
    assert not any("embedding" in name for name in names), "they answer no question"
    assert {each["provider"] for each in record["models"]} == {"openai"}


def test_embeddings_have_no_output(config: Path) -> None:
    changed(
        config,
        (ROUTE, ROUTE + 'endpoint = "/v1/embeddings"\n'),
        ('model = "gpt-4o"', 'model = "text-embedding-3-small"'),
        ("{ max_tokens = 50 }", "{}"),
        (
            '{ plugin = "template", user = "Review: {{ review }}" }',
            '{ plugin = "passthrough", url = "/v1/embeddings" }',
        ),
    )
    path = config.parent / "may.jsonl"
    line = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"input": "hello world"}}
    path.write_text(json.dumps(line) + "\n")
    said = here("estimate", path, "--all", config=config)
    assert "Input: 2 tokens, " in said.out
    assert "Output: none, as embeddings have none." in said.out
    assert "openai/gpt-4" not in said.out
    assert "openai/text-embedding-3-large: batch" in said.out


def test_without_a_limit_the_most_is_not_known(config: Path) -> None:
    changed(config, ("{ max_tokens = 50 }", "{}"))
    path = file_of(config.parent, "good", "bad")
    said = here("estimate", path, config=config)
    assert (
        "Output: without limit, as max_tokens is not set in 2 requests, likely 400 (a guess of 200 a request without "
        "limit, since no job of this route has finished yet).\n"
    ) in said.out
    assert "no upper limit; live" in said.out
    record = here("estimate", path, "--json", config=config).json()
    assert record["tokens"]["output_most"] is None
    assert record["models"][0]["batch"]["most"] is None


def test_what_one_expects_of_an_answer_counts_for_more(config: Path) -> None:
    said = here("estimate", file_of(config.parent, "good", "bad"), "--output", "3", config=config)
    assert "Output: at most 100 tokens, likely 6 (as you said)." in said.out


def test_the_route_is_that_of_the_place_in_the_inbox(config: Path) -> None:
    changed(config, (ROUTE, ROUTE + ROUTE.replace("reviews", "more").replace("{{ review }}", "{{ text }}")))
    path = config.parent / "inbox" / "more" / "may.csv"
    path.parent.mkdir(parents=True)
    path.write_text("text\ngood\n")
    assert here("estimate", path, "--json", config=config).json()["route"] == "more"
    lost = config.parent / "inbox" / "elsewhere.csv"
    lost.write_text("text\ngood\n")
    said = here("estimate", lost, config=config)
    assert said.status == 2
    assert "No route takes elsewhere.csv in the inbox." in said.err
    assert here("estimate", lost, "--route", "more", "--json", config=config).json()["route"] == "more"


def test_a_large_file_is_sampled_and_says_so(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(config.parent)  # where loading changes to
    path = file_of(config.parent, *["It came late and the box was broken"] * 100_000)
    estimating = Estimating(*load(config), large=1_000_000, piece=4_096)
    found = estimating.of_file(path, None, [], everything=False, expected=None)
    said = "\n".join(estimate_lines.lines(found))
    assert said.startswith("may.csv by the route reviews: about ")
    assert "The file is large: " in said
    record = estimate_record(found)
    assert record["rows"]["sampled"]
    assert record["rows"]["total"] == pytest.approx(100_000, rel=0.02)
    assert record["requests"] == record["rows"]["total"]


# --- the past ------------------------------------------------------------------------------------------------------


@contextmanager
def database(house: House) -> Iterator[sqlite3.Connection]:
    """The house's database; what the block changes is committed."""
    with closing(sqlite3.connect(house.state / "batchd.db")) as connection, connection:
        yield connection


def past_of(tmp_path: Path) -> tuple[House, Path]:
    """A house whose route has answered, and a config that reads its state."""
    house, _ = finished_house(tmp_path / "house")
    house.config.write_text(
        '[providers.fake]\nplugin = "openai"\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "env:NONE"\n'
        "[providers.fake.prices.small]\ninput = 1\noutput = 3\n"
        '[routes.reviews]\nprovider = "fake"\nmodel = "small"\nparams = { max_tokens = 500 }\n'
        'prompt = { plugin = "template", user = "Review: {{ review }}" }\n'
    )
    return house, house.config


def test_what_answers_of_the_route_used_tells_how_long_they_are(tmp_path: Path) -> None:
    house, config = past_of(tmp_path)
    path = file_of(tmp_path, *[f"review {number}" for number in range(10)], name="june.csv")
    said = here("estimate", path, config=config)
    assert "Output: at most 5,000 tokens, likely 50 (5 each, as 4 answers to this route had).\n" in said.out, said
    assert "Answers of this route have used 5 tokens on average, and max_tokens allows 500." in said.out
    with snapshot(house.state) as past:
        assert answered(past, "reviews", "fake", "small") == (4, 20)
        assert answered(past, "reviews", "fake", "other") == (0, 0)
        assert answered(past, "other", "fake", "small") == (0, 0)
        assert answered(past, "reviews", "other", "small") == (0, 0)


def test_answers_that_were_delivered_again_are_not_counted_twice(tmp_path: Path) -> None:
    house = House(tmp_path / "house", service=reviews_service())
    for name in ("reviews/may.csv", "reviews/again.csv"):
        house.run(name, ["good", "fine"])
    with snapshot(house.state) as past:
        assert answered(past, "reviews", "fake", "small") == (2, 10)


def test_a_state_that_cannot_be_looked_at_keeps_nobody_from_estimating(tmp_path: Path) -> None:
    house, config = past_of(tmp_path)
    with database(house) as connection:
        connection.execute("PRAGMA user_version = 999")
    said = here("estimate", file_of(tmp_path, "good"), config=config)
    assert said.status == 0
    assert "half of it, since no job of this route has finished yet" in said.out


def test_what_past_batches_used_corrects_the_count(tmp_path: Path) -> None:
    house, config = past_of(tmp_path)
    path = file_of(tmp_path, "It came late", "The box was broken")
    with database(house) as connection:
        connection.execute("UPDATE calibration SET estimated = 0, actual = 0")
    before = here("estimate", path, "--json", config=config).json()
    with database(house) as connection:
        connection.execute("UPDATE calibration SET estimated = 100000000, actual = 200000000")
    after = here("estimate", path, "--json", config=config).json()
    assert after["tokens"]["correction"] == pytest.approx(2, rel=0.001)
    assert after["models"][0]["input_tokens"] == 2 * before["models"][0]["input_tokens"]
    assert (
        "times 2.00, since past batches used more or fewer tokens than counted"
        in here("estimate", path, config=config).out
    )


# --- budgets -------------------------------------------------------------------------------------------------------


def limited(config: Path, budget: str, *changes: tuple[str, str]) -> Path:
    """The configuration with a budget."""
    return changed(config, (PRICES, f"{PRICES}\n[budget]\n{budget}\n"), *changes)


def test_a_budget_that_would_not_let_it_go_is_told(config: Path) -> None:
    path = file_of(config.parent, *[f"review {number}" for number in range(1_000)])
    limited(config, "per_job = 0.1\nper_month = 5")
    said = here("estimate", path, config=config)
    assert said.status == 6
    assert said.out.endswith("It would be held: it can cost at most 0.26875 USD, and [budget] per_job allows 0.10.\n")
    record = json.loads(here("estimate", path, "--json", config=config).out)
    assert record["held"]
    assert record["refusal"] == {
        "code": "per_job",
        "reason": "it can cost at most 0.26875 USD, and [budget] per_job allows 0.10",
        "passes": False,
    }
    # Another model would do, but it is the route's that counts.
    assert here("estimate", path, *asked("gpt-4o-mini"), config=config).status == 6
    changed(config, ("per_job = 0.1", "per_job = 0.26875"))
    assert here("estimate", path, config=config).status == 0


def test_the_budget_of_the_route_is_told(config: Path) -> None:
    path = file_of(config.parent, "good")
    limited(config, "per_job = 9\n[routes.reviews.budget]\nper_day = 2.5")
    said = here("estimate", path, config=config)
    assert said.status == 0
    assert (
        "It fits into the budget: [budget] per_job allows 9.00 USD; [routes.reviews.budget] per_day allows 2.50 USD, "
        "of which 2.50 USD are left today.\n"
    ) in said.out
    assert json.loads(here("estimate", path, "--json", config=config).out)["limits"] == [
        {"limit": "[budget] per_job", "allowed": 9.0, "left": 9.0},
        {"limit": "[routes.reviews.budget] per_day", "allowed": 2.5, "left": 2.5},
    ]
    changed(config, ("per_day = 2.5", "per_day = 0.000001"))
    said = here("estimate", path, config=config)
    assert said.status == 6
    assert "[routes.reviews.budget] per_day allows" in said.out


def test_a_job_that_has_only_to_wait_is_said_to_wait(config: Path) -> None:
    limited(config, 'per_day = 0.000001\nbeyond = "wait"')
    said = here("estimate", file_of(config.parent, "good"), config=config)
    assert said.status == 6
    assert "It would be held: it can cost at most" in said.out, "it does not fit into an empty day"


def test_what_is_spent_and_promised_today_counts(tmp_path: Path) -> None:
    house, config = past_of(tmp_path)
    path = file_of(tmp_path, "good")
    config.write_text(config.read_text() + '[budget]\ncurrency = "EUR"\nper_day = 1000\nbeyond = "wait"\n')
    assert here("estimate", path, config=config).status == 0
    with database(house) as connection:
        connection.execute("UPDATE spending SET at = unixepoch(), cost = 999.9999 * 1e12 WHERE first = 0")
    said = here("estimate", path, config=config)
    assert said.status == 6
    assert (
        "It would wait: it can cost at most 0.001511 EUR, and of the 1000.00 that [budget] per_day allows" in said.out
    )


def test_a_service_that_was_found_to_have_no_batches_counts_at_live_prices(tmp_path: Path) -> None:
    house, config = past_of(tmp_path)
    path = file_of(tmp_path, "good")
    text = config.read_text().replace("output = 3\n", "output = 3\nbatch_discount = 0.5\n")
    config.write_text(text + '[budget]\ncurrency = "EUR"\nper_job = 0.001\n')
    assert here("estimate", path, config=config).status == 0
    with database(house) as connection:
        connection.execute("INSERT INTO found_lanes VALUES ('fake', 'http://127.0.0.1:9/v1', 'live', unixepoch())")
    said = here("estimate", path, config=config)
    assert said.status == 6
    assert "it can cost at most 0.001511 EUR" in said.out


def test_answers_without_a_limit_are_within_no_budget(config: Path) -> None:
    limited(config, "per_job = 1000", ("{ max_tokens = 50 }", "{}"))
    said = here("estimate", file_of(config.parent, "good"), config=config)
    assert said.status == 6
    assert "It would be held: 1 of its requests set no limit to their answers" in said.out


def test_with_a_budget_an_unknown_price_holds_the_job(config: Path) -> None:
    changed(config, (PRICES, "\n[budget]\nper_month = 1000\n"), ('model = "gpt-4o"', 'model = "my-own"'))
    said = here("estimate", file_of(config.parent, "good"), config=config)
    assert said.status == 6
    assert "It would be held: it is not known whether it is within the budget. The price of the model" in said.out
    assert said.out.count('Add [providers.openai.prices."my-own"]') == 1


def test_a_budget_of_zero_lets_through_what_is_free(config: Path) -> None:
    limited(config, "per_job = 0")
    path = file_of(config.parent, "good")
    assert here("estimate", path, config=config).status == 6
    changed(config, ("input = 2.50\noutput = 10.00", "input = 0\noutput = 0"))
    assert here("estimate", path, config=config).status == 0


def test_the_most_is_what_the_daemon_takes_it_for(tmp_path: Path) -> None:
    """The same file, estimated and then dropped: to the last grain, before a count was ever compared and after."""
    house = House(
        tmp_path / "house",
        service=reviews_service(),
        routes=(replace(HOUSE_ROUTE, part_rows=10_000, params={"max_tokens": 50}),),
        prices={"small": Price(Decimal("0.37"), Decimal("1.13"))},
        budget=SpendingLimits(currency="EUR"),
    )
    house.config.write_text(
        '[budget]\ncurrency = "EUR"\n[providers.fake]\nplugin = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
        'api_key = "env:NONE"\n[providers.fake.prices.small]\ninput = 0.37\noutput = 1.13\n'
        '[routes.reviews]\nprovider = "fake"\nmodel = "small"\nparams = { max_tokens = 50 }\n'
        'prompt = { plugin = "template", user = "Review: {{ review }}" }\n'
    )
    for month in ("may", "june"):
        reviews = [f"{month} {number} it came late" for number in range(40)]
        path = file_of(tmp_path, *reviews, name=f"{month}.csv")
        [own] = here("estimate", path, "--json", config=house.config).json()["models"]
        job = house.run(f"reviews/{month}.csv", reviews)
        with database(house) as connection:
            [[stored]] = connection.execute("SELECT estimated_cost FROM jobs WHERE id = ?", (job,)).fetchall()
        assert round(own["batch"]["most"] * UNIT) == stored


# --- how -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_on_a_terminal_it_is_a_table(config: Path) -> None:
    path = file_of(config.parent, "good", "bad")
    lines = plain(shown("--config", config, "estimate", path, *asked("holysheep/gpt-4.1", "holysheep/x"), columns=100))
    head = next(line for line in lines if "at most" in line and "saves" in line)
    assert head.split() == ["model", "batch", "at", "most", "live", "saves"]
    rows = [line.split() for line in lines if line.strip().startswith(("openai/", "holysheep/"))]
    assert [row[0] for row in rows] == ["openai/gpt-4o", "holysheep/gpt-4.1", "holysheep/x"]
    assert rows[0][-2:] == ["50", "%"]
    assert rows[2][1:] == ["unknown"] * 3
    assert any("in USD, the cheapest first" in line for line in lines)
    narrow = plain(shown("--config", config, "estimate", path, columns=40))
    assert all(len(line.rstrip()) <= 40 for line in narrow)


@pytest.mark.slow
def test_nobody_is_called_and_openai_is_not_imported(config: Path) -> None:
    file_of(config.parent, "good")
    for arguments in (
        ("estimate", "may.csv", "--all", "--model", "holysheep/gpt-4.1"),
        ("estimate", "--requests", "1", "--input", "1", "--output", "1", "--all"),
    ):
        assert "openai" not in imported_by(config.parent, *arguments)


@pytest.mark.slow
def test_the_operators_prices_are_enough_without_the_published_ones(config: Path) -> None:
    modules = imported_by(
        config.parent, "estimate", "--requests", "1", "--input", "1", "--output", "1", *asked(*COMPARED)
    )
    assert "genai_prices" not in modules


def test_it_works_without_the_vocabularies(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splintr", None)
    tokens.tokenizer_of.cache_clear()
    try:
        said = here("estimate", file_of(config.parent, "good", "bad"), config=config)
    finally:
        tokens.tokenizer_of.cache_clear()
    assert "tokens, estimated from bytes (pip install 'batchd[tokens]' counts them)." in said.out


@pytest.mark.slow
def test_nothing_is_left_behind(config: Path) -> None:
    path = file_of(config.parent, "good")
    before = {each: each.stat().st_mtime_ns for each in config.parent.rglob("*")}
    folder = config.parent / "tmp"
    folder.mkdir()
    said = process("estimate", path, cwd=config.parent, TMPDIR=str(folder))
    assert said.status == 0, said
    assert list(folder.iterdir()) == []
    assert {each: each.stat().st_mtime_ns for each in config.parent.rglob("*") if each != folder} == before


# --- other prices of live calls ------------------------------------------------------------------------------------


def test_the_likely_cost_of_live_calls_is_that_of_now_and_of_the_tier_of_the_route(config: Path) -> None:
    def live(*lanes: str) -> tuple[float, float]:
        config.write_text(PROVIDERS + f"lanes = [{', '.join(lanes)}]\n" + PRICES + ROUTE)
        config.write_text(config.read_text().replace('provider = "openai"', 'provider = "holysheep"'))
        changed(config, ('model = "gpt-4o"', 'model = "gpt-4.1"'), ("max_tokens = 50", 'max_tokens = 50, tier = "x"'))
        said = here("estimate", str(file), "--json", config=config)
        [each] = json.loads(said.out)["models"]
        return each["live"]["likely"], each["live"]["most"]

    file = file_of(config.parent, "good", "bad")
    likely, most = live()
    halved = live('{ name = "cheap", discount = 0.5, hours = ["Mon-Sun"] }')
    assert halved == (pytest.approx(likely / 2), most), "at most the highest price of the week"
    assert live('{ name = "x", discount = 0.5, params = { tier = "x" } }') == pytest.approx((likely / 2, most / 2))
    assert live('{ name = "y", discount = 0.5, params = { tier = "y" } }') == (likely, most)

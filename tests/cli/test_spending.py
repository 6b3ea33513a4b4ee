"""`batchd spending` and `batchd approve`: what was spent, and letting go on what is held."""

from __future__ import annotations

import csv
import io
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.status.spending import usual_beginning
from batchd.values import replace

from .cli_kit import CONFIG, ROUTE, House, drain, finished_house, here, reviews_service

# Four answers of 10 tokens in and 5 out, at half of 1000 and 3000 EUR a million: 0.05 EUR.
COST = 0.05


def test_nothing_was_spent(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    said = here("spending", config=house.config)
    assert (said.status, said.out) == (0, "Nothing was spent in that time.\n")
    assert here("spending", "--json", config=house.config).json() == []


@pytest.mark.parametrize(
    ("by", "name"),
    [
        ("day", time.strftime("%Y-%m-%d", time.gmtime(time.time() - 7_200))),
        ("month", time.strftime("%Y-%m", time.gmtime(time.time() - 7_200))),
        ("route", "reviews"),
        ("model", "fake/small"),
        ("provider", "fake"),
    ],
)
def test_sums_agree_with_the_report(tmp_path: Path, by: str, name: str) -> None:
    house, _ = finished_house(tmp_path / "house")
    [record] = here("spending", "--by", by, "--json", config=house.config).json()
    assert record == {
        by: name,
        "answers": 4,
        "input_tokens": 40,
        "cached_input_tokens": 0,
        "output_tokens": 20,
        "wasted_input_tokens": 0,
        "wasted_output_tokens": 0,
        "cost": COST,
        "wasted_cost": 0.0,
        "live_price": 2 * COST,
        "currency": "EUR",
        "answers_of_unknown_price": 0,
        "answers_of_estimated_usage": 0,
    }
    report = house.report("reviews/may.report.json")["cost"]
    assert (report["actual"], report["live_price"]) == (COST, 2 * COST)


def test_hundreds_of_millions_of_a_small_unit_are_summed(tmp_path: Path) -> None:
    """In trillionths not even one of these answers fits into the database."""
    prices = {"small": Price(Decimal(0), Decimal(60_000_000_000_000))}  # 300 million an answer
    house = House(tmp_path / "house", service=reviews_service(), prices=prices, budget=SpendingLimits(currency="VND"))
    house.config.write_text(CONFIG.replace('"EUR"', '"VND"'))
    job = house.run("reviews/may.csv", [f"good {row}" for row in range(7)])
    [record] = here("spending", "--json", config=house.config).json()
    assert (record["cost"], record["live_price"], record["currency"]) == (2.1e9, 2.1e9, "VND")
    assert ": 2100000000.00 VND (7 answers," in here("spending", config=house.config).out
    assert "2100000000.00 VND" in here("status", job, config=house.config).out
    house.config.write_text(CONFIG)  # in EUR from now on, and the job was paid in VND all the same
    assert "2100000000.00 VND" in here("status", job, config=house.config).out
    assert ", 2100000000.00 VND," in here("status", config=house.config).out
    [shown] = here("status", "--json", config=house.config).json()["jobs"]
    assert (shown["cost"]["so_far"], shown["cost"]["currency"]) == (2.1e9, "VND")


def test_what_is_used_of_each_limit_is_told(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    budgets = {"routes.reviews": "per_day = 0.2", "routes.other": "per_month = 1"}
    text = "".join(f"[{name}.budget]\n{limit}\n" for name, limit in budgets.items())
    house.config.write_text(house.config.read_text().replace("[budget]\n", "[budget]\nper_month = 3\n") + text)
    now = datetime.now(tz=UTC).timestamp()
    with closing(sqlite3.connect(house.state / "batchd.db")) as database, database:
        database.execute("UPDATE spending SET at = ?", (now,))
    said = here("spending", "--by", "route", config=house.config)
    assert said.out.splitlines()[-3:] == [
        "[budget] per_month: 0.05 EUR of 3.00 EUR are spent this month.",
        "[routes.reviews.budget] per_day: 0.05 EUR of 0.20 EUR are spent today.",
        "[routes.other.budget] per_month: 0.00 EUR of 1.00 EUR are spent this month.",
    ]
    records = here("spending", "--by", "route", "--json", config=house.config).json()
    assert {each["route"]: (each["answers"], each["limits"]) for each in records} == {
        "reviews": (4, [{"limit": "[routes.reviews.budget] per_day", "allowed": 0.2, "spent": 0.05, "reserved": 0.0}]),
        "other": (0, [{"limit": "[routes.other.budget] per_month", "allowed": 1.0, "spent": 0.0, "reserved": 0.0}]),
    }


def test_by_job_it_is_named_with_its_file(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    said = here("spending", "--by", "job", config=house.config)
    assert said.out == (f"{job} reviews/may.csv: 0.05 EUR (4 answers, 40 tokens in, 20 out, 0.10 EUR live)\n")


def test_as_csv(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    [row] = csv.DictReader(io.StringIO(here("spending", "--by", "route", "--csv", config=house.config).out))
    assert (row["route"], row["cost"], row["currency"]) == ("reviews", "0.05", "EUR")


def test_as_csv_the_columns_are_there_without_a_row(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    some = here("spending", "--csv", config=house.config).out
    none = here("spending", "--csv", "--since", "1h", config=house.config).out
    assert none == some.splitlines(keepends=True)[0]


def test_an_unknown_price_is_not_zero(tmp_path: Path) -> None:
    house = House(tmp_path / "house", service=reviews_service(), prices={})
    house.run("reviews/may.csv", ["good"])
    [record] = here("spending", "--json", config=house.config).json()
    assert (record["cost"], record["answers_of_unknown_price"], record["currency"]) == (None, 1, None)
    assert (
        "unknown (1 answer, 10 tokens in, 5 out, 1 answer of unknown price)"
        in here("spending", config=house.config).out
    )


def test_what_was_spent_before_is_not_counted(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    assert here("spending", "--since", "1h", "--json", config=house.config).json() == []
    assert here("spending", "--since", "2000-01-01", "--json", config=house.config).json() != []


@pytest.mark.parametrize(("by", "beginning"), [("day", "12-16 00"), ("job", "12-16 00"), ("month", "12-01 00")])
def test_what_is_shown_unless_said_otherwise_are_whole_days_and_months(by: str, beginning: str) -> None:
    since = usual_beginning(by, 1_800_000_000.0)  # 2027-01-15 08:00 UTC
    assert datetime.fromtimestamp(since, UTC).strftime("%m-%d %H") == beginning


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "-3d"])
def test_a_time_that_is_none_is_refused_in_words(tmp_path: Path, since: str) -> None:
    house = House(tmp_path / "house")
    said = here("spending", "--since", since, config=house.config)
    assert said.status == 2
    assert "is neither a day such as" in said.err


def held_house(folder: Path) -> tuple[House, str]:
    """One job that may cost more than it should."""
    route = replace(ROUTE, params={"max_tokens": 5})
    budget = SpendingLimits(currency="EUR", overall=Ceilings(per_job=UNIT // 1_000))
    house = House(folder, service=reviews_service(), routes=(route,), budget=budget)
    return house, house.run("reviews/may.csv", ["good", "fine"])


def test_a_held_job_shows_what_it_would_cost_and_what_to_do(tmp_path: Path) -> None:
    house, job = held_house(tmp_path / "house")
    said = here("status", job, config=house.config).out
    assert f"batchd approve {job}" in said
    assert "[budget] per_job allows 0.001" in said
    [record] = here("status", "--json", config=house.config).json()["jobs"]
    assert (record["state"], record["reason_code"]) == ("held", "per_job")


def test_approved_it_goes_on_at_the_next_start(tmp_path: Path) -> None:
    house, job = held_house(tmp_path / "house")
    said = here("approve", "may.csv", "--up-to", "5", config=house.config)
    assert (said.status, "The order is kept in" in said.out) == (0, True)
    house.live(drain)
    [record] = here("status", "--json", config=house.config).json()["jobs"]
    assert (record["id"], record["state"]) == (job, "done")
    assert "Approved: up to 5.00 EUR in all." in here("events", job, config=house.config).out


def test_who_left_an_amount_that_is_too_small_finds_that_in_the_story(tmp_path: Path) -> None:
    house, job = held_house(tmp_path / "house")
    assert here("approve", "may.csv", "--up-to", "0.001", config=house.config).status == 0
    house.live(drain)
    story = here("events", job, config=house.config).out
    assert f"Could not approve: Job {job} can cost at most " in story
    assert "It is still held." in story


@pytest.mark.parametrize("amount", ["much", "-1", "nan", "inf", "1e999999"])
def test_an_amount_that_is_none_is_refused(tmp_path: Path, amount: str) -> None:
    house, _ = held_house(tmp_path / "house")
    said = here("approve", "may.csv", "--up-to", amount, config=house.config)
    assert said.status == 2
    assert "Write an amount of money such as 12.50." in said.err

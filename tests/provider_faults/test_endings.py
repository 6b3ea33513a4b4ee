"""The ways in which a whole batch ends other than well: what was answered is kept, the rest is asked again."""

from __future__ import annotations

from collections import Counter

import pytest

from ..engine.conftest import csv_of, route
from .conftest import NINE, MakePair, Pair, told

pytestmark = [pytest.mark.slow, pytest.mark.field("batches that end oddly")]

HOUR = 3_600.0


def requests(ledger: dict) -> list[int]:
    """How many requests each batch held."""
    return [batch["requests"] for batch in ledger["batches"]]


async def test_completed_without_an_output_file_since_every_row_was_refused(make_pair: MakePair) -> None:
    pair = await make_pair("batch:no-output:status=400")
    await pair.ask()
    ledger = await pair.paid()
    assert pair.statuses() == ["failed"] * 9
    assert (ledger["create_calls"], ledger["requests_executed"]) == (1, 0)
    [failure] = pair.household.report("reviews/may.report.json")["failures"]
    assert (failure["code"], failure["rows"]) == ("invalid_request", 9)


@pytest.mark.parametrize("lie", [[], ["batch:counts-lie"], ["batch:empty-ids"]], ids=str)
async def test_completed_without_an_output_file_since_every_row_failed_for_now(
    make_pair: MakePair, lie: list[str]
) -> None:
    pair = await make_pair("batch:no-output:status=500", *lie)
    await pair.ask()
    ledger = await pair.all_well()
    assert sum(requests(ledger)) == 9 + 9


async def test_completed_with_no_file_at_all(make_pair: MakePair) -> None:
    pair = await make_pair("batch:no-files")
    before = pair.household.clock.steady()
    await pair.ask()
    ledger = await pair.all_well()
    assert pair.household.clock.steady() - before > HOUR, "files may be named late, and to ask again costs"
    assert sum(requests(ledger)) == 9 + 9


@pytest.mark.parametrize("end", ["expired", "cancelled"])
@pytest.mark.parametrize(("fraction", "kept"), [(0, 0), (0.5, 4), (1, 9)])
async def test_what_was_answered_before_the_end_is_kept_and_the_rest_asked_again(
    make_pair: MakePair, end: str, fraction: float, kept: int
) -> None:
    pair = await make_pair(f"batch:{end}:fraction={fraction}")
    await pair.ask()
    ledger = await pair.all_well()
    assert (ledger["batches"][0]["status"], ledger["batches"][0]["executed"]) == (end, kept)
    assert sum(requests(ledger)[1:]) == 9 - kept


async def test_lines_that_a_failed_batch_names_fail_and_the_others_go_on(make_pair: MakePair) -> None:
    pair = await make_pair("batch:failed-lines:lines=2+6,code=content_filter")
    await pair.ask()
    ledger = await pair.paid()
    assert pair.statuses() == ["ok", "failed", "ok", "ok", "ok", "failed", "ok", "ok", "ok"]
    assert (ledger["requests_executed"], ledger["distinct"]) == (7, 7)
    [failure] = pair.household.report("reviews/may.report.json")["failures"]
    assert (failure["code"], failure["rows"], failure["first_row"]) == ("content_filter", 2, 1)


async def test_a_row_that_sinks_its_batch_without_being_named_is_found_by_halving(make_pair: MakePair) -> None:
    pair = await make_pair("batch:failed:marker=poison,code=input_error")
    await pair.ask(["fine", "well", "so so", "good", "poison", "late", "great", "nice", "odd"])
    ledger = await pair.paid()
    assert pair.statuses() == ["ok"] * 4 + ["failed"] + ["ok"] * 4
    assert (ledger["requests_executed"], ledger["distinct"]) == (8, 8)
    assert "does not say which line" in pair.rows()[4]["error"]
    # The whole, its three parts, two halves of one of them, and at most one more cut.
    assert ledger["create_calls"] <= 1 + 3 + 2 + 2


async def test_a_batch_that_a_restarted_gateway_lost_is_sent_again_whole(make_pair: MakePair) -> None:
    pair = await make_pair("batch:failed:code=runner_lost,count=3")
    await pair.ask()
    ledger = await pair.all_well()
    assert ledger["create_calls"] == 4
    assert [batch["status"] for batch in ledger["batches"]] == ["failed"] * 3 + ["completed"]
    assert ledger["batches"][-1]["requests"] == 9, "in one piece"
    assert "PartSplit" not in pair.told


async def test_a_row_that_breaks_its_service_down_each_time_is_suspected_in_the_end(make_pair: MakePair) -> None:
    pair = await make_pair("batch:failed:code=runner_lost,marker=poison")
    before = pair.household.clock.steady()
    await pair.ask(["fine", "well", "so so", "good", "poison", "late"])
    ledger = await pair.paid()
    assert pair.statuses() == ["ok"] * 4 + ["failed"] + ["ok"]
    assert (ledger["requests_executed"], ledger["distinct"]) == (5, 5)
    assert [batch["requests"] for batch in ledger["batches"][:6]] == [0] * 6, "refused whole, six times"
    assert pair.household.clock.steady() - before > 15 + 30 + 60 + 120 + 240, "with pauses that grow"


async def test_a_batch_whose_id_vanishes_is_asked_again_after_an_hour(make_pair: MakePair) -> None:
    pair = await make_pair("batch:vanish")
    before = pair.household.clock.steady()
    await pair.ask()
    ledger = await pair.all_well()
    assert HOUR < pair.household.clock.steady() - before < 1.3 * HOUR, "once is enough"
    assert ledger["create_calls"] == 2
    [first, _] = [event for event in pair.household.events if event.kind == "BatchEnded"]
    assert "has not known this batch for an hour" in first.sentence


# --- the limit of enqueued tokens ------------------------------------------------------------------------------------


async def two_jobs_at_once(pair: Pair) -> None:
    """Two files of one model under way together."""
    for name in ("may", "june"):
        pair.household.drop(f"reviews/{name}.csv", csv_of([f"{each} of {name}" for each in NINE]))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)


async def test_a_limit_of_enqueued_tokens_paces_all_jobs_of_the_model(make_pair: MakePair) -> None:
    # Some nine tokens a request by the service's count: six of eighteen at a time.
    pair = await make_pair(sandbox={"max_enqueued_tokens": 60, "latency": 0.2}, routes=(route(part_rows=2),))
    await two_jobs_at_once(pair)
    ledger = await pair.paid()
    for name in ("may", "june"):
        assert pair.statuses(name) == ["ok"] * 9
    assert (ledger["requests_executed"], ledger["distinct"]) == (18, 18)
    statuses = Counter(batch["status"] for batch in ledger["batches"])
    refused = [event for event in pair.household.events if event.kind == "BatchReturned"]
    assert statuses["failed"] == len(refused)
    assert all("Limit: 60 enqueued tokens" in event.data()["reason"] for event in refused)
    # Learnt after a few refusals; without pacing each job would run into the limit with every batch of its own.
    assert 1 <= len(refused) <= 6
    assert max(batch["requests"] for batch in ledger["batches"] if batch["status"] == "completed") <= 6


async def test_another_model_is_not_paced_by_it(make_pair: MakePair) -> None:
    large = route(name="large", match=("large/**",), model="large")
    pair = await make_pair("batch:token-limit:limit=60", routes=(route(), large))
    for folder in ("reviews", "large"):
        pair.household.drop(f"{folder}/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: told(pair, "BatchReturned"))
        quotas, steady = daemon.context.quotas, daemon.context.clock.steady()
        [paused] = [model for model in ("small", "large") if quotas.paused_until(("fake", model)) > steady]
        other = {"small": "large", "large": "small"}[paused]
        assert (quotas.limit(("fake", paused), None) or 0) <= 60
        assert quotas.limit(("fake", other), None) is None
        await pair.drain(daemon)
    ledger = await pair.paid()
    assert ledger["requests_executed"] == 18

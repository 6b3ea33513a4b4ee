"""An account or a route that the service refuses, through a whole daemon: what it costs, what people read, what follows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from batchd.app.once import RunOutcome
from batchd.contracts import Limits
from batchd.domain.lifecycle import BatchAction, Plan, Submit, Upload
from batchd.domain.records import JobState
from batchd.domain.routing import PluginSpec, Route
from batchd.domain.subjects import Subject
from batchd.store.reading.snapshot import snapshot
from batchd.values import replace
from batchd_sandbox.refusals import ACCOUNT_REASONS

from ..cases import EVERY_CASE, share
from ..engine.conftest import csv_of
from ..engine.test_faults import order
from .conftest import KEY, MakePair, Pair

ACCOUNT, ROUTE = pytest.mark.field("account refusals"), pytest.mark.field("route refusals")
FORTY = [f"review {number}" for number in range(40)]
FAKE = Subject.provider("fake")
TEMPLATE = Route(
    name="reviews",
    match=("reviews/**",),
    provider="fake",
    model="sandbox-small",
    prompt=PluginSpec("template", {"user": "{{ review }}", "system": "Be brief."}),
)


def calls(pair: Pair) -> Counter[str]:
    """How often it was tried to upload and to create."""
    return Counter(type(action).__name__ for action in pair.done if isinstance(action, Upload | Submit))


async def refused_for_an_hour(pair: Pair, rows: list[str]) -> None:
    """Drop a file, let half a minute go by, then lift the refusal; the next try is asked for by an order."""
    house = pair.household
    house.drop("reviews/may.csv", csv_of(rows))
    async with house.living() as daemon:
        await daemon.take_in()
        begin = house.clock.steady()

        async def waiting() -> bool:
            return bool(daemon.context.accounts.blocked())

        async def over() -> bool:
            return house.clock.steady() > begin + 100

        await pair.until(daemon, waiting)
        said = (await daemon.context.store.event_log.conditions())[FAKE]
        assert "Jobs wait" in said
        assert "batchd retry" in said
        assert max(calls(pair).values()) <= 3, "one, and its two halves"
        await pair.until(daemon, over)
        assert max(calls(pair).values()) <= 3 + 2, "and two gentle tries"
        assert all(
            part.attempt - part.excused == 1 for part in await daemon.context.store.jobs.parts(await job_of(pair))
        )
        await pair.sandbox.lift()
        await pair.drain(daemon)
        assert await daemon.context.store.event_log.conditions() == {}


async def job_of(pair: Pair) -> str:
    """The one job."""
    [event] = [event for event in pair.household.events if event.kind == "JobClaimed"][:1]
    assert event.job is not None
    return event.job


@ACCOUNT
@pytest.mark.slow
@pytest.mark.parametrize(
    ("reason", "where"),
    share(
        (reason, where)
        for number, reason in enumerate(sorted(ACCOUNT_REASONS.keys() - {"unexplained"}))
        for place, where in enumerate(["upload", "create", "batch", "line"])
        # Each reason at one place, and half of them in each run, at all places; `make field` has them all.
        if EVERY_CASE or number // 2 % 4 == place
    ),
)
async def test_an_account_that_is_refused_costs_few_calls_and_no_attempt(
    make_pair: MakePair, where: str, reason: str
) -> None:
    pair = await make_pair(f"{where}:account:reason={reason}", limits=Limits(max_requests=10))
    await refused_for_an_hour(pair, FORTY)
    await pair.all_well(40)


@ACCOUNT
@pytest.mark.slow
@pytest.mark.parametrize("where", ["upload", "create", "batch"])
async def test_a_refusal_that_two_halves_get_alike_is_no_rows_fault(make_pair: MakePair, where: str) -> None:
    pair = await make_pair(f"{where}:account:reason=unexplained")
    await refused_for_an_hour(pair, FORTY)
    await pair.all_well(40)


@ACCOUNT
@pytest.mark.slow
async def test_an_order_to_retry_tries_at_once(make_pair: MakePair) -> None:
    pair = await make_pair("upload:account:reason=storage")
    house = pair.household
    house.drop("reviews/may.csv", csv_of(FORTY))
    async with house.living() as daemon:
        await daemon.take_in()

        async def blocked() -> bool:
            return bool(daemon.context.accounts.blocked())

        await pair.until(daemon, blocked)
        await pair.sandbox.lift()
        now = house.clock.steady()
        await order(daemon, "retry", await job_of(pair))

        async def tried() -> bool:
            return calls(pair)["Upload"] == 2

        await pair.until(daemon, tried)
        assert house.clock.steady() == now
        await pair.drain(daemon)
    await pair.all_well(40)


@ROUTE
@pytest.mark.parametrize(
    ("param", "params", "prompt", "advice"),
    [
        (
            "max_tokens",
            {"max_tokens": 50},
            {},
            "Change `max_tokens` to `max_completion_tokens` in [routes.reviews.params]",
        ),
        ("temperature", {"temperature": 0}, {}, "Change `temperature`, or take it out, in [routes.reviews.params]"),
        ("role", {}, {}, 'Set `system_role = "user"` (or "developer") in [routes.reviews.prompt]'),
        (
            "response_format",
            {},
            {"schema": {"properties": {"mood": {"type": "string"}}}},
            'Set `schema_mode = "json_object"` (or "prompt") in [routes.reviews.prompt]',
        ),
    ],
)
@pytest.mark.slow
async def test_a_key_that_the_model_does_not_have_stops_the_job_after_one_batch(
    make_pair: MakePair, param: str, params: dict[str, object], prompt: dict[str, object], advice: str
) -> None:
    spec = PluginSpec("template", {**TEMPLATE.prompt.settings, **prompt})
    route = replace(TEMPLATE, params=params, prompt=spec, part_rows=10)
    pair = await make_pair(f"line:param:param={param}", routes=[route], limits=Limits(max_requests=10))
    house = pair.household
    house.drop("reviews/may.csv", csv_of(FORTY[:20] * 2))
    async with house.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
        job = await daemon.context.store.jobs.get(await job_of(pair))
        assert (job.state, job.reason_code) == (JobState.FAILED, "provider_refused")
        assert advice in str(job.reason)
        assert f"batchd retry {job.id}" in str(job.reason)
        assert calls(pair) == {"Upload": 1, "Submit": 1}
        await pair.sandbox.lift()
        changed = replace(route, params={}, prompt=PluginSpec("template", {**spec.settings, "system_role": "user"}))
        daemon.reconfigure(routes=(changed,))
        await order(daemon, "retry", job.id)
        await pair.drain(daemon)
        after = await daemon.context.store.jobs.get(job.id)
    assert after.route.params == {}
    assert pair.statuses() == ["ok"] * 40
    # By the new route no row is known to get the answer of another one.
    assert (await pair.sandbox.ledger())["requests_executed"] == 40


@ACCOUNT
@pytest.mark.slow
async def test_a_limit_that_a_refusal_names_is_learnt_kept_and_filled(make_pair: MakePair) -> None:
    pair = await make_pair(routes=[TEMPLATE], sandbox={"max_requests": 25})
    rows = [f"review {number}" for number in range(200)]
    pair.household.drop("reviews/may.csv", csv_of(rows))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
    assert calls(pair)["Submit"] == 1 + 8, "one is refused, and the rest are full"
    with snapshot(pair.household.folder / "state") as look:
        assert [(each.model, each.requests) for each in look.limits()] == [("sandbox-small", 25)]
    before = calls(pair)["Submit"]
    await pair.ask(rows[:100], name="june")
    assert calls(pair)["Submit"] - before == 4, "the next life knows it"
    assert Counter(pair.statuses("june")) == {"ok": 100}


@ACCOUNT
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.slow
async def test_rows_that_met_a_fault_of_the_service_are_asked_again_after_a_pause_that_grows(
    make_pair: MakePair, status: int
) -> None:
    pair = await make_pair(f"line:{status}:lines=1-9,count=2")
    house, times = pair.household, []
    house.drop("reviews/may.csv", csv_of([f"review {number}" for number in range(9)]))
    async with house.living() as daemon:
        await daemon.take_in()
        while (action := await pair.step(daemon)) is not None:
            if isinstance(action, Submit):
                times.append(house.clock.steady())
    assert len(times) == 3
    assert times[1] - times[0] >= 15
    assert times[2] - times[1] >= 45
    await pair.all_well(9)


@ROUTE
async def test_a_job_without_an_answer_counts_as_failed(make_pair: MakePair) -> None:
    pair = await make_pair("line:400:code=content_policy_violation,lines=1-9")
    await pair.ask()
    report = pair.household.report("reviews/may.report.json")
    assert report["outcome"] == "failed"
    [finished] = [event for event in pair.household.events if event.kind == "JobFinished"]
    assert "No row has an answer" in finished.sentence
    async with pair.household.living() as daemon:
        job = await daemon.context.store.jobs.get(await job_of(pair))
        assert (job.reason_code, job.reason) == ("no_answers", "none of the 9 rows has an answer")
        assert RunOutcome([(job, 9)], interrupted=False).exit_status == 1


@ROUTE
@pytest.mark.slow
async def test_one_batch_goes_ahead_until_it_is_known_that_such_requests_are_answered(make_pair: MakePair) -> None:
    pair = await make_pair(limits=Limits(max_requests=10))
    house = pair.household
    house.drop("reviews/may.csv", csv_of(FORTY))
    async with house.living() as daemon:
        await daemon.take_in()

        async def known() -> bool:
            return bool(daemon.context.proven)

        await pair.until(daemon, known)
        assert calls(pair) == {"Upload": 1, "Submit": 1}
        await pair.drain(daemon)
    await pair.all_well(40)


@ACCOUNT
async def test_a_new_key_is_tried_at_once(make_pair: MakePair, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    pair = await make_pair("create:account:reason=balance", provider={"api_key": f"file:{key}"})
    house = pair.household
    house.drop("reviews/may.csv", csv_of(FORTY))
    async with house.living() as daemon:
        await daemon.take_in()

        async def blocked() -> bool:
            blocks = daemon.context.accounts.of("fake")
            return any(block.failures == 3 for block in blocks)

        await pair.until(daemon, blocked)
        await pair.sandbox.lift()
        key.write_text(f"{KEY}-2")
        begin = house.clock.steady()
        await pair.drain(daemon)
        assert house.clock.steady() - begin < 60, "the next try was two minutes away"
    await pair.all_well(40)


@ROUTE
@pytest.mark.slow
async def test_what_is_under_way_by_the_old_route_does_not_stop_the_job_again(make_pair: MakePair) -> None:
    route = replace(TEMPLATE, params={"max_tokens": 50}, part_rows=10)
    pair = await make_pair(routes=[route], limits=Limits(max_requests=10), sandbox={"latency": 0.2})
    house = pair.household
    house.drop("reviews/april.csv", csv_of(["one"]))
    house.drop("reviews/may.csv", csv_of(FORTY))
    async with house.living() as daemon:
        await pair.sandbox.order("line:param:param=max_tokens")
        await daemon.context.store.learnt.prove(route.recipe)
        await daemon.take_in()
        while "JobFailed" not in pair.told:
            assert await pair.step(daemon) is not None
        stopped = [event.job for event in house.events if event.kind == "JobFailed"]
        daemon.reconfigure(routes=(replace(route, params={}),))
        for job in stopped:
            await order(daemon, "retry", str(job))
        await pair.drain(daemon)
        # What was under way by the old route when the job went on may stop it once more.
        while waiting := [event.job for event in house.events if event.kind == "JobFailed"][len(stopped) :]:
            stopped += waiting
            for job in waiting:
                await order(daemon, "retry", str(job))
            await pair.drain(daemon)
    assert len(pair.rows()) == 40
    assert len(pair.rows("april")) == 1


@ROUTE
async def test_a_file_that_is_planned_meanwhile_stops_after_one_batch(make_pair: MakePair) -> None:
    route = replace(TEMPLATE, params={"temperature": 1}, part_rows=10)
    pair = await make_pair("line:param:param=temperature", routes=[route], limits=Limits(max_requests=10))
    pair.household.drop("reviews/may.csv", csv_of(FORTY))
    async with pair.household.living() as daemon:
        await daemon.take_in()

        async def the_state() -> JobState:
            return (await daemon.context.store.jobs.get(await job_of(pair))).state

        async def carry_out(*later: type) -> None:
            due = (await daemon.engine.look()).due
            chosen = min(due, key=lambda each: isinstance(each.action, later))
            await daemon.engine.perform(chosen)
            pair.done.append(chosen.action)

        while "Submit" not in calls(pair):
            await carry_out(Plan)
        assert await the_state() is JobState.PLANNING
        pair.household.clock.advance(1.0)
        while await the_state() is JobState.PLANNING:
            await carry_out(BatchAction)
        await pair.drain(daemon)
        assert await the_state() is JobState.FAILED
        assert calls(pair) == {"Upload": 1, "Submit": 1}


@ACCOUNT
@pytest.mark.slow
async def test_batches_refused_together_for_the_queue_teach_its_limit_once(make_pair: MakePair) -> None:
    pair = await make_pair(routes=[TEMPLATE], limits=Limits(max_requests=10), sandbox={"max_enqueued_tokens": 500})
    house = pair.household
    house.drop("reviews/may.csv", csv_of([f"review {number}" for number in range(100)]))
    async with house.living() as daemon:
        await daemon.context.store.learnt.prove(TEMPLATE.recipe)
        await daemon.take_in()
        begin = house.clock.steady()
        await pair.drain(daemon)
        learnt = daemon.context.quotas.of(("fake", "sandbox-small"))
        assert learnt.limit is None or learnt.limit > 200
        assert house.clock.steady() - begin < 120
    await pair.all_well(100)


@ROUTE
async def test_a_key_that_the_files_own_requests_have_is_named_too(make_pair: MakePair) -> None:
    route = replace(TEMPLATE, prompt=PluginSpec("passthrough"))
    pair = await make_pair("line:param:param=top_p", routes=[route])
    lines = [
        {"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for number, body in enumerate([{"messages": [{"role": "user", "content": "Fine."}], "top_p": 0.5}] * 3)
    ]
    pair.household.drop("reviews/may.jsonl", "\n".join(json.dumps(line) for line in lines))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
        job = await daemon.context.store.jobs.get(await job_of(pair))
    assert job.reason_code == "provider_refused"
    assert "Change `top_p` in the requests of the file" in str(job.reason)

"""Hours without the provider, or with a key that it refuses: jobs wait, nothing fails, it is asked gently and said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.contracts import Limits
from batchd.domain.subjects import Subject
from batchd.settings import Secret
from batchd.testing.household import Living

from ..engine.conftest import csv_of
from .conftest import NINE, MakePair, Pair, told

pytestmark = [pytest.mark.slow, pytest.mark.field("outages")]

HOUR = 3_600.0
THREE_AT_A_TIME = Limits(max_requests=3)
GENTLE = 80
"""Calls in five hours: one every five minutes, less some chance, and some more in the first of them."""


async def under_way(pair: Pair, daemon: Living) -> None:
    """A file whose rows are in three batches at the provider."""
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    await daemon.take_in()

    async def submitted() -> bool:
        return pair.told.count("BatchSubmitted") == 3

    await pair.until(daemon, submitted)


async def five_hours(pair: Pair, daemon: Living) -> tuple[str, int]:
    """Let five hours go by, with another file dropped meanwhile: what is said then, and how often they were called."""
    pair.household.drop("reviews/june.csv", csv_of([f"{each} of june" for each in NINE]))
    before = sum((await pair.sandbox.ledger())["calls"].values())
    end = pair.household.clock.steady() + 5 * HOUR
    await daemon.take_in()

    async def over() -> bool:
        return pair.household.clock.steady() >= end

    await pair.until(daemon, over)
    conditions = await daemon.context.store.event_log.conditions()
    assert list(conditions) == [Subject.provider("fake")], "one thing is wrong, and it is said once"
    jobs = [await daemon.context.store.jobs.get(job) for job in await daemon.context.store.jobs.ids()]
    assert {str(job.state) for job in jobs} == {"running"}
    return conditions[Subject.provider("fake")], sum((await pair.sandbox.ledger())["calls"].values()) - before


async def went_on(pair: Pair, daemon: Living) -> None:
    """Everything is finished by itself, nothing was lost and nothing paid twice."""
    await pair.drain(daemon)
    assert await daemon.context.store.event_log.conditions() == {}
    said = [event.sentence for event in pair.household.events if event.kind.startswith("Condition")]
    assert len(said) == 2, said
    ledger = await pair.paid()
    for name in ("may", "june"):
        assert pair.statuses(name) == ["ok"] * 9
    assert (ledger["requests_executed"], ledger["create_calls"]) == (18, 6)


@pytest.mark.parametrize(
    ("fault", "words", "tries"),
    [
        # Each call is tried up to three times within seconds.
        ("all:503", "answered with status 503", 3),
        # And a connection that was open before, and is found to be lost, is opened once more for a question.
        ("all:cut", "broke when", 6),
    ],
)
async def test_a_provider_that_is_down_for_hours_is_waited_for(
    make_pair: MakePair, fault: str, words: str, tries: int
) -> None:
    pair = await make_pair(limits=THREE_AT_A_TIME)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        await pair.sandbox.order(fault)
        said, calls = await five_hours(pair, daemon)
        assert words in said
        assert said.endswith("Trying again until it works; jobs wait.")
        assert calls <= tries * (GENTLE + 10)
        await pair.sandbox.lift()
        await went_on(pair, daemon)


async def test_a_provider_that_nobody_can_reach_is_waited_for(make_pair: MakePair) -> None:
    pair = await make_pair(limits=THREE_AT_A_TIME)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        await pair.sandbox.order("all:refuse:delay=1s")

        async def said() -> bool:
            text = (await daemon.context.store.event_log.conditions()).get(Subject.provider("fake"), "")
            return "cannot be reached: Connection refused" in text

        await pair.until(daemon, said)
        await pair.drain(daemon)
        assert await daemon.context.store.event_log.conditions() == {}
    await pair.all_well()


async def test_one_kind_of_call_that_always_fails_keeps_no_other_waiting(make_pair: MakePair) -> None:
    pair = await make_pair("content:500:count=always", limits=THREE_AT_A_TIME)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        await pair.until(daemon, lambda: told(pair, "ConditionRaised"))
        pair.household.clock.advance(HOUR)
        for _ in range(20):
            await pair.step(daemon)
        # Their own files can be uploaded, created and polled, though nothing comes down any more.
        pair.household.drop("reviews/june.csv", csv_of([f"{each} of june" for each in NINE]))
        before = pair.household.clock.steady()
        await daemon.take_in()

        async def all_ended() -> bool:
            return pair.told.count("BatchEnded") == 6

        await pair.until(daemon, all_ended)
        assert pair.household.clock.steady() - before < HOUR
        await pair.sandbox.lift()
        await pair.drain(daemon)
        assert await daemon.context.store.event_log.conditions() == {}
    ledger = await pair.paid()
    assert (ledger["requests_executed"], ledger["create_calls"]) == (18, 6)


async def test_a_key_that_is_revoked_while_jobs_run_and_restored(make_pair: MakePair) -> None:
    pair = await make_pair(limits=THREE_AT_A_TIME)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        await pair.sandbox.order("auth:401")
        said, calls = await five_hours(pair, daemon)
        assert "refused the key from the configuration file" in said
        assert said.endswith("Jobs wait; nothing is lost.")
        assert calls <= GENTLE, "a refused key is not tried several times at once"
        await pair.sandbox.lift()
        await went_on(pair, daemon)


@pytest.mark.parametrize("kind", ["file", "env", "credential"])
async def test_another_key_counts_from_the_next_call_on(
    make_pair: MakePair, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))

    def hand_out(key: str) -> None:
        (folder / "acme").write_text(key)
        monkeypatch.setenv("ACME_KEY", key)

    hand_out("sk-of-last-year")
    where = {"file": f"file:{folder / 'acme'}", "env": "env:ACME_KEY", "credential": "credential:acme"}[kind]
    keys = {"api_key": "sk-of-this-year", "api_keys": ("sk-of-last-year", "sk-of-this-year")}
    pair = await make_pair(provider={"api_key": where}, sandbox=keys)
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: told(pair, "BatchSubmitted"))
        await pair.sandbox.order("auth:401:marker=of-last-year")
        await pair.until(daemon, lambda: told(pair, "ConditionRaised"))
        said = (await daemon.context.store.event_log.conditions())[Subject.provider("fake")]
        assert f"Put a key there that is valid and may use files and batches; {Secret(where).renewal}." in said
        hand_out("sk-of-this-year")
        await pair.drain(daemon)
        assert await daemon.context.store.event_log.conditions() == {}
    await pair.all_well()


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("file:/etc/key", "no restart is needed"),
        ("env:ACME_KEY", "then start batchd again"),
        ("credential:acme", "then restart the service"),
        ("sk-of-last-year", "then reload the configuration"),
    ],
)
def test_how_another_key_comes_to_count_is_told_as_it_is(reference: str, words: str) -> None:
    assert Secret(reference).renewal == words

"""Answers that expire at the service are fetched before others, and status says until when they can be had."""

from __future__ import annotations

import pytest

from batchd.domain.lifecycle import Fetch
from batchd.model import BatchPhase, BatchStatus
from batchd_openai.keeping import answers_until
from batchd_openai.settings import OpenAISettings

from ..engine.conftest import csv_of
from .conftest import NINE, MakePair, told
from .test_accounts import for_hours, held

pytestmark = pytest.mark.field("people's data")

DAY = 86_400.0
KEPT_AN_HOUR = {"output_expires_after": {"anchor": "created_at", "seconds": 3_600}}
OPENAI = OpenAISettings()
ELSEWHERE = {"base_url": "https://acme.example/v1", "api_key": "sk-any"}


@pytest.mark.parametrize(
    ("file", "settings", "until"),
    [
        ({"expires_at": 5_000}, OPENAI, 5_000.0),
        ({"expires_at": None}, OPENAI, 1_000 + 30 * DAY),
        ({}, OpenAISettings.model_validate(ELSEWHERE), None),
        (
            {},
            OpenAISettings.model_validate({**ELSEWHERE, "extra_body": KEPT_AN_HOUR}),
            4_600.0,
        ),
        ({"expires_at": "soon"}, OpenAISettings.model_validate(ELSEWHERE), None),
        ({"expires_at": 1e400}, OpenAISettings.model_validate(ELSEWHERE), None),
        ({"expires_at": 5_000_000_000_000}, OPENAI, 5_000_000_000.0),
    ],
    ids=str,
)
def test_until_when_they_can_be_had(file: dict[str, object], settings: OpenAISettings, until: float | None) -> None:
    assert answers_until({"completed_at": 1_000, "expires_at": 2}, file, settings) == until


def test_a_batch_without_an_end_says_nothing() -> None:
    assert answers_until({}, {}, OPENAI) is None


@pytest.mark.slow
async def test_what_expires_first_is_fetched_first(make_pair: MakePair) -> None:
    pair = await make_pair(sandbox={"latency": 60.0})
    async with pair.household.living() as daemon:
        for name in ("april", "may", "june"):
            pair.household.drop(f"reviews/{name}.csv", csv_of([f"{each} of {name}" for each in NINE]))
            await daemon.take_in()
            before = pair.told.count("BatchSubmitted")

            async def sent(before: int = before) -> bool:
                return pair.told.count("BatchSubmitted") > before

            await pair.until(daemon, sent)
        store = daemon.context.store.batches
        first, second, third = [batch for batch in await daemon.batches() if batch.remote]
        for batch, until in ((first, None), (second, 9 * DAY), (third, DAY)):
            status = BatchStatus(BatchPhase.COMPLETED, 9, 9, answers_until=until)
            await store.ended(batch, status, 1.0)
        due = [each.action for each in (await daemon.engine.look()).due if isinstance(each.action, Fetch)]
        assert due == [Fetch(third.key), Fetch(second.key), Fetch(first.key)]


@pytest.mark.slow
async def test_status_knows_it_from_the_file(make_pair: MakePair) -> None:
    pair = await make_pair("content:404:count=always")
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: told(pair, "BatchEnded"))
        [batch] = await daemon.batches()
        [file] = [each async for each in pair.sandbox.client.files.list(purpose="batch_output")]
        assert batch.answers_until == file.expires_at


@pytest.mark.slow
async def test_a_service_keeps_answers_as_long_as_the_create_asks_for(make_pair: MakePair) -> None:
    pair = await make_pair("content:404:count=always", provider={"extra_body": KEPT_AN_HOUR})
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.until(daemon, lambda: told(pair, "BatchEnded"))
        [batch] = await daemon.batches()
        [file] = [each async for each in pair.sandbox.client.files.list(purpose="batch_output")]
        assert batch.answers_until == file.expires_at == file.created_at + 3_600


@pytest.mark.slow
async def test_answers_that_have_expired_are_not_asked_for_again_before_a_person_says_so(make_pair: MakePair) -> None:
    pair = await make_pair(sandbox={"instant": True, "outputs_kept": 0.0}, provider={"extra_body": KEPT_AN_HOUR})
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await for_hours(pair, daemon, 4)
        said = await held(daemon)
    assert "It keeps answers for a time: these until " in said
    assert "--absent" in said
    ledger = await pair.sandbox.ledger()
    assert (ledger["create_calls"], ledger["requests_executed"]) == (1, 9)

"""Faults that are rare in practice and expensive if a client does not handle them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import openai
import pytest
from sandbox_kit import Running, as_jsonl, counts_of, request_lines, running, until

pytestmark = pytest.mark.slow


async def _listed(sandbox: Running) -> list[str]:
    return [one.id async for one in sandbox.client.batches.list()]


async def test_silence_does_nothing_and_does_not_answer(sandbox: Running) -> None:
    file_id = await sandbox.upload(as_jsonl(request_lines(1)))
    await sandbox.order("create:silence:delay=300ms")
    begun = time.monotonic()
    with pytest.raises(openai.APIConnectionError):
        await sandbox.create(file_id)
    assert time.monotonic() - begun >= 0.3
    assert await _listed(sandbox) == []
    assert (await sandbox.ledger())["create_calls"] == 1


async def test_twice_creates_two_batches_from_one_call(sandbox: Running) -> None:
    file_id = await sandbox.upload(as_jsonl(request_lines(2)))
    await sandbox.order("create:twice")
    with pytest.raises(openai.APIConnectionError):
        await sandbox.create(file_id)
    first, second = await _listed(sandbox)
    assert [(await sandbox.finished(one)).input_file_id for one in (first, second)] == [file_id, file_id]
    ledger = await sandbox.ledger()
    assert (ledger["create_calls"], ledger["requests_executed"], ledger["distinct"]) == (1, 4, 2)


async def test_the_ids_of_the_files_come_later(sandbox: Running) -> None:
    batch = await sandbox.run(request_lines(1))
    await sandbox.order("retrieve:no-files:count=2")
    shown = [(await sandbox.client.batches.retrieve(batch.id)).output_file_id for _ in range(3)]
    assert shown == [None, None, batch.output_file_id]


async def test_completed_with_no_file_at_all(sandbox: Running) -> None:
    await sandbox.order("batch:no-files")
    batch = await sandbox.run(request_lines(3))
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("completed", None, None)
    assert (await sandbox.ledger())["requests_executed"] == 0
    assert (await sandbox.run(request_lines(3))).output_file_id


async def test_a_batch_that_vanishes_is_unknown(sandbox: Running) -> None:
    await sandbox.order("batch:vanish")
    file_id = await sandbox.upload(as_jsonl(request_lines(2)))
    gone, there = (await sandbox.create(file_id)).id, (await sandbox.create(file_id)).id
    with pytest.raises(openai.NotFoundError):
        await sandbox.client.batches.retrieve(gone)
    with pytest.raises(openai.NotFoundError):
        await sandbox.client.batches.cancel(gone)
    assert await _listed(sandbox) == [there]
    await sandbox.finished(there)
    ledger = await sandbox.ledger()
    assert (len(ledger["batches"]), ledger["requests_executed"]) == (2, 2)


async def test_stuck_after_some_answers_keeps_them_when_it_is_cancelled(sandbox: Running) -> None:
    await sandbox.order("batch:stuck:fraction=0.4")
    stuck = await sandbox.create(await sandbox.upload(as_jsonl(request_lines(10))))

    async def answered() -> bool:
        return counts_of(await sandbox.client.batches.retrieve(stuck.id))[1] == 4

    await until(answered)
    await sandbox.client.batches.cancel(stuck.id)
    batch = await sandbox.finished(stuck.id)
    output, errors = await sandbox.results(batch)
    assert (batch.status, len(output), len(errors)) == ("cancelled", 4, 6)
    assert (await sandbox.ledger())["requests_executed"] == 4


async def test_stuck_while_finalizing_keeps_everything_when_it_is_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path, latency=0.1) as sandbox:
        await sandbox.order("batch:stuck-finalizing")
        stuck = await sandbox.create(await sandbox.upload(as_jsonl(request_lines(4))))

        async def finalizing() -> bool:
            return (await sandbox.client.batches.retrieve(stuck.id)).status == "finalizing"

        await until(finalizing)
        # A later batch completes: in that time the stuck one would have completed too.
        await sandbox.run(request_lines(1))
        assert await finalizing()
        await sandbox.client.batches.cancel(stuck.id)
        batch = await sandbox.finished(stuck.id)
        assert (batch.status, len((await sandbox.results(batch))[0])) == ("cancelled", 4)


async def test_one_of_several_keys_is_revoked(tmp_path: Path) -> None:
    async with running(tmp_path, api_key="sk-new", api_keys=("sk-old", "sk-new")) as sandbox:
        await sandbox.order("auth:401:marker=sk-old")
        assert await sandbox.upload(as_jsonl(request_lines(1)))
        with pytest.raises(openai.AuthenticationError):
            await sandbox.client.with_options(api_key="sk-old").models.list()
        await sandbox.lift()
        assert await sandbox.client.with_options(api_key="sk-old").models.list()


async def test_lines_that_are_nearly_json(sandbox: Running) -> None:
    await sandbox.order("line:nan:lines=1", "line:half-pair:lines=2")
    batch = await sandbox.run(request_lines(3))
    output = (await sandbox.content(batch.output_file_id)).splitlines()
    assert b"NaN" in output[0]
    assert b"-Infinity" in output[0]
    assert b'\\ud83d"' in output[1]
    texts = [json.loads(line)["response"]["body"]["choices"][0]["message"]["content"] for line in output]
    assert texts == [texts[2], texts[2] + "\ud83d", texts[2]]
    assert (await sandbox.ledger())["requests_executed"] == 3

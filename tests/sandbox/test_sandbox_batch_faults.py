"""Faults of whole batches: how they end, and wrong information about that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_kit import Running, as_jsonl, counts_of, errors_of, request_line, request_lines, running

pytestmark = pytest.mark.slow


async def test_failed_lines_names_them(sandbox: Running) -> None:
    await sandbox.order("batch:failed-lines:lines=2+4-5")
    batch = await sandbox.run(request_lines(6))
    assert batch.status == "failed"
    assert errors_of(batch) == [("invalid_request", 2), ("invalid_request", 4), ("invalid_request", 5)]
    assert (await sandbox.ledger())["requests_executed"] == 0
    assert (await sandbox.run(request_lines(6))).status == "completed"


async def test_failed_lines_with_a_marker_names_those_that_contain_it(sandbox: Running) -> None:
    await sandbox.order("batch:failed-lines:marker=poison,code=content_filter")
    lines = [request_line("a"), request_line("b", "poison"), request_line("c"), request_line("d", "poisonous")]
    assert errors_of(await sandbox.run(lines)) == [("content_filter", 2), ("content_filter", 4)]
    assert errors_of(await sandbox.run(lines)) == [("content_filter", 2), ("content_filter", 4)]
    assert (await sandbox.run([lines[0], lines[2]])).status == "completed"


async def test_failed_without_line_numbers(sandbox: Running) -> None:
    await sandbox.order("batch:failed:code=input_error")
    batch = await sandbox.run(request_lines(3))
    assert (batch.status, errors_of(batch)) == ("failed", [("input_error", None)])
    assert (await sandbox.run(request_lines(3))).status == "completed"


async def test_failed_with_a_marker_can_be_bisected(sandbox: Running) -> None:
    await sandbox.order("batch:failed:marker=độc hại")
    lines = request_lines(8)
    lines[5] = request_line("row-6", "một dòng độc hại")
    remaining = lines
    while len(remaining) > 1:
        assert (await sandbox.run(remaining)).status == "failed"
        half = len(remaining) // 2
        remaining = (
            remaining[:half] if (await sandbox.run(remaining[half:])).status == "completed" else remaining[half:]
        )
    assert remaining == [lines[5]]
    await sandbox.lift()
    assert (await sandbox.run(lines)).status == "completed"


async def test_expired_half_way(sandbox: Running) -> None:
    await sandbox.order("batch:expired:fraction=0.3")
    batch = await sandbox.run(request_lines(10))
    assert batch.status == "expired"
    assert batch.expired_at is not None
    assert batch.completed_at is None
    assert counts_of(batch) == (10, 3, 0)
    output, errors = await sandbox.results(batch)
    assert len(output) == 3
    assert len(errors) == 7
    assert output.keys() | errors.keys() == {line["custom_id"] for line in request_lines(10)}
    assert {(line["response"], line["error"]["code"]) for line in errors.values()} == {(None, "batch_expired")}
    ledger = await sandbox.ledger()
    assert ledger["requests_executed"] == 3
    rest = [line for line in request_lines(10) if line["custom_id"] in errors]
    assert (await sandbox.run(rest)).status == "completed"
    ledger = await sandbox.ledger()
    assert (ledger["requests_executed"], ledger["distinct"], ledger["executed_twice"]) == (10, 10, [])


async def test_expired_with_nothing_answered_has_no_output(sandbox: Running) -> None:
    await sandbox.order("batch:expired:fraction=0")
    batch = await sandbox.run(request_lines(2))
    assert (batch.status, batch.output_file_id) == ("expired", None)
    assert len((await sandbox.results(batch))[1]) == 2


async def test_cancelled_by_the_server(sandbox: Running) -> None:
    await sandbox.order("batch:cancelled:fraction=0.5")
    batch = await sandbox.run(request_lines(10))
    assert batch.status == "cancelled"
    assert batch.cancelled_at is not None
    output, errors = await sandbox.results(batch)
    assert (len(output), len(errors)) == (5, 5)
    assert {line["error"]["code"] for line in errors.values()} == {"batch_cancelled"}
    assert (await sandbox.ledger())["requests_executed"] == 5


async def test_expired_after_its_latency_and_shuffled(tmp_path: Path) -> None:
    async with running(tmp_path, latency=0.3) as sandbox:
        await sandbox.order("batch:expired")
        batch = await sandbox.run(request_lines(20))
        output, _ = await sandbox.results(batch)
        assert len(output) == 10
        assert list(output) != sorted(output, key=lambda name: int(name.removeprefix("row-")))


async def test_token_limit(sandbox: Running) -> None:
    await sandbox.order("batch:token-limit:limit=1500000")
    batch = await sandbox.run(request_lines(3))
    assert (batch.status, errors_of(batch)) == ("failed", [("token_limit_exceeded", None)])
    assert batch.errors is not None
    message = str((batch.errors.data or [])[0].message)
    assert message.startswith("Enqueued token limit reached for sandbox-small in organization")
    assert "Limit: 1,500,000 enqueued tokens." in message
    assert (await sandbox.run(request_lines(3))).status == "completed"


async def test_model_not_found(sandbox: Running) -> None:
    await sandbox.order("batch:model-not-found")
    batch = await sandbox.run(request_lines(3))
    assert (batch.status, errors_of(batch)) == ("failed", [("model_not_found", 1)])


async def test_stuck_makes_no_progress_until_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path, latency=0.2) as sandbox:
        await sandbox.order("batch:stuck")
        stuck = await sandbox.create(await sandbox.upload(as_jsonl(request_lines(5))))
        # A later batch completes: in that time the stuck one would have completed too.
        other = await sandbox.run(request_lines(5))
        assert other.status == "completed"
        now = await sandbox.client.batches.retrieve(stuck.id)
        assert (now.status, counts_of(now)) == ("in_progress", (5, 0, 0))
        await sandbox.lift()
        await sandbox.client.batches.cancel(stuck.id)
        cancelled = await sandbox.finished(stuck.id)
        assert (cancelled.status, cancelled.output_file_id) == ("cancelled", None)
        assert (await sandbox.ledger())["requests_executed"] == 5


async def test_no_output(sandbox: Running) -> None:
    await sandbox.order("batch:no-output:status=500")
    batch = await sandbox.run(request_lines(3))
    assert (batch.status, batch.output_file_id, counts_of(batch)) == ("completed", None, (3, 0, 3))
    _, errors = await sandbox.results(batch)
    assert {line["response"]["status_code"] for line in errors.values()} == {500}
    assert (await sandbox.ledger())["requests_executed"] == 0


async def test_empty_ids(sandbox: Running) -> None:
    await sandbox.order("batch:empty-ids")
    batch = await sandbox.create(await sandbox.upload(as_jsonl(request_lines(1))))
    assert (batch.output_file_id, batch.error_file_id) == ("", "")
    batch = await sandbox.finished(batch.id)
    assert batch.output_file_id
    assert batch.error_file_id == ""
    assert (await sandbox.run(request_lines(1))).error_file_id is None


async def test_counts_lie_about_failures(sandbox: Running) -> None:
    await sandbox.order("batch:counts-lie:count=2", "line:0:lines=1-3")
    lying = await sandbox.run(request_lines(10))
    assert counts_of(lying) == (10, 10, 0)
    output, errors = await sandbox.results(lying)
    assert (len(output), len(errors)) == (7, 3)
    assert counts_of(await sandbox.run(request_lines(10))) == (0, 0, 0)
    assert [batch["executed"] for batch in (await sandbox.ledger())["batches"]] == [7, 10]


async def test_one_way_to_end_for_each_batch_and_modifiers_with_it(sandbox: Running) -> None:
    await sandbox.order("batch:failed", "batch:expired", "batch:empty-ids:count=2")
    first, second, third = [await sandbox.run(request_lines(2)) for _ in range(3)]
    assert [first.status, second.status, third.status] == ["failed", "expired", "completed"]
    assert (first.output_file_id, third.error_file_id) == ("", None)
    assert [batch["faults"] for batch in (await sandbox.ledger())["batches"]] == [
        ["batch:failed", "batch:empty-ids:count=2"],
        ["batch:expired", "batch:empty-ids:count=2"],
        [],
    ]


@pytest.mark.parametrize("metadata", [None, {}, {"key": "value"}])
async def test_metadata_comes_back_as_it_was(sandbox: Running, metadata: Any) -> None:
    batch = await sandbox.run(request_lines(1), metadata=metadata)
    assert batch.metadata == metadata
    async with sandbox.session.get(f"{sandbox.url}/batches/{batch.id}") as answer:
        raw = json.loads(await answer.read())
    assert raw["object"] == "batch"
    assert raw["completion_window"] == "24h"
    assert raw["expires_at"] == raw["created_at"] + 24 * 3600

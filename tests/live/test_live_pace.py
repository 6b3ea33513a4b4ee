"""The pace against a real server with a hidden limit: how much of it is used, how often it is hit."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from batchd.live.caller import Caller
from batchd.live.journal import create, read
from batchd.live.rows import LiveBatch
from batchd.sending.pace import Pace
from batchd_openai.provider import OpenAIProvider

from ..sandbox.sandbox_kit import running

pytestmark = pytest.mark.speed

LIMIT = 60
SECONDS = 6


@pytest.mark.slow(seconds=10)
async def test_a_hidden_limit_is_found_and_used(tmp_path: Path) -> None:
    file, journal = tmp_path / "input.jsonl", tmp_path / "journal.jsonl"
    with file.open("w") as lines:
        for row in range(5_000):
            message = {"role": "user", "content": f"review {row}"}
            body = {"model": "sandbox-small", "messages": [message]}
            lines.write(json.dumps({"custom_id": f"job-{row}", "body": body}) + "\n")
    create(journal, {"model": "sandbox-small", "endpoint": "/v1/chat/completions", "requests": 5_000})
    past = read(journal)
    assert past is not None
    async with running(tmp_path / "sandbox", batches=False, calls_per_second=LIMIT, live_latency=0.2) as server:
        settings = OpenAIProvider.Settings.model_validate({"base_url": server.url, "api_key": "sk-any-key-will-do"})
        provider = OpenAIProvider(settings)
        await provider.aopen()
        lane = Caller(provider.answer, Pace(), timeout=20.0)
        batch = LiveBatch.open("batch", file, journal, past)
        lane.add(batch)
        await asyncio.sleep(2)
        first, calls = batch.completed, (await server.ledger())["calls"]["chat"]
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(SECONDS)
        share = (batch.completed - first) / (LIMIT * (asyncio.get_running_loop().time() - began))
        refused = (await server.ledger())["calls"]["chat"] - calls - (batch.completed - first)
        await lane.stop(within=1.0)
        await provider.aclose()
    # More than all of it: calls that the server let in before were answered in these seconds.
    assert 0.85 <= share <= 1.25
    assert refused <= 0.1 * LIMIT * SECONDS

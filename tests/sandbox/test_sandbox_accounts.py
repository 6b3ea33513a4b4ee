"""Accounts in the sandbox: what one has made, another does not know."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest
from sandbox_kit import connected, request_line, running

pytestmark = pytest.mark.slow


async def test_another_account_knows_neither_files_nor_batches(tmp_path: Path) -> None:
    async with running(tmp_path, api_key="sk-acme.1", accounts=True) as ours:
        batch = await ours.run([request_line("a-0", "fine")])
        async with connected(ours.url, "sk-acme.2") as rotated:
            assert (await rotated.client.batches.retrieve(batch.id)).status == "completed"
            assert await rotated.content(batch.output_file_id)
        async with connected(ours.url, "sk-other.1") as other:
            for call in (
                other.client.batches.retrieve(batch.id),
                other.client.files.retrieve(batch.input_file_id),
                other.client.files.content(str(batch.output_file_id)),
                other.client.files.delete(batch.input_file_id),
                other.create(batch.input_file_id),
            ):
                with pytest.raises(openai.APIStatusError) as refused:
                    await call
                assert refused.value.status_code in {400, 404}
            assert [each async for each in other.client.batches.list()] == []
            assert [each async for each in other.client.files.list()] == []


async def test_without_accounts_every_key_knows_everything(tmp_path: Path) -> None:
    async with running(tmp_path) as ours:
        batch = await ours.run([request_line("a-0", "fine")])
        async with connected(ours.url, "sk-other") as other:
            assert (await other.client.batches.retrieve(batch.id)).status == "completed"

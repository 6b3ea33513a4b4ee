"""Faults that play an account, or a parameter, that a real service refuses."""

from __future__ import annotations

import openai
import pytest
from sandbox_kit import Running, counts_of, errors_of, request_line, request_lines

from batchd_sandbox.faults.grammar import FaultNotUnderstood, parse
from batchd_sandbox.refusals import ACCOUNT_REASONS

pytestmark = pytest.mark.slow

ORDERED = ["upload:account", "create:account", "batch:account", "line:account", "line:param"]


def test_an_unknown_reason_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(FaultNotUnderstood, match="insufficient-quota"):
        parse("upload:account:reason=poverty")


@pytest.mark.parametrize("reason", ["storage", "owed", "balance"])
async def test_uploads_are_refused_until_it_is_lifted(sandbox: Running, reason: str) -> None:
    await sandbox.order(f"upload:account:reason={reason}")
    for _ in range(2):
        with pytest.raises(openai.APIStatusError) as refused:
            await sandbox.run(request_lines(2))
        assert refused.value.status_code == ACCOUNT_REASONS[reason].status
    await sandbox.lift()
    assert (await sandbox.run(request_lines(2))).status == "completed"


async def test_a_batch_ends_failed_with_the_accounts_error(sandbox: Running) -> None:
    await sandbox.order("batch:account:reason=arrearage")
    batch = await sandbox.run(request_lines(2))
    assert (batch.status, errors_of(batch)) == ("failed", [("Arrearage", None)])


async def test_each_line_is_refused_for_the_account(sandbox: Running) -> None:
    await sandbox.order("line:account")
    batch = await sandbox.run(request_lines(3))
    assert (batch.status, counts_of(batch)) == ("completed", (3, 0, 3))


async def test_lines_with_a_parameter_are_refused_and_others_are_not(sandbox: Running) -> None:
    await sandbox.order("line:param:param=top_p")
    batch = await sandbox.run([request_line("a", top_p=0.5), request_line("b")])
    assert counts_of(batch) == (2, 1, 1)

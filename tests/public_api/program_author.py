"""What a program imports of batchd.client, used as a program would; mypy reads this file, nothing runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

from batchd.client import (
    AnsweredRow,
    AsyncClient,
    AsyncSubmittedJob,
    Client,
    CostEstimate,
    JobIsHeld,
    JobStatus,
    RowFailure,
    SubmittedJob,
    WaitedTooLong,
)


def rows() -> Iterator[Mapping[str, str]]:
    yield {"review": "good"}


def over_the_api(client: Client) -> None:
    assert_type(client.estimate(rows(), route="reviews"), CostEstimate)
    assert_type(client.estimate([{"review": 1}]).batch_most, float | None)
    assert_type(client.submit("may.csv"), SubmittedJob)
    job = client.submit(Path("may.csv"), route="reviews", name="may")
    try:
        assert_type(job.wait(60.0, when_held="wait"), JobStatus)
    except JobIsHeld as held:
        assert_type(held.job, JobStatus)
    except WaitedTooLong as late:
        assert_type(late.job.id, str | None)
    for row in job.results():
        assert_type(row, AnsweredRow)
        assert_type(row.failure, RowFailure | None)
    assert_type(job.results().to_list(), list[dict[str, Any]])
    job.wait(when_held="skip")  # type: ignore[arg-type]  # no such choice


async def with_await() -> None:
    async with AsyncClient(folder="shop") as client:
        job = await client.submit([{"review": "good"}])
        assert_type(job, AsyncSubmittedJob)
        assert_type(await job.wait(), JobStatus)
        async for row in job.results():
            assert_type(row, AnsweredRow)

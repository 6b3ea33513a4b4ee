"""A batch that a provider refused as a whole: nothing of it ran, nothing was billed, and no attempt is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...answers.meaning import request_of
from ...domain.records import Batch, BatchState, Part, PartState
from ...model import Failure, Problem, RequestId
from ...sending.accounts import Stage
from ...sending.named_limits import LimitKind
from ...sending.refusal_policy import (
    AccountRefused,
    BadLines,
    Bisect,
    RetryBatch,
    SmallerBatches,
    WaitForQuota,
    WrongSetting,
    decide_refusal,
    signature,
)
from ...values import replace
from ...work.collecting.fail_rows import FailRowsTask, fail_rows
from ...work.part_files import lines_of
from ..context import Context
from .account_refusals import block_account
from .route_refusals import stop_job
from .split import pieces_of

MAX_BREAKDOWNS = 5
"""How often the same rows are simply sent again after a breakdown, before they are suspected of causing it."""

_STAGES = {BatchState.PACKED: Stage.UPLOAD, BatchState.SUBMITTING: Stage.CREATE}


async def handle_refusal(context: Context, batch: Batch, problems: Sequence[Problem], otherwise: str) -> None:
    """Put the batch's parts back in the queue, without the rows that made it fail."""
    stage = _STAGES.get(batch.state, Stage.VALIDATION)
    said = decide_refusal(problems, requests=batch.requests, size=batch.size)
    if isinstance(said, Bisect):
        parts = await context.store.batches.parts(batch.key)
        rows = frozenset((part.job, part.first, part.rows) for part in parts)
        queue = (batch.provider, batch.model)
        elsewhere = context.accounts.seen_elsewhere(queue, stage, signature(problems, otherwise), rows)
        said = decide_refusal(problems, requests=batch.requests, elsewhere=elsewhere)
    match said:
        case WaitForQuota():
            await _wait_for_quota(context, batch, said)
        case SmallerBatches():
            had = batch.requests if said.kind is LimitKind.REQUESTS else batch.size
            context.quotas.too_large((batch.provider, batch.model), said.kind, named=said.limit, had=had)
            if batch.requests == 1:
                await _bisect(context, batch, Failure("too_large", said.message))
            else:
                await context.store.batches.returned(batch, said.message)
        case AccountRefused():
            if said.split:
                await _bisect(context, batch, None, said.message)
            else:
                await context.store.batches.returned(batch, said.message)
            block_account(context, batch, stage, said)
        case BadLines():
            failures = await asyncio.to_thread(_rows_of_lines, context.spool.batch_input(batch.key), said.lines)
            await _fail_rows(context, batch, failures, f"{len(said.lines)} of its lines were refused.")
        case WrongSetting():
            await _stop_jobs(context, batch, said.message)
        case RetryBatch() if batch.ended_at is not None and await _breakdowns(context, batch) < MAX_BREAKDOWNS:
            context.quotas.broke_down((batch.provider, batch.model), steady=context.clock.steady())
            await context.store.batches.returned(batch, said.message)
        case RetryBatch() | Bisect():
            await _bisect(context, batch, Failure(said.code, said.message if problems else otherwise))


async def _wait_for_quota(context: Context, batch: Batch, said: WaitForQuota) -> None:
    queue = (batch.provider, batch.model)
    # Batches that were refused with it are not enqueued any more, but they were when it was refused.
    enqueued = await context.store.batches.enqueued_with(batch, context.clock.now())
    context.quotas.refused(
        queue,
        named=said.limit,
        enqueued=enqueued,
        steady=context.clock.steady(),
        now=context.clock.now(),
        sent_at=batch.submitted_at or context.clock.now(),
    )
    await context.store.batches.returned(batch, said.message)


async def _breakdowns(context: Context, batch: Batch) -> int:
    """How often batches with rows of this one have come back because the provider broke down."""
    before = await context.store.batches.returned_before(batch.key)
    return sum(isinstance(decide_refusal([Problem(**each) for each in one.problems]), RetryBatch) for one in before)


async def _fail_rows(context: Context, batch: Batch, failures: Mapping[RequestId, Failure], reason: str) -> None:
    """Give these rows their failures; their parts are planned again without them."""
    struck = []
    for part in await context.store.batches.parts(batch.key):
        mine = {
            row: failure
            for (job, row), failure in failures.items()
            if job == part.job and part.first <= row < part.first + part.rows
        }
        if mine:
            version = part.results + 1
            results = str(context.spool.results(part, version))
            task = FailRowsTask(context.settled_file(part), results, mine, str(context.spool.keys(part)))
            failed = await context.executor.run(fail_rows, task)
            struck.append(replace(_unplanned(part), results=version, failed=failed))
    await context.store.batches.returned(batch, reason, struck)


async def _bisect(context: Context, batch: Batch, failure: Failure | None, reason: str = "") -> None:
    """Search for the row at fault: send parts alone, then in halves, until one row is left to blame.

    Without a `failure` no row is to be blamed yet.
    """
    reason = failure.message if failure is not None else reason
    parts = await context.store.batches.parts(batch.key)
    if len(parts) > 1 or (failure is None and parts[0].requests == 1):
        alone = [replace(part, state=PartState.PLANNED, batch=None, suspect=part.suspect + 1) for part in parts]
        await context.store.batches.returned(batch, reason, alone)
        return
    [part] = parts
    if part.requests == 1 and failure is not None:
        [line] = await asyncio.to_thread(lambda: list(lines_of(context.spool.batch_input(batch.key))))
        request = request_of(line)
        assert request is not None, "we wrote this line ourselves"
        await _fail_rows(context, batch, {request: failure}, reason)
        return
    job = await context.store.jobs.get(part.job)
    halves = await pieces_of(context, job, part, -(-part.rows // 2))
    await context.store.batches.returned(batch, reason, [replace(half, suspect=part.suspect + 1) for half in halves])


async def _stop_jobs(context: Context, batch: Batch, message: str) -> None:
    """Stop the jobs until a person changes something: no row can be asked like this."""
    parts = await context.store.batches.parts(batch.key)
    await context.store.batches.returned(batch, message)
    for job_id in sorted({part.job for part in parts}):
        await stop_job(context, await context.store.jobs.get(job_id), message)


def _unplanned(part: Part) -> Part:
    return replace(part, state=PartState.UNPLANNED, batch=None)


def _rows_of_lines(path: Path, lines: Mapping[int, Failure]) -> dict[RequestId, Failure]:
    """The rows in these lines (1-based) of a batch's input file, with their failures."""
    rows = {}
    for number, line in enumerate(lines_of(path), start=1):
        request = request_of(line) if number in lines else None
        if request is not None:
            rows[request] = lines[number]
    return rows

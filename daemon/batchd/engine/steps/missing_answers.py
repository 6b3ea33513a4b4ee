"""Answers that a provider counts but does not send: fetched again for an hour, then the batch is held for a person."""

from __future__ import annotations

from dataclasses import asdict

from ...domain.records import Batch, BatchState, HeldFor
from ...errors import RemoteMissing
from ...model import RequestId
from ...sending.missing_answers import Arrived, claimed, missing_answers
from ...status.formatting import local_time
from ...work.collecting.batch_index import Rows
from ...work.collecting.distribute import SurveyTask, survey
from ..context import Context
from ..retry_later import RetryLater

FETCHED_AGAIN_FOR = 3_600.0
"""Seconds for which missing answers are fetched again, with pauses that grow, before a person is asked."""
HELD_PAUSE = 3_600.0
"""Seconds between looks for missing answers once the batch is held."""
ANSWERS_MISSING_SINCE = "batchd_owed_since"
GIVEN_UP = "batchd_given_up"
"""In a batch's details: a person has said that the missing answers will not come."""


class AnswersMissing(RemoteMissing):
    """The provider counts more answers than it sends."""


async def answers_are_missing(context: Context, batch: Batch) -> bool:
    """Whether the batch is held now because answers are missing. Raise AnswersMissing while batchd waits for them."""
    asked = [Rows(part.job, part.first, part.rows) for part in await context.store.batches.parts(batch.key)]
    answers, requests = str(context.spool.batch_answers(batch.key)), str(context.spool.batch_input(batch.key))
    arrived = await context.local.run(survey, SurveyTask(answers, asked, requests))
    missing = missing_answers(batch, arrived)
    if not missing:
        return False
    if batch.state is BatchState.HELD:
        raise RetryLater(HELD_PAUSE)
    now, noted = context.now(), batch.noted(ANSWERS_MISSING_SINCE)
    what = await _in_words(context, batch, arrived, missing)
    if noted is None or noted.age(now) < FETCHED_AGAIN_FOR:
        if noted is None:
            await context.store.batches.missing(batch, {**batch.details, ANSWERS_MISSING_SINCE: asdict(now)})
        raise AnswersMissing(f"{what} They are fetched again; nothing is asked again.")
    if not batch.wanted:
        return False  # its jobs are cancelled: nothing would be asked again anyway
    await context.store.batches.held(
        batch,
        HeldFor.ANSWERS,
        f"{what} That has been so for an hour. Nothing is asked again; batchd looks once an hour whether they have "
        f"come. Ask {batch.provider} for them. Or, to use the answers that there are, and to ask the other rows again "
        f"and pay for them again: `batchd resolve {batch.key} --absent`.",
    )
    return True


async def _in_words(context: Context, batch: Batch, arrived: Arrived, missing: int) -> str:
    counted = claimed(batch) or batch.requests
    text = (
        f"{batch.provider} counts {counted:,} of {batch.requests:,} requests of {batch.remote} as done, and sends "
        f"{arrived.ours:,} answers: {missing:,} are missing."
    )
    if batch.answers_until is not None and batch.answers_until <= context.clock.now():
        until = local_time(batch.answers_until)
        text += f" It keeps answers for a time: these until {until}, so they are most likely deleted."
    if arrived.foreign:
        names = ", ".join([await _named(context, each) for each in arrived.examples])
        more = ", …" if arrived.foreign > len(arrived.examples) else ""
        text += f" Its files hold {arrived.foreign:,} lines of other batches: {names}{more}."
    return text


async def _named(context: Context, custom_id: str) -> str:
    """Name a line of another batch, with its row and file if they are ours."""
    request = RequestId.read(custom_id)
    job = await context.store.jobs.find(request.job) if request is not None else None
    return (
        f"“{custom_id}”" if request is None or job is None else f"“{custom_id}” (row {request.row + 1} of {job.source})"
    )

"""`once` tells the truth: status 0 only when every job has come to its end, and no end while there is work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from batchd.app.once import RunOutcome
from batchd.app.supervisor import Supervisor
from batchd.cli.once import lines_of
from batchd.domain.lifecycle import Admit
from batchd.domain.records import Job, JobState
from batchd.engine.looks.inbox_look import QUESTION_RESTS, Seen
from batchd.engine.looks.look import Outlook
from batchd.testing.household import REVIEWS, Household, Living
from batchd.values import replace

pytestmark = pytest.mark.field("once")

NOTHING = Outlook([], None, {})


def job(state: JobState) -> Job:
    return Job(
        id="j", state=state, source="a", inbox_path=b"a", stamp=(0, 0, 0, 0), route=REVIEWS, size=1, claimed_at=0.0
    )


@pytest.mark.parametrize("state", JobState)
def test_no_job_that_goes_on_counts_as_done(state: JobState) -> None:
    outcome = RunOutcome([(job(JobState.DONE), 0), (job(state), 0)], interrupted=False)
    assert (outcome.exit_status == 0) == (state in {JobState.DONE, JobState.CANCELLED})
    held = RunOutcome([(job(JobState.RUNNING), 0)], interrupted=False, held=True)
    assert held.exit_status == 6


def test_a_file_that_waits_for_its_question_is_told() -> None:
    left = {"inbox/may.csv": f"There is no question for this file. {QUESTION_RESTS}"}
    assert RunOutcome([(job(JobState.DONE), 0)], interrupted=False, left=left).exit_status == 5
    assert RunOutcome([], interrupted=False, left={"inbox/link": "It is a link."}).exit_status == 0
    assert list(lines_of([], left, interrupted=False)) == [
        f"inbox/may.csv: stays in the inbox. {left['inbox/may.csv']}"
    ]


@pytest.fixture
async def living(tmp_path: Path) -> AsyncIterator[Living]:
    """A daemon with a job whose parts wait to be sent."""
    household = Household(tmp_path)
    household.drop("reviews/may.csv", "review\ngood\nbad\n")
    async with household.living() as living:
        await living.take_in()
        while not isinstance(await living.step(), Admit):
            pass
        yield living


def supervisor(living: Living) -> Supervisor:
    ours = Supervisor(living.context, living.engine, living.intake, rescan=lambda: 1.0)
    ours._last_seen = Seen(0, 0, None)  # noqa: SLF001 - what its loop at the inbox notes
    return ours


async def test_it_is_not_idle_while_parts_wait_or_something_is_new(living: Living) -> None:
    ours = supervisor(living)
    assert not await ours._idle(NOTHING)  # noqa: SLF001 - the question that it asks itself
    missing = replace(NOTHING, missing={"fake": "It is not configured."})
    assert await ours._idle(missing)  # noqa: SLF001 - the question that it asks itself
    ours.wake()
    assert not await ours._idle(missing)  # noqa: SLF001 - the question that it asks itself

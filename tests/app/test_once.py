"""`once` tells the truth: status 0 only when every job has come to its end, and no end while there is work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from batchd.app.daemon import daemon
from batchd.app.once import RunOutcome, once
from batchd.app.supervisor import Supervisor
from batchd.cli.once import lines_of
from batchd.domain.lifecycle import Admit
from batchd.domain.records import Job, JobState
from batchd.domain.subjects import Subject
from batchd.engine.looks.inbox_look import QUESTION_RESTS, Seen
from batchd.engine.looks.look import Outlook
from batchd.orders.values import Cancel, Purge, Retry
from batchd.store.reading.snapshot import snapshot
from batchd.store.tables.orders import Door, answer_to, leave
from batchd.testing.household import REVIEWS, Household, Living
from batchd.values import replace

from .conftest import prepared

pytestmark = pytest.mark.field("once")

PATIENCE = 60.0
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


WITHOUT_A_KEY = """
[intake]
settle = "0s"

[providers.acme]
plugin = "openai"
base_url = "http://127.0.0.1:9/v1"
api_key = "env:ACME_KEY_OF_NOBODY"
mode = "{mode}"

[sinks.hook]
plugin = "webhook"
url = "http://127.0.0.1:9/"
secret = "env:ACME_SECRET_OF_NOBODY"

[routes.reviews]
provider = "acme"
model = "small"
sinks = ["csv", "hook"]
prompt = {{ plugin = "template", user = "{{{{ review }}}}" }}
"""


@pytest.mark.parametrize("mode", ["auto", "batch", "live"])
async def test_it_does_not_wait_for_a_key_that_its_process_never_has(tmp_path: Path, mode: str) -> None:
    config, catalogue = prepared(tmp_path, WITHOUT_A_KEY.format(mode=mode), "")
    (tmp_path / "inbox" / "reviews" / "may.csv").write_text("review\ngood\nbad\n")
    async with asyncio.timeout(60):
        outcome = await once(config, catalogue)
    assert [job.state for job, _ in outcome.jobs] == [JobState.RUNNING]
    assert outcome.exit_status == 5
    with snapshot(tmp_path / "state") as state:
        [said] = [each.text for each in state.conditions() if each.subject == Subject.provider("acme")]
    assert said == (
        "The environment variable ACME_KEY_OF_NOBODY is not set. Set it, then start batchd again. Jobs wait; nothing "
        "is lost."
    )


TILL = """
from batchd import Sink, hookimpl


class Till(Sink):
    def __init__(self, settings):
        pass

    async def publish(self, job, rows):
        pass


@hookimpl
def register_sinks(register):
    register("till", Till)
"""


async def test_what_a_process_has_no_key_for_is_kept_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'plugin_dir = "plugins.d"\n' + WITHOUT_A_KEY.format(mode="batch").replace('"csv"', '"csv", "till"')
    config, catalogue = prepared(tmp_path, text, TILL)

    async def kept_off() -> dict[str, str]:
        async with daemon(config, catalogue) as ours:
            return {str(subject): why for subject, why in ours.context.configured.kept_off.items()}

    monkeypatch.setenv("ACME_KEY_OF_NOBODY", "k")
    [(subject, why)] = (await kept_off()).items()
    assert (subject, why.partition(" is not")[0]) == ("sink hook", "The environment variable ACME_SECRET_OF_NOBODY")
    monkeypatch.setenv("ACME_SECRET_OF_NOBODY", "s")
    assert await kept_off() == {}


async def test_it_is_not_idle_while_parts_wait_or_something_is_new(living: Living) -> None:
    ours = supervisor(living)
    assert not await ours._idle(NOTHING)  # noqa: SLF001 - the question that it asks itself
    missing = replace(NOTHING, missing={"fake": "It is not configured."})
    assert await ours._idle(missing)  # noqa: SLF001 - the question that it asks itself
    ours.wake()
    assert not await ours._idle(missing)  # noqa: SLF001 - the question that it asks itself


@pytest.mark.slow
@pytest.mark.parametrize("order", [Purge, Retry, Cancel])
async def test_an_order_that_asks_no_old_job_again_does_not_change_how_a_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: type[Purge | Retry | Cancel]
) -> None:
    monkeypatch.setenv("ACME_KEY_OF_NOBODY", "k")
    monkeypatch.setenv("ACME_SECRET_OF_NOBODY", "s")
    config, catalogue = prepared(tmp_path, WITHOUT_A_KEY.format(mode="batch"), "")
    (tmp_path / "inbox" / "reviews" / "empty.csv").touch()
    async with asyncio.timeout(PATIENCE):
        first = await once(config, catalogue)
    [(rejected, _)] = first.jobs
    assert (rejected.state, first.exit_status) == (JobState.REJECTED, 1)
    given = order(rejected.id)
    number = leave(
        tmp_path / "state", given.kind, given.target, given.data(), at=1.0, who="anna", door=Door.COMMAND_LINE
    )
    async with asyncio.timeout(PATIENCE):
        second = await once(config, catalogue)
    assert answer_to(tmp_path / "state", number) is not None, "the order was seen"
    assert (list(second.jobs), second.exit_status) == ([], 0)

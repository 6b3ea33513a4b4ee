"""docs/events.md has every event, with its level, its meaning and a sentence that it really says."""

from __future__ import annotations

import inspect

import pytest

from batchd import events
from batchd.events import Event
from batchd.events.groups import GROUPS, every_kind

from .pages import DOCS, code, tables

PAGE = DOCS / "events.md"
JOB, BATCH = "k3j9x2ab", "7f3k9x2a"

SAMPLES: dict[str, list[Event]] = {
    "Jobs": [
        events.JobClaimed(job=JOB, source="reviews/may.csv", route="reviews", size=26_781),
        events.JobAccepted(job=JOB, source="reviews/may.csv", rows=25_000, parts=3, sha256="9f…"),
        events.JobRejected(
            job=JOB, source="reviews/may.csv", code="empty", reason="The file is empty. Write a line with …"
        ),
        events.JobRedelivered(job=JOB, duplicate_of="p8w2n4cd", rows=25_000),
        events.JobPlanned(job=JOB, requests=24_998, failed=2, estimated_cost="1.75", currency="USD"),
        events.StepBegun(source="reviews/may.csv", first=JOB, route="replies", rows=24_998),
        events.StepEnded(source="reviews/may.csv", route="replies", ok=24_990, failed=8),
        events.JobLate(
            source="reviews/may.csv",
            rows=9_000,
            provider="openai",
            model="gpt-5-mini",
            cost="3.50",
            currency="USD",
        ),
        events.JobMoved(
            source="reviews/may.csv",
            rows=9_000,
            provider="openai",
            to="deepseek",
            model="deepseek-v3.2",
            cost="1.20",
            currency="USD",
        ),
        events.JobHeld(
            job=JOB,
            source="reviews/may.csv",
            reason="it can cost at most 12.40 USD, and [budget] per_job allows 5.00",
        ),
        events.JobApproved(job=JOB, amount="12.40", currency="USD"),
        events.PilotApproved(job=JOB, rows=980),
        events.TryBegun(job=JOB, source="may.csv", rows=5, provider="openai", model="gpt-5-mini"),
        events.TryEnded(job=JOB, source="may.csv", ok=5, failed=0),
        events.JobFailed(job=JOB, reason="the provider holysheep refuses every request of it: …"),
        events.JobPurged(
            job=JOB,
            source="reviews/may.csv",
            answers=120,
            files=["file-1", "file-2", "file-3", "file-4"],
            yours=["/srv/batchd/archive/reviews/may.csv"],
        ),
        events.JobCancelled(job=JOB),
        events.JobRetried(job=JOB, rows=2),
        events.OrderGiven(job=JOB, order="skip-sink", who="alice", door="page", given=1.8e9, what={"sink": "webhook"}),
        events.OrderRefused(
            job=JOB, order="approve", reason=f"Job {JOB} is done, not held; there is nothing to approve."
        ),
        events.JobDelivered(job=JOB, sink="csv", files=["reviews/may.results.csv", "reviews/may.failed.csv"]),
        events.SinkSkipped(job=JOB, sink="webhook", reason="a person has ordered it."),
        events.JobFinished(
            job=JOB,
            source="reviews/may.csv",
            outcome="done",
            ok=24_998,
            failed=2,
            skipped=0,
            report="reviews/may.report.json",
            failures={"refused": 2},
            batches=3,
        ),
        events.SourceChanged(job=JOB, source="reviews/may.csv", read=26_781, now=27_040, archived="reviews/may.csv"),
    ],
    "Parts": [
        events.RowsReturned(job=JOB, part=10_000, rows=120, attempt=2, reasons={"batch_expired": 118, "no_answer": 2}),
        events.PartSplit(job=JOB, part=0, pieces=2, reason="it is more than holysheep takes at once"),
        events.WorkerDied(job=JOB, part=10_000, times=1),
    ],
    "Batches": [
        events.BatchPacked(batch=BATCH, provider="holysheep", model="deepseek-v3.2", parts=3, jobs=2, requests=12_400),
        events.BatchUploaded(batch=BATCH, upload="file-34b1e2", size=8_400_120),
        events.BatchSubmitted(
            batch=BATCH,
            remote="batch_68ab",
            provider="holysheep",
            model="deepseek-v3.2",
            requests=12_400,
            jobs=2,
            first=True,
        ),
        events.BatchOutcomeUnknown(batch=BATCH, reason="it did not answer within 60 s", wait=180.0),
        events.BatchFound(batch=BATCH, remote="batch_68ab"),
        events.BatchNotFound(batch=BATCH),
        events.BatchHeld(batch=BATCH, reason="This provider cannot look up a batch. Look at the provider whether …"),
        events.BatchGoesOn(batch=BATCH),
        events.BatchStalled(batch=BATCH, phase="in_progress", completed=3, failed=0, total=12_400, quiet=25_200.0),
        events.BatchEnded(
            batch=BATCH, phase="completed", completed=12_399, failed=1, total=12_400, provider="holysheep"
        ),
        events.CallsRepeated(batch=BATCH, rows=2, examples=[4, 17]),
        events.BatchDownloaded(batch=BATCH, answers=12_400),
        events.UsageDiffers(
            batch=BATCH, input_tokens=812_400, output_tokens=60_120, provider_input=812_400, provider_output=61_000
        ),
        events.BatchReturned(batch=BATCH, reason="Enqueued token limit reached for deepseek-v3.2 …"),
    ],
    "The daemon": [
        events.ConditionRaised(
            subject="provider holysheep", text="The key in the environment variable HOLYSHEEP_API_KEY was refused …"
        ),
        events.ConditionCleared(subject="provider holysheep"),
        events.SendingPaused(what="provider holysheep", who="alice"),
        events.SendingResumed(what="provider holysheep", who="alice"),
        events.FilesRemoved(job=JOB, source="may.csv", folder="outbox", files=["may.results.csv", "may.report.json"]),
    ],
}


def row(event: Event) -> list[str]:
    """The row of an event's table."""
    meaning = " ".join(str(inspect.getdoc(type(event))).split())
    return [f"`{event.kind}`", event.severity, meaning, event.sentence]


def page_tables() -> str:
    """What the tables should be: `python -c "from tests.docs.test_events import *; print(page_tables())"`."""
    text = []
    for heading, samples in SAMPLES.items():
        text += [f"\n## {heading}\n", "| event | level | what it means | what it says |", "| --- | --- | --- | --- |"]
        text += [f"| {' | '.join(row(event))} |" for event in samples]
    return "\n".join(text)


@pytest.mark.parametrize("heading", SAMPLES)
def test_each_event_is_described_as_it_is(heading: str) -> None:
    assert tables(PAGE)[heading] == [row(event) for event in SAMPLES[heading]]


def test_every_event_is_described_and_no_other() -> None:
    there = {each.__name__ for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)}
    described = {code(row[0]) for heading in SAMPLES for row in tables(PAGE)[heading]}
    assert described == there - {"Event"}
    assert described <= every_kind()


def test_every_group_is_described_as_it_is() -> None:
    assert tables(PAGE)["Groups"] == [
        [f"`{name}`", ", ".join(f"`{kind.__name__}`" for kind in kinds)] for name, kinds in GROUPS.items()
    ]

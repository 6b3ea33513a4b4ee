"""What of a job the log tells at level info, however many batches it has and however many files are under way."""

from __future__ import annotations

import logging

import pytest

from batchd import events
from batchd.events import Event
from batchd.system.event_logger import EventLogger


def way_of(job: str, batches: int) -> list[Event]:
    """Everything that happens to a file with so many batches of its own."""
    before = [
        events.JobClaimed(job=job, source="may.csv", route="reviews", size=1_000),
        events.JobAccepted(job=job, source="may.csv", rows=60, parts=batches, sha256="9f"),
        events.JobPlanned(job=job, requests=60, failed=0, estimated_cost="0.015918", currency="USD"),
    ]
    sent: list[Event] = []
    for number in range(batches):
        key, first = f"b{number}", number == 0
        sent += [
            events.BatchPacked(batch=key, provider="acme", model="small", parts=1, jobs=1, requests=6),
            events.BatchUploaded(batch=key, upload="file-1", size=1_000),
            events.BatchSubmitted(batch=key, remote="batch_1", provider="acme", model="small", requests=6, first=first),
            events.BatchEnded(
                batch=key, phase="completed", completed=6, failed=0, total=6, provider="acme", first=first
            ),
            events.BatchDownloaded(batch=key, answers=6),
            events.RowsReturned(job=job, part=0, rows=1, attempt=2, reasons={"no_answer": 1}),
        ]
    return [*before, *sent, *ends_of(job, batches)]


def ends_of(job: str, batches: int = 1) -> list[Event]:
    return [
        events.JobDelivered(job=job, sink="csv", files=["may.results.csv"]),
        events.JobFinished(
            job=job, source="may.csv", outcome="done", ok=60, failed=0, skipped=0, report="r", batches=batches
        ),
    ]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> EventLogger:
    caplog.set_level(logging.DEBUG)
    return EventLogger(logging.getLogger("batchd"))


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]


@pytest.mark.parametrize("batches", [1, 33])
def test_the_story_of_a_job_has_seven_lines_however_many_batches_it_has(
    log: EventLogger, caplog: pytest.LogCaptureFixture, batches: int
) -> None:
    way = way_of("j1", batches)
    for event in way:
        log.log(event)
    assert len(caplog.records) == len(way), "the rest is told at level debug"
    whole = "Finished may.csv: 60 ok. The report is r."
    assert told(caplog) == [
        "Received may.csv (1.0 KB).",
        "may.csv has 60 rows.",
        "Ready to send 60 questions; they cost at most 0.02 USD.",
        "Sent 6 questions to acme (small), batch b0 (provider id batch_1).",
        "acme finished batch b0: 6 of 6 answered.",
        "Wrote may.results.csv.",
        whole if batches == 1 else "Finished may.csv: 60 ok, from 33 batches. The report is r.",
    ]


def test_of_many_files_at_once_only_the_beginning_and_the_end_are_told(
    log: EventLogger, caplog: pytest.LogCaptureFixture
) -> None:
    ways = [way_of(f"j{number}", 0) for number in range(30)]
    for each in zip(*ways, strict=True):
        for event in each:
            log.log(event)
    assert len(told(caplog)) == 60
    assert {sentence.split()[0] for sentence in told(caplog)} == {"Received", "Finished"}
    caplog.clear()
    for event in way_of("later", 0):
        log.log(event)
    assert len(told(caplog)) == 5, "when they are done, a file is told in full again"


def test_jobs_that_wait_for_a_person_do_not_count_as_under_way(
    log: EventLogger, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        log.log(events.JobHeld(job=f"j{number}", source="may.csv", reason="it can cost too much"))
    caplog.clear()
    for event in ends_of("another"):
        log.log(event)
    assert len(told(caplog)) == 2


def test_a_later_batch_that_ends_badly_is_told(log: EventLogger, caplog: pytest.LogCaptureFixture) -> None:
    log.log(events.BatchEnded(batch="b9", phase="expired", completed=1, failed=0, total=6, provider="acme"))
    assert told(caplog) == ["acme ended batch b9, which is expired: 1 of 6 answered."]


def test_a_fault_is_told_however_many_files_are_under_way(log: EventLogger, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(30):
        log.log(events.JobClaimed(job=f"j{number}", source="may.csv", route="reviews", size=1))
    caplog.clear()
    log.log(events.WorkerDied(job="j7", times=1))
    assert len(told(caplog)) == 1

"""What the note about a file in work says, and when its answers are expected."""

from __future__ import annotations

from typing import Any

import pytest

from batchd.domain.states import JobState
from batchd.domain.subjects import DISK, Subject, SubjectKind
from batchd.people.language import Language
from batchd.status.expected import UsualTimes, expected_at
from batchd.status.waiting_text import waiting_text
from batchd.store.reading.records import BatchSummary, JobSummary

NOW = 1_800_000_000.0
USUAL: UsualTimes = {("acme", "batch"): 3_600.0}


def batch(**changes: Any) -> BatchSummary:
    values: dict[str, Any] = {
        "key": "b1", "provider": "acme", "model": "small", "state": "submitted", "phase": "running", "requests": 100,
        "ours": 100, "completed": 40, "failed": 0, "total": 100, "remote": "r1", "extra_remotes": (), "reason": None,
        "created_at": NOW - 700, "submitted_at": NOW - 600, "ended_at": None,
    }  # fmt: skip
    return BatchSummary(**(values | changes))


def job(**changes: Any) -> JobSummary:
    values: dict[str, Any] = {
        "id": "k3j9x2ab", "state": "running", "source": "reviews/may.csv", "route": "reviews", "provider": "acme",
        "model": "small", "sinks": ("csv",), "rows": 100, "ok": 0, "failed": 0, "answered": 40,
        "parts": {"batched": 1}, "tokens": None, "cancelled": False, "reason_code": None, "reason": None,
        "estimated_cost": 1_250_000_000_000, "cost": None, "currency": "USD", "outbox_stem": "reviews/may (2)",
        "archive_name": None, "sha256": None, "duplicate_of": None, "claimed_at": NOW - 700, "accepted_at": NOW - 690,
        "planned_at": None, "collected_at": None, "finished_at": None, "empty": 0, "batches": (batch(),),
    }  # fmt: skip
    return JobSummary(**(values | changes))


def text(subject: JobSummary, *subjects: Subject, language: Language | None = None) -> str:
    return waiting_text(subject, "reviews/may (2)", subjects, USUAL, language or Language(), NOW)


def test_the_note_of_a_job_at_its_provider() -> None:
    assert text(job()) == (
        "may.csv is being processed. There is nothing for you to do.\n"
        "\n"
        "Received: 15 Jan 2027, 07:48 (UTC) (100 rows)\n"
        "Now: the service has it; waiting for answers\n"
        "Answered: 40 of 100 rows\n"
        "Usually answered by: 15 Jan 2027, 08:50 (UTC)\n"
        "Costs at most: 1.25 USD\n"
        "Results: in this folder, as may (2).results and may (2).report\n"
        "\n"
        "batchd renews this note, and removes it when the results are here.\n"
        "\n"
        "For the operator: job k3j9x2ab waits for acme: 40 of 100 answered (1 batch)\n"
    )


def test_it_is_in_the_language_of_the_place() -> None:
    note = text(job(), language=Language("vi", "Asia/Ho_Chi_Minh"))
    assert "Đã nhận: 14:48 15/01/2027 (+07)" in note
    assert "For the operator: job k3j9x2ab" in note


@pytest.mark.parametrize(
    ("changes", "subjects", "expected"),
    [
        ({"state": "held", "reason_code": "per_job", "reason": "it costs 3 USD"}, (), "waits until the operator"),
        ({"state": "failed", "reason": "it is broken"}, (), "waits until the operator"),
        ({}, (Subject.provider("acme"),), "The service does not work at the moment."),
        (
            {"batches": ()},
            (Subject(SubjectKind.PAUSE, "everything"),),
            "Sending is paused by the people who run batchd.",
        ),
        ({}, (DISK,), "The results cannot be written at the moment."),
        ({"state": "delivering", "batches": ()}, (Subject.sink("csv"),), "The results cannot be written"),
        ({"rest_until": NOW + 600}, (), "are asked again from 15 Jan 2027, 08:10 (UTC) on."),
        ({"batches": (batch(submitted_at=NOW - 9_000),)}, (), "It takes longer than usual."),
    ],
)
def test_what_the_person_should_know_stands_there(
    changes: dict[str, Any], subjects: tuple[Subject, ...], expected: str
) -> None:
    assert expected in text(job(**changes), *subjects)


def test_every_state_that_a_job_can_be_in_has_its_words() -> None:
    for state in (each.value for each in JobState if not each.final):
        for changes in (
            {},
            {"cancelled": True},
            {"batches": (), "parts": {"answered": 1}},
            {"batches": (), "parts": {}},
        ):
            assert "Now: " in text(job(state=state, **changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, NOW + 3_000),
        # More batches are to come after those that are there: the last of them is not even sent.
        ({"parts": {"batched": 1, "planned": 1}}, NOW + 3_600),
        ({"batches": (batch(), batch(submitted_at=NOW - 60))}, NOW + 3_540),
        ({"batches": (batch(provider="other"),)}, None),
        ({"batches": ()}, None),
        ({"batches": (batch(state="submitting", submitted_at=None),)}, None),
        # 40 in 600 s by live calls: 60 more take 900 s.
        ({"batches": (batch(lane="live"),)}, NOW + 900),
        ({"batches": (batch(lane="live", completed=0),)}, None),
    ],
)
def test_when_the_answers_are_expected(changes: dict[str, Any], expected: float | None) -> None:
    assert expected_at(job(**changes), USUAL, NOW) == expected

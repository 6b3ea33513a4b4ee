"""What conditions are about: stored as text, compared as values."""

from __future__ import annotations

import pytest

from batchd.domain.subjects import DISK, INBOX, INBOX_REST, WORKERS, Subject, SubjectKind, subjects_of

STORED = {
    "provider acme": Subject.provider("acme"),
    "job k3j9x2ab": Subject.job("k3j9x2ab"),
    "sink csv": Subject.sink("csv"),
    "observer mail": Subject(SubjectKind.OBSERVER, "mail"),
    "batch 7f3k9x2a": Subject(SubjectKind.BATCH, "7f3k9x2a"),
    "cancelling batch 7f3k9x2a": Subject(SubjectKind.CANCELLING, "7f3k9x2a"),
    "batches for acme": Subject(SubjectKind.PACKING, "acme"),
    "deadline of job k3j9x2ab": Subject(SubjectKind.DEADLINE, "k3j9x2ab"),
    "fallback of job k3j9x2ab": Subject(SubjectKind.FALLBACK, "k3j9x2ab"),
    "pause of route reviews": Subject(SubjectKind.PAUSE, "route reviews"),
    "sending hours of route reviews": Subject(SubjectKind.HOURS, "reviews"),
    "order 12": Subject(SubjectKind.ORDER, "12"),
    "plugin hook": Subject(SubjectKind.PLUGIN, "hook"),
    "inbox": INBOX,
    "inbox/reviews/the rest of the inbox": Subject(SubjectKind.INBOX_FILE, "reviews/the rest of the inbox"),
    "the rest of the inbox": INBOX_REST,
    "disk": DISK,
    "workers": WORKERS,
    "old files in archive": Subject(SubjectKind.RETENTION, "archive"),
    "node rack-7": Subject(SubjectKind.NODE, "rack-7"),
}


@pytest.mark.parametrize(("text", "subject"), STORED.items())
def test_the_text_that_is_stored_is_read_as_the_subject_that_it_was(text: str, subject: Subject) -> None:
    assert (str(subject), Subject.parse(text)) == (text, subject)


def test_each_kind_has_an_example() -> None:
    assert {subject.kind for subject in STORED.values()} == set(SubjectKind) - {SubjectKind.UNKNOWN}


@pytest.mark.parametrize("text", ["gate", "disks", "inboxes", "providers", ""])
def test_what_another_version_has_stored_is_kept_as_it_is(text: str) -> None:
    subject = Subject.parse(text)
    assert (subject.kind, str(subject)) == (SubjectKind.UNKNOWN, text)


def test_what_can_keep_a_job_waiting() -> None:
    found = subjects_of("j1", provider="acme", route="r", sinks=["csv"], batches=["b1", "b2"])
    expected = ["job j1", "batch b1", "batch b2", "sink csv", "pause of route r", "pause of provider acme"]
    expected += [
        "pause of everything",
        "sending hours of route r",
        "provider acme",
        "deadline of job j1",
        "fallback of job j1",
        "workers",
    ]
    assert [str(subject) for subject in found] == expected

"""Times, amounts, states and places in words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd.app.dropping import NotClear, places
from batchd.domain.routing import PluginSpec, Route
from batchd.domain.subjects import Subject
from batchd.status.formatting import clean, count, join, local_time, money, short_count, since, span, utc
from batchd.status.job_words import needs_a_person, rests_until, state_in_words, waits_for
from batchd.store.reading.records import BatchSummary, JobSummary
from batchd.values import replace


@pytest.fixture
def hanoi(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock on the wall seven hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("hanoi")
def test_times_are_local_for_people_and_utc_for_machines() -> None:
    at = 1_800_000_000.0
    assert utc(at) == "2027-01-15T08:00:00Z"
    assert local_time(at) == "2027-01-15 15:00:00"
    assert since(at, at + 3_600) == "15:00"
    assert since(at, at + 86_400) == "2027-01-15 15:00"
    assert utc(None) is None


def test_spans_and_amounts() -> None:
    assert [span(seconds) for seconds in (-5, 0, 59.9, 60, 7_199, 7_200, 200_000)] == [
        "0 s", "0 s", "59 s", "1 min", "1 h", "2 h", "2 d",
    ]  # fmt: skip
    assert [money(number, "EUR") for number in (0, 12_340_000_000_000, 2_100_000_000)] == [
        "0.00 EUR", "12.34 EUR", "0.0021 EUR",
    ]  # fmt: skip
    assert [short_count(number) for number in (0, 999, 12_345, 4_500_000)] == ["0", "999", "12.3 k", "4.5 M"]
    assert [count(number, "row") for number in (0, 1, 2_000)] == ["0 rows", "1 row", "2,000 rows"]
    assert count(2, "batch", "batches") == "2 batches"
    assert [join(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_control_characters_are_shown_as_what_they_are() -> None:
    assert clean("a\x1b[31mb\u202ec\x9bd\ne") == "a\\x1b[31mb\\u202ec\\x9bd\ne"


# --- what a job waits for --------------------------------------------------------------------------------------------


def job(**changes: Any) -> JobSummary:
    values: dict[str, Any] = {
        "id": "k3j9x2ab", "state": "running", "source": "reviews/may.csv", "route": "reviews", "provider": "acme",
        "model": "small", "sinks": ("csv",), "rows": 10, "ok": 0, "failed": 0, "answered": 0, "parts": {},
        "tokens": None, "cancelled": False, "reason_code": None, "reason": None, "estimated_cost": None, "cost": None, "currency": None,
        "outbox_stem": None, "archive_name": None, "sha256": None, "duplicate_of": None, "claimed_at": 0.0, "empty": 0,
        "accepted_at": None, "planned_at": None, "collected_at": None, "finished_at": None,
    }  # fmt: skip
    return JobSummary(**(values | changes))


def batch(**changes: Any) -> BatchSummary:
    values: dict[str, Any] = {
        "key": "b1", "provider": "acme", "model": "small", "state": "submitted", "phase": "in_progress",
        "requests": 10, "ours": 5, "completed": 4, "failed": 1, "total": 10, "remote": "r1", "extra_remotes": (),
        "reason": None, "created_at": 0.0, "submitted_at": None, "ended_at": None,
    }  # fmt: skip
    return BatchSummary(**(values | changes))


@pytest.mark.parametrize(
    ("about", "words", "waits"),
    [
        (job(state="claiming"), "arriving", "the file to be moved out of the inbox"),
        (job(state="claimed"), "reading", "the file to be read"),
        (job(state="planning"), "preparing", "its questions to be prepared"),
        (
            job(state="planning", duplicate_of="t1"),
            "preparing",
            "job t1, which is of the same file: its answers are",
        ),
        (job(parts={"unplanned": 1}), "preparing", "its questions to be prepared"),
        (job(parts={"planned": 1}), "waiting to be sent", "a batch to acme, which other files may share"),
        (job(batches=[batch(state="packed")]), "sending", "its questions to be sent to acme"),
        (job(batches=[batch(state="submitting")]), "sending", "a check whether acme has batch b1; it will not be"),
        (job(batches=[batch()]), "waiting for answers", "acme: 2 of 5 answered (1 batch)"),
        (
            job(batches=[batch(progress_at=86_400.0)]),
            "waiting for answers",
            "acme: 2 of 5 answered (1 batch)",
        ),
        (
            job(batches=[batch(), batch(progress_at=9.0)]),
            "waiting for answers",
            "acme: 4 of 10 answered (2 batches)",
        ),
        (
            job(batches=[batch(stopping_at=9.0)]),
            "waiting for answers",
            "acme: 2 of 5 answered (1 batch); stopping batch b1",
        ),
        (job(batches=[batch(state="ended")]), "waiting for answers", "its answers to be downloaded from acme"),
        (job(batches=[batch(state="held")]), "held", "you: does acme have batch b1? Look there, then"),
        (job(parts={"answered": 1}), "reading answers", "its answers to be matched with its rows"),
        (job(state="delivering"), "writing results", "its results to be written"),
        (job(state="rejecting"), "being returned", "the file to be put into the rejected folder"),
        (job(state="failed", reason="it broke."), "stopped", "you, because it broke."),
        (job(state="held"), "held", "your approval: batchd approve k3j9x2ab"),
        (
            job(state="held", reason_code="waits:per_day", reason="0.01 are left today"),
            "held",
            "room in the budget, because 0.01 are left today; to let it go on now: batchd approve k3j9x2ab",
        ),
        (job(cancelled=True), "cancelling", "its questions to be prepared"),
        (job(state="done"), "done", None),
        (job(state="done", reason_code="max_failed", reason="3 of 4 rows failed"), "failed", None),
        (job(state="cancelled", cancelled=True), "cancelled", None),
        (job(state="a-state-of-tomorrow"), "a-state-of-tomorrow", "its questions to be prepared"),
    ],
    ids=lambda value: value.state if isinstance(value, JobSummary) else None,
)
def test_where_a_job_is_and_what_it_waits_for(about: JobSummary, words: str, waits: str | None) -> None:
    assert state_in_words(about) == words
    said = waits_for(about, (), awake=True)
    assert said is None if waits is None else said is not None and said.startswith(waits), said


def test_a_condition_that_concerns_the_job_is_what_it_waits_for() -> None:
    running = job(batches=[batch()])
    everything = [*map(Subject.parse, ("inbox", "provider acme", "sink csv", "batch b1", "job k3j9x2ab"))]
    assert waits_for(running, everything, awake=True) == "what stands above"
    assert waits_for(running, everything[:4], awake=True) == "batch b1"
    assert waits_for(running, everything[:3], awake=True) == "provider acme"
    assert waits_for(replace(running, state="delivering"), everything[:3], awake=True) == "sink csv"
    assert waits_for(running, [Subject.provider("other"), Subject.parse("inbox")], awake=True) == (
        "acme: 2 of 5 answered (1 batch)"
    )


def test_a_pause_is_what_rows_wait_for_that_are_not_sent() -> None:
    planned, sent = job(parts={"planned": 1}), job(batches=[batch()])
    for subject, command in (
        ("pause of provider acme", "batchd resume acme"),
        ("pause of route reviews", "batchd resume reviews"),
        ("pause of everything", "batchd resume"),
    ):
        said = waits_for(planned, [Subject.parse(subject)], awake=True)
        assert said == f"you: {subject.removeprefix('pause of ')} is paused. To go on: {command}"
        assert waits_for(sent, [Subject.parse(subject)], awake=True) == "acme: 2 of 5 answered (1 batch)"
    others = [Subject.parse("pause of provider other"), Subject.parse("pause of route other")]
    assert waits_for(planned, others, awake=True) == "a batch to acme, which other files may share"


def test_a_batch_without_news_for_long_is_named() -> None:
    lately, earlier = batch(progress_at=86_400.0), batch(key="b2", progress_at=43_200.0)
    both, now = job(batches=[lately, earlier]), 86_460.0
    assert waits_for(job(batches=[lately]), (), awake=True, now=now) == "acme: 2 of 5 answered (1 batch)"
    assert str(waits_for(both, (), awake=True, now=now)).endswith("(2 batches), no news of one of them for 12 h")
    stopped = job(batches=[lately, replace(earlier, stopping_at=86_400.0)])
    assert str(waits_for(stopped, (), awake=True, now=now)).endswith(
        "; stopping batch b2 there after no news for too long"
    )
    by_order = replace(stopped, cancelled=True)
    assert str(waits_for(by_order, (), awake=True, now=now)).endswith("; stopping batch b2 there")


def test_rows_that_rest_are_told_with_their_time() -> None:
    now = 86_400.0 * 300
    resting = job(parts={"planned": 1}, rest_until=now + 600)
    until = f"; rows that acme refused rest until {since(now + 600, now)}"
    assert waits_for(resting, (), awake=True, now=now) == f"a batch to acme, which other files may share{until}"
    assert str(waits_for(replace(resting, batches=[batch()]), (), awake=True, now=now)).endswith(until)
    assert "rest until" not in str(waits_for(resting, (), awake=True, now=now + 601))
    chained = job(state="chained", steps=[replace(resting, route="second", family="k3j9x2ab")])
    assert str(waits_for(chained, (), awake=True, now=now)).endswith(until)
    assert rests_until(chained, now) == now + 600
    assert rests_until(replace(resting, state="delivering"), now) is None


def test_without_a_daemon_all_wait_for_one_but_what_needs_a_person() -> None:
    assert waits_for(job(), (), awake=False) == "a daemon, and none is running: batchd run"
    broken = job(state="failed", reason="it broke.")
    assert waits_for(broken, (), awake=False) == "you, because it broke."
    assert needs_a_person(broken)
    assert needs_a_person(job(batches=[batch(state="held")]))
    assert not needs_a_person(job(batches=[batch()]))


# --- where a file of the command line goes ---------------------------------------------------------------------------


def route(name: str, *match: str) -> Route:
    return Route(name=name, match=match or (f"{name}/**",), provider="p", model="m", prompt=PluginSpec("template"))


REVIEWS, BY_NAME, DEEP = route("reviews"), route("names", "*tweet*.csv"), route("deep", "a/b/*/x-*.csv", "a/c/*.csv")


@pytest.mark.parametrize(
    ("name", "routes", "wanted", "place"),
    [
        ("may.csv", [REVIEWS], None, "reviews/may.csv"),
        ("may.csv", [REVIEWS, BY_NAME], "reviews", "reviews/may.csv"),
        ("tweets.csv", [REVIEWS, BY_NAME], None, "tweets.csv"),
        ("tweets.csv", [REVIEWS, BY_NAME], "reviews", "reviews/tweets.csv"),
        ("tweets.csv", [BY_NAME], "names", "tweets.csv"),
        ("may.csv", [DEEP], None, "a/c/may.csv"),
        ("may.csv", [route("all", "**")], None, "may.csv"),
    ],
)
def test_places(tmp_path: Path, name: str, routes: list[Route], wanted: str | None, place: str) -> None:
    file = tmp_path / name
    assert places([file], tmp_path / "inbox", routes, wanted) == {file: place}


@pytest.mark.parametrize(
    ("name", "routes", "wanted", "says"),
    [
        ("may.csv", [REVIEWS, BY_NAME], None, "--route reviews (takes reviews/**), --route names (takes *tweet*.csv)"),
        ("may.csv", [REVIEWS], "nope", 'There is no route "nope".'),
        ("may.csv", [BY_NAME], None, "There is no folder in which the route names would take a file called may.csv"),
        ("may.csv", [route("all", "**"), REVIEWS], "reviews", "There is no folder in which the route reviews"),
    ],
)
def test_no_place(tmp_path: Path, name: str, routes: list[Route], wanted: str | None, says: str) -> None:
    with pytest.raises(NotClear) as refusal:
        places([tmp_path / name], tmp_path / "inbox", routes, wanted)
    assert says in str(refusal.value)


def test_files_in_the_inbox_stay_where_they_are(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "link").symlink_to(inbox)
    assert places([inbox / "a.csv", tmp_path / "link" / "b.csv"], inbox, [REVIEWS], None) == {}

"""What comes next: for every state there is, the same answer to the same question, and nothing is touched."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.domain import lifecycle as do
from batchd.domain.lifecycle import JobView, next_actions, next_batch_actions, outcome_wait
from batchd.domain.records import Batch, BatchState, Job, JobState, Moment, Part, PartState
from batchd.domain.routing import PluginSpec, Route
from batchd.model import BatchPhase
from batchd.values import replace

ROUTE = Route(
    name="reviews",
    match=("reviews/**",),
    provider="acme",
    model="small",
    prompt=PluginSpec("template"),
    sinks=("csv", "db"),
)
NOW = Moment(at=1_000.0, steady=500.0, boot="this boot")


def job(state: JobState, then: str | None = None, **more: Any) -> Job:
    """A job in this state."""
    return Job(
        id="j",
        state=state,
        source="may.csv",
        inbox_path=b"may.csv",
        stamp=(1, 2, 3, 4),
        route=replace(ROUTE, then=then),
        size=2,
        claimed_at=1.0,
        **more,
    )


def part(first: int, state: PartState) -> Part:
    """A part of ten rows."""
    return Part(job="j", first=first, rows=10, offset=0, length=1, state=state)


def view(state: JobState, *parts: PartState, delivered: tuple[str, ...] = (), **more: Any) -> JobView:
    """A job whose parts are in these states, ten rows each."""
    all_parts = [part(number * 10, each) for number, each in enumerate(parts)]
    counts = {each: parts.count(each) for each in parts}
    workable = [each for each in all_parts if each.state in {PartState.ANSWERED, PartState.UNPLANNED}]
    workable.sort(key=lambda each: each.state is PartState.UNPLANNED)
    planned = min((each.first for each in workable if each.state is PartState.UNPLANNED), default=0)
    return JobView(job(state, **more), counts, workable, frozenset(delivered), planned_rows=planned)


UNPLANNED, PLANNED, BATCHED, ANSWERED, COLLECTED = PartState


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (view(JobState.CLAIMING), [do.Claim("j")]),
        (view(JobState.CLAIMED), [do.Read("j")]),
        (view(JobState.REJECTING), [do.Reject("j")]),
        # Held: the note first; nothing more is planned or sent, but what a provider has answered is collected.
        (view(JobState.HELD, PLANNED), [do.Note("j")]),
        (view(JobState.HELD, PLANNED, note="may.csv.held.txt"), []),
        (view(JobState.HELD, UNPLANNED, ANSWERED, note="n"), [do.Collect("j", 10)]),
        (view(JobState.HELD, COLLECTED, BATCHED, note="n"), []),
        (view(JobState.HELD, COLLECTED, COLLECTED, note="n"), [do.Close("j")]),
        (view(JobState.RUNNING, BATCHED, note="n"), [do.Note("j")]),
        (view(JobState.DONE, note="n"), [do.Note("j")]),
        (view(JobState.FAILED, UNPLANNED, ANSWERED), []),
        (view(JobState.DONE, COLLECTED), []),
        (view(JobState.CANCELLED, COLLECTED), []),
        (view(JobState.REJECTED), []),
        # Planning: plan what is not planned; admit once all is, also if there is nothing left to ask.
        (view(JobState.PLANNING, UNPLANNED, UNPLANNED), [do.Plan("j", 0), do.Plan("j", 10)]),
        (view(JobState.PLANNING, PLANNED, UNPLANNED), [do.Plan("j", 10)]),
        # Of a large file, what is planned is sent early, once it is enough.
        (view(JobState.PLANNING, PLANNED, UNPLANNED, early_from=11), [do.Plan("j", 10)]),
        (view(JobState.PLANNING, PLANNED, UNPLANNED, early_from=10), [do.Plan("j", 10), do.SendEarly("j")]),
        (view(JobState.PLANNING, UNPLANNED, PLANNED, early_from=10), [do.Plan("j", 0)]),
        (view(JobState.PLANNING, PLANNED, UNPLANNED, early_from=10, cancelled=True), [do.Skip("j")]),
        (view(JobState.PLANNING, PLANNED, PLANNED, early_from=10), [do.Admit("j")]),
        (view(JobState.PLANNING, PLANNED, PLANNED), [do.Admit("j")]),
        (view(JobState.PLANNING, PLANNED, COLLECTED), [do.Admit("j")]),
        (view(JobState.PLANNING, COLLECTED, COLLECTED), [do.Admit("j")]),
        # Running: what has answers is collected first; a leftover is planned; waiting for a batch is nothing to do.
        (view(JobState.RUNNING, PLANNED), []),
        (view(JobState.RUNNING, BATCHED), []),
        (view(JobState.RUNNING, UNPLANNED, ANSWERED), [do.Collect("j", 10), do.Plan("j", 0)]),
        (view(JobState.RUNNING, COLLECTED, BATCHED), []),
        (view(JobState.RUNNING, COLLECTED, COLLECTED), [do.Close("j")]),
        # Chained: the later steps are at their end; what came of them is joined, then the file is delivered.
        (view(JobState.CHAINED), [do.Join("j")]),
        (view(JobState.CHAINED, step_columns=("answer",)), [do.Close("j")]),
        (view(JobState.CHAINED, step_columns=("answer",), parent="i"), [do.EndStep("j")]),
        (view(JobState.RUNNING, COLLECTED, parent="i"), [do.EndStep("j")]),
        (view(JobState.RUNNING, COLLECTED, then="other"), [do.HandOn("j")]),
        # Delivering: every sink that has not published yet, then the end.
        (view(JobState.DELIVERING), [do.Deliver("j", "csv"), do.Deliver("j", "db")]),
        (view(JobState.DELIVERING, delivered=("csv",)), [do.Deliver("j", "db")]),
        (view(JobState.DELIVERING, delivered=("csv", "db")), [do.Finish("j")]),
        (view(JobState.DELIVERING, delivered=("csv", "db", "one of before")), [do.Finish("j")]),
        # Cancelled: nothing more is asked; what is answered is kept, what is at a provider is waited for.
        (view(JobState.RUNNING, UNPLANNED, cancelled=True), [do.Skip("j")]),
        (view(JobState.RUNNING, PLANNED, cancelled=True), [do.Skip("j")]),
        (view(JobState.RUNNING, UNPLANNED, ANSWERED, cancelled=True), [do.Collect("j", 10), do.Skip("j")]),
        (view(JobState.RUNNING, BATCHED, cancelled=True), []),
        (view(JobState.RUNNING, BATCHED, PLANNED, cancelled=True), [do.Skip("j")]),
        (view(JobState.RUNNING, ANSWERED, cancelled=True), [do.Collect("j", 0)]),
        (view(JobState.RUNNING, COLLECTED, cancelled=True), [do.Close("j")]),
        (view(JobState.PLANNING, UNPLANNED, cancelled=True), [do.Skip("j")]),
        (view(JobState.DELIVERING, cancelled=True, delivered=("csv", "db")), [do.Finish("j")]),
    ],
)
def test_next_for_a_job(given: JobView, expected: list[do.JobAction]) -> None:
    assert list(next_actions(given)) == expected


def test_the_table_knows_every_state_of_a_job() -> None:
    [parametrize] = test_next_for_a_job.pytestmark  # type: ignore[attr-defined]
    assert {row[0].job.state for row in parametrize.args[1]} == set(JobState)


VIEWS = st.builds(
    lambda state, parts, cancelled, delivered: view(state, *parts, cancelled=cancelled, delivered=tuple(delivered)),
    st.sampled_from(JobState),
    st.lists(st.sampled_from(PartState), max_size=5),
    st.booleans(),
    st.sets(st.sampled_from(["csv", "db"])),
)


@given(VIEWS)
def test_asking_twice_gives_the_same_and_changes_nothing(given: JobView) -> None:
    before = copy.deepcopy(given)
    assert list(next_actions(given)) == list(next_actions(given))
    assert given == before


@given(VIEWS)
def test_a_cancelled_job_asks_nothing_more(given: JobView) -> None:
    if given.job.cancelled:
        assert not any(isinstance(action, do.Plan | do.Admit) for action in next_actions(given))


@given(VIEWS)
def test_a_job_is_closed_only_when_every_part_has_its_outcomes(given: JobView) -> None:
    if any(isinstance(action, do.Close) for action in next_actions(given)):
        assert given.open_parts == 0


@given(VIEWS)
def test_a_job_with_local_work_to_do_never_stands_still(given: JobView) -> None:
    open_states = {state for state, number in given.parts.items() if number}
    if given.job.state in {JobState.PLANNING, JobState.RUNNING} and open_states & {UNPLANNED, ANSWERED}:
        assert list(next_actions(given))


def batch(state: BatchState, **more: Any) -> Batch:
    """A batch in this state."""
    return Batch(
        key="b",
        provider="acme",
        model="small",
        endpoint="/v1/chat/completions",
        state=state,
        requests=1,
        size=1,
        input_tokens=1,
        created_at=1.0,
        **more,
    )


def ago(seconds: float) -> Moment:
    """An intent of so long ago, in this boot."""
    return Moment(at=NOW.at - seconds, steady=NOW.steady - seconds, boot=NOW.boot)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (batch(BatchState.PACKED), [do.Upload("b")]),
        (batch(BatchState.UPLOADED), [do.Submit("b")]),
        (batch(BatchState.SUBMITTING, intent=ago(0)), []),
        (batch(BatchState.SUBMITTING, intent=ago(29.9)), []),
        (batch(BatchState.SUBMITTING, intent=ago(30)), [do.Find("b")]),
        (batch(BatchState.SUBMITTING, intent=ago(-100)), []),  # a clock that is not to be trusted waits longer
        (batch(BatchState.SUBMITTING), [do.Find("b")]),
        (batch(BatchState.SUBMITTED), [do.Poll("b")]),
        (batch(BatchState.SUBMITTED, phase=BatchPhase.CANCELLING), [do.Poll("b")]),
        (batch(BatchState.SUBMITTED, wanted=False), [do.CancelBatch("b"), do.Poll("b")]),
        (batch(BatchState.SUBMITTED, wanted=False, phase=BatchPhase.IN_PROGRESS), [do.CancelBatch("b"), do.Poll("b")]),
        (batch(BatchState.SUBMITTED, wanted=False, phase=BatchPhase.CANCELLING), [do.Poll("b")]),
        (batch(BatchState.ENDED), [do.Fetch("b")]),
        (batch(BatchState.FETCHED), [do.Distribute("b")]),
        (batch(BatchState.HELD), []),
        (batch(BatchState.DONE), []),
        (batch(BatchState.RETURNED), []),
    ],
)
def test_next_for_a_batch(given: Batch, expected: list[do.BatchAction]) -> None:
    before = copy.deepcopy(given)
    assert list(next_batch_actions(given, NOW, create_timeout=10.0)) == expected
    assert given == before


def test_the_table_knows_every_state_of_a_batch() -> None:
    [parametrize] = test_next_for_a_batch.pytestmark  # type: ignore[attr-defined]
    assert {row[0].state for row in parametrize.args[1]} == set(BatchState)


def test_the_wait_is_three_times_the_timeout_counted_from_the_intent() -> None:
    assert outcome_wait(batch(BatchState.SUBMITTING, intent=ago(10)), NOW, create_timeout=10.0) == 20.0


def test_only_a_certain_absence_leads_to_a_second_create() -> None:
    # Between the first create call and another one stands a Find, whatever the state: no state offers both.
    for state in BatchState:
        actions = list(next_batch_actions(batch(state, intent=ago(1e9)), NOW, create_timeout=1.0))
        assert not any(isinstance(each, do.Submit) for each in actions) or state is BatchState.UPLOADED

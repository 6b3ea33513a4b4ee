"""Each write is a step of a way: taken a second time, or from somewhere else, it changes nothing and tells nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from batchd.domain.records import Asked, Batch, BatchState, HeldFor, Job, JobState, Moment, Part, PartState, QueuedPart
from batchd.domain.subjects import DISK
from batchd.events import JobApproved, JobCancelled, JobFinished, JobLate, JobPlanned, JobRetried
from batchd.model import BatchPhase, BatchStatus, Problem, Usage
from batchd.money.budget import Refusal
from batchd.money.lanes import Lane
from batchd.money.spending import Bill
from batchd.receipts import Receipt
from batchd.store.database import Transaction
from batchd.store.errors import NameTaken
from batchd.store.tables.batches import Batches
from batchd.store.tables.deliveries import Delivered, Deliveries
from batchd.store.tables.jobs import Jobs
from batchd.store.tables.money import Collected, Money
from batchd.store.tables.switching import Switch
from batchd.store.tables.waiting import ReadLimit, WaitingPart
from batchd.values import replace

from .conftest import NOW, Opened, batch, job, part

Call = Callable[[Opened], Awaitable[Any]]
Record = Job | Part | Batch


@dataclass(frozen=True)
class Step:
    """A step: what is there before, the call, what it tells, and which job, part or batch it moves."""

    name: str
    before: tuple[Record, ...]
    call: Call
    told: tuple[str, ...] = ()
    moves: Record | None = None
    changes: bool = True


RUNNING = job(JobState.RUNNING)
EARLY = job(JobState.PLANNING, early_from=5)
PLANNED = part(0, PartState.PLANNED, requests=10, size=1_000, input_tokens=100)
BATCHED = replace(PLANNED, state=PartState.BATCHED, batch="batch")
ANSWERED = replace(PLANNED, state=PartState.ANSWERED, batch="batch")
WAITING = QueuedPart(1.0, "job", 0, requests=10, size=1_000, input_tokens=100)
INTENT = Moment(at=1.0, steady=2.0, boot="boot")
PRINT = {"API key": "0123456789abcdef"}
SUBMITTING = batch(BatchState.SUBMITTING, upload="file-1", intent=INTENT)
SUBMITTED = batch(BatchState.SUBMITTED, remote="batch-1")
FINISHED = JobFinished(job="job", source="job.csv", outcome="done", ok=1, failed=0, skipped=0, report="r")
ACCEPTED: dict[str, Any] = {
    "rows": 20,
    "columns": ["id"],
    "answer_columns": ["answer"],
    "sha256": "abc",
    "description": {"encoding": "utf-8"},
    "parts": [part(0), part(10)],
}
DELIVERING = job(JobState.DELIVERING, outbox_stem="may")
STATUS = BatchStatus(
    BatchPhase.COMPLETED, 10, 9, 1, problems=(Problem("c", "m", 2),), usage=Usage(1, 2, 3), details={"a": [1]}
)


COLLECTED = replace(PLANNED, state=PartState.COLLECTED, ok=6)
BILL = Bill(10, Usage(100, 0, 50), Usage(10, 0, 5), 1_000, 100, 2_000)


def late(cost: int) -> JobLate:
    """The event of a switch."""
    return JobLate(job="job", source="job.csv", rows=10, provider="backup", model="other", cost=str(cost))


AT_BACKUP = Switch(True, Asked("backup", "other"), lambda part, _: part.requests, late)


async def planned(store: Opened, before: Part) -> None:
    """The part is planned, at a cost that needs no judgement."""
    await store.money.planned(RUNNING, before, PLANNED, currency="USD", find_refusal=None)


async def admit(store: Opened) -> None:
    """Whatever it costs."""
    event = JobPlanned(job="job", requests=10, failed=0)
    await store.money.admit(
        await store.jobs.get("job"), terms=None, most={}, currency="USD", find_refusal=lambda _: None, event=event
    )


async def approve(store: Opened) -> None:
    """A person allows it."""
    await store.money.approved(job(JobState.HELD), 5, JobApproved(job="job"))


def jobs_step(name: str, state: JobState, call: Call, *told: str, parts: tuple[Part, ...] = (), **more: Any) -> Step:
    """A step that moves a job from this state."""
    given = job(state, **more)
    return Step(name, (given, *parts), call, told, given)


def batches_step(name: str, state: BatchState, call: Call, *told: str, parts: tuple[Part, ...] = ()) -> Step:
    """A step that moves a batch from this state."""
    given = batch(state)
    return Step(name, (RUNNING, given, *parts), call, told, given)


STEPS = [
    # --- prices
    jobs_step(
        "price_again",
        JobState.RUNNING,
        lambda s: s.money.price_again(job().route.provider),
        parts=(PLANNED,),
    ),
    # --- jobs
    Step("begin_claims", (), lambda s: s.jobs.begin_claims([job(JobState.CLAIMING)])),
    jobs_step("forget", JobState.CLAIMING, lambda s: s.jobs.forget("job")),
    jobs_step(
        "claimed", JobState.CLAIMING, lambda s: s.jobs.claimed(job(JobState.CLAIMING), (9, 8, 7, 6)), "JobClaimed"
    ),
    jobs_step("restamp", JobState.CLAIMED, lambda s: s.jobs.restamp(job(), (9, 8, 7, 6))),
    jobs_step("accepted", JobState.CLAIMED, lambda s: s.jobs.accepted(job(), **ACCEPTED), "JobAccepted"),
    jobs_step(
        "accepted again, parts cut otherwise",
        JobState.CLAIMED,
        lambda s: s.jobs.accepted(job(), **ACCEPTED),
        "JobAccepted",
        parts=(part(5),),
    ),
    jobs_step(
        "redelivered",
        JobState.PLANNING,
        lambda s: s.jobs.redelivered(
            job(JobState.PLANNING, duplicate_of="other"), [part(0, PartState.COLLECTED, ok=10)]
        ),
        "JobRedelivered",
        parts=(part(0), part(10)),
        duplicate_of="other",
    ),
    jobs_step(
        "set_duplicate",
        JobState.PLANNING,
        lambda s: s.jobs.set_duplicate(job(JobState.PLANNING, duplicate_of="other"), None),
        duplicate_of="other",
    ),
    jobs_step("archive_elsewhere", JobState.DELIVERING, lambda s: s.jobs.archive_elsewhere(DELIVERING, "may (2).csv")),
    jobs_step(
        "rejecting",
        JobState.CLAIMED,
        lambda s: s.jobs.rejecting(job(), "empty", "It is empty.", archive_name="may.csv"),
        "JobRejected",
    ),
    jobs_step("rejected", JobState.REJECTING, lambda s: s.jobs.rejected(job(JobState.REJECTING), 5.0)),
    Step("admit", (job(JobState.PLANNING), PLANNED), admit, ("JobPlanned",)),
    jobs_step(
        "sent_early",
        JobState.PLANNING,
        lambda s: s.money.sent_early(EARLY, rows=10, terms=None, most={0: 5}),
        parts=(PLANNED, part(10)),
        early_from=5,
    ),
    jobs_step("all_at_once", JobState.PLANNING, lambda s: s.money.all_at_once(EARLY), early_from=5),
    Step("approved", (job(JobState.HELD),), approve, ("JobApproved",), job(JobState.HELD)),
    Step("noted", (job(JobState.HELD),), lambda s: s.money.noted(job(JobState.HELD), "job.csv.held.txt")),
    Step(
        "planned, too dear",
        (RUNNING, replace(part(), attempt=2)),
        lambda s: s.money.planned(
            RUNNING,
            replace(part(), attempt=2),
            replace(PLANNED, attempt=2),
            currency="USD",
            find_refusal=lambda _: Refusal("per_job", "it is too dear"),
        ),
        ("JobHeld",),
        part(),
    ),
    jobs_step(
        "closing", JobState.RUNNING, lambda s: s.jobs.closing(RUNNING, outbox_stem="may", archive_name="may.csv")
    ),
    Step("reserve", (RUNNING,), lambda s: s.jobs.reserve("job", "may")),
    jobs_step("renamed", JobState.DELIVERING, lambda s: s.jobs.renamed(DELIVERING, "may (2)"), outbox_stem="may"),
    Step(
        "sink_skipped",
        (DELIVERING,),
        lambda s: s.deliveries.sink_skipped(DELIVERING, "csv", "a person has ordered it."),
        ("SinkSkipped",),
    ),
    jobs_step(
        "published",
        JobState.DELIVERING,
        lambda s: s.deliveries.published(DELIVERING, "csv", ["may.results.csv"]),
        "JobDelivered",
        outbox_stem="may",
    ),
    jobs_step("finished", JobState.DELIVERING, lambda s: s.jobs.finished(DELIVERING, FINISHED, 5.0), "JobFinished"),
    jobs_step("failed", JobState.RUNNING, lambda s: s.jobs.failed(RUNNING, "code", "Reason."), "JobFailed"),
    jobs_step(
        "revive",
        JobState.FAILED,
        lambda s: s.jobs.revive(
            job(JobState.FAILED),
            state=JobState.RUNNING,
            event=JobRetried(job="job", rows=10),
            parts=[replace(part(0), attempt=2)],
            retry_round=2,
        ),
        "JobRetried",
        parts=(part(0, PartState.COLLECTED),),
    ),
    jobs_step(
        "cancelled",
        JobState.RUNNING,
        lambda s: s.jobs.cancelled(RUNNING, JobCancelled(job="job"), state=JobState.RUNNING),
        "JobCancelled",
    ),
    Step("planned_anew", (RUNNING, PLANNED), lambda s: s.jobs.planned_anew([PLANNED]), moves=PLANNED),
    Step("followed", (RUNNING, COLLECTED), lambda s: s.jobs.followed(COLLECTED, replace(COLLECTED, ok=7))),
    Step(
        "skip",
        (job(JobState.RUNNING, cancelled=True), part(0), replace(PLANNED, first=10), part(20, PartState.BATCHED)),
        lambda s: s.jobs.skip("job"),
    ),
    Step("swept", (job(JobState.DONE), part(0, PartState.COLLECTED)), lambda s: s.jobs.swept(["job"])),
    # --- parts
    Step("planned", (RUNNING, part()), lambda s: planned(s, part()), (), part()),
    Step(
        "switch",
        (RUNNING, replace(PLANNED, state=PartState.BATCHED, batch="batch"), batch(BatchState.PACKED)),
        lambda s: s.switching.switch(RUNNING, AT_BACKUP, currency="USD", find_refusal=lambda _: None),
        ("JobLate",),
    ),
    Step(
        "collected",
        (RUNNING, batch(BatchState.DONE), ANSWERED),
        lambda s: s.money.collected(
            RUNNING,
            ANSWERED,
            Collected(replace(ANSWERED, state=PartState.COLLECTED, ok=10, results=1), "batch", Lane.BATCH, BILL, {}),
        ),
        (),
        ANSWERED,
    ),
    Step(
        "collected, with leftovers",
        (RUNNING, batch(BatchState.DONE), ANSWERED),
        lambda s: s.money.collected(
            RUNNING,
            ANSWERED,
            Collected(
                replace(ANSWERED, state=PartState.UNPLANNED, attempt=2, results=1, batch=None),
                "batch",
                Lane.BATCH,
                BILL,
                {"no_answer": 3},
            ),
        ),
        ("RowsReturned",),
        ANSWERED,
    ),
    Step(
        "split",
        (RUNNING, PLANNED),
        lambda s: s.jobs.split(PLANNED, [replace(part(0), rows=5), replace(part(5), rows=5)], "it is too large"),
        ("PartSplit",),
        PLANNED,
    ),
    # --- batches
    Step("packed", (RUNNING, PLANNED), lambda s: s.batches.packed([(batch(), [WAITING])]), ("BatchPacked",), PLANNED),
    batches_step("uploaded", BatchState.PACKED, lambda s: s.batches.uploaded(batch(), "file-1"), "BatchUploaded"),
    batches_step("uploaded, nothing kept", BatchState.PACKED, lambda s: s.batches.uploaded(batch(), None)),
    batches_step(
        "submitting", BatchState.UPLOADED, lambda s: s.batches.submitting(batch(BatchState.UPLOADED), INTENT, PRINT)
    ),
    batches_step(
        "submitted", BatchState.SUBMITTING, lambda s: s.batches.submitted(SUBMITTING, "batch-1", 5.0), "BatchSubmitted"
    ),
    batches_step(
        "outcome_unknown",
        BatchState.SUBMITTING,
        lambda s: s.batches.outcome_unknown(SUBMITTING, "timed out", 30.0),
        "BatchOutcomeUnknown",
    ),
    batches_step("not_submitted", BatchState.SUBMITTING, lambda s: s.batches.not_submitted(SUBMITTING)),
    batches_step("upload_lost", BatchState.SUBMITTING, lambda s: s.batches.upload_lost(SUBMITTING)),
    batches_step("looked", BatchState.SUBMITTING, lambda s: s.batches.looked(SUBMITTING, 1)),
    batches_step("not_found", BatchState.SUBMITTING, lambda s: s.batches.not_found(SUBMITTING), "BatchNotFound"),
    batches_step(
        "found",
        BatchState.SUBMITTING,
        lambda s: s.batches.found(SUBMITTING, "batch-1", ["batch-2"], 5.0),
        "BatchFound",
    ),
    batches_step(
        "found by a person",
        BatchState.HELD,
        lambda s: s.batches.found(batch(BatchState.HELD), "batch-1", [], 5.0),
        "BatchFound",
    ),
    batches_step(
        "held",
        BatchState.SUBMITTING,
        lambda s: s.batches.held(SUBMITTING, HeldFor.OUTCOME, "Look."),
        "BatchHeld",
    ),
    batches_step("goes_on", BatchState.HELD, lambda s: s.batches.goes_on(batch(BatchState.HELD), {}), "BatchGoesOn"),
    batches_step(
        "resolved_without",
        BatchState.HELD,
        lambda s: s.batches.resolved_without(batch(BatchState.HELD), {}),
        "BatchGoesOn",
    ),
    batches_step("known_to", BatchState.SUBMITTED, lambda s: s.batches.known_to(SUBMITTED, PRINT)),
    batches_step(
        "resolved_absent",
        BatchState.HELD,
        lambda s: s.batches.resolved_absent(batch(BatchState.HELD)),
        "BatchNotFound",
    ),
    batches_step(
        "polled", BatchState.SUBMITTED, lambda s: s.batches.polled(SUBMITTED, STATUS, INTENT, progress=INTENT)
    ),
    batches_step("missing", BatchState.SUBMITTED, lambda s: s.batches.missing(SUBMITTED, {"since": 5.0})),
    batches_step("ended", BatchState.SUBMITTED, lambda s: s.batches.ended(SUBMITTED, STATUS, 5.0), "BatchEnded"),
    batches_step(
        "stalled",
        BatchState.SUBMITTED,
        lambda s: s.batches.stalled(SUBMITTED, STATUS, INTENT, quiet=9.0),
        "BatchStalled",
    ),
    batches_step("cancel_asked", BatchState.SUBMITTED, lambda s: s.batches.cancel_asked(SUBMITTED, INTENT)),
    batches_step("fetched", BatchState.ENDED, lambda s: s.batches.fetched(batch(BatchState.ENDED))),
    batches_step(
        "distributed",
        BatchState.FETCHED,
        lambda s: s.batches.distributed(batch(BatchState.FETCHED), answers=9, strays=1),
        "BatchDownloaded",
        parts=(BATCHED,),
    ),
    batches_step(
        "returned",
        BatchState.ENDED,
        lambda s: s.batches.returned(batch(BatchState.ENDED), "quota"),
        "BatchReturned",
        parts=(BATCHED,),
    ),
    batches_step(
        "returned, its part cut",
        BatchState.ENDED,
        lambda s: s.batches.returned(
            batch(BatchState.ENDED), "bad lines", [replace(part(0), rows=5), replace(part(5), rows=5)]
        ),
        "BatchReturned",
        parts=(BATCHED,),
    ),
    Step(
        "input_file_deleted",
        (RUNNING, batch(BatchState.PACKED)),
        lambda s: s.batches.input_file_deleted("batch"),
        changes=False,
    ),
    # --- the story
    Step("clear_condition", (), lambda s: s.event_log.clear_condition(DISK), changes=False),
]

COUNTS = {"worker_died", "uploading", "begin_keys_anew"}
"""These count: how often they are called, or on from a number. The state of nothing decides about that."""


async def before(store: Opened, step: Step) -> dict[str, Any]:
    """What the step begins with is stored."""
    owners = sorted(step.before, key=lambda record: isinstance(record, Part))
    await store.put(*owners)
    return store.everything()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
async def test_a_step_changes_something_once_and_is_told_once(store: Opened, step: Step) -> None:
    begun = await before(store, step)
    await step.call(store)
    once = store.everything()
    assert (once != begun) is step.changes
    assert tuple(event.kind for event in store.told) == step.told
    await step.call(store)
    assert store.everything() == once
    assert tuple(event.kind for event in store.told) == step.told


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
async def test_a_step_from_another_state_changes_nothing(store: Opened, step: Step) -> None:
    if step.moves is None:
        pytest.skip("it is a step from anywhere")
    await before(store, step)
    states: Any = type(step.moves.state)
    table, where = {
        Job: ("jobs", {"id": "job"}),
        Part: ("parts", {"job": "job", "first": 0}),
        Batch: ("batches", {"key": "batch"}),
    }[type(step.moves)]
    for state in states:
        if state is step.moves.state:
            continue
        await store.set(table, where, state=state)
        elsewhere = store.everything()
        await step.call(store)
        assert store.everything() == elsewhere, f"from {state}"
    assert store.told == []


def test_every_write_is_looked_at_here() -> None:
    looks = {"find", "get", "part", "parts", "views", "sinks_waited_for", "totals", "delivered", "claiming", "ids", "ends", "expired", "better_duplicate", "originals_of_others",
             "of_job", "of_step", "returned_before", "waiting", "enqueued_with", "account", "calibration", "held", "held_as_copy", "has_sent", "last_sent", "knows", "input_files_left"}  # fmt: skip
    public = {name for kind in (Jobs, Batches, Money, Deliveries) for name in vars(kind) if not name.startswith("_")}
    looked_at = {step.name.split(" ")[0].rstrip(",") for step in STEPS}
    assert public - looks - COUNTS <= looked_at


async def waiting(store: Opened, **room: Any) -> list[int]:
    """The first rows of the parts that wait, as far as there is room."""
    limits: dict[str, Any] = {"parts": 10, "of_job": 10, "requests": 1e9, "tokens": 1e9}
    parts, _ = await store.waiting.of_jobs(["job"], ReadLimit(**(limits | room)), now=50.0)
    return [part.first for part in parts]


async def test_what_waits_is_read_as_far_as_there_is_room(store: Opened) -> None:
    many = [replace(PLANNED, first=10 * number, rest_until=60.0 if number == 1 else None) for number in range(5)]
    await store.put(RUNNING, *many)
    assert await waiting(store) == [0, 20, 30, 40]
    assert await waiting(store, parts=2) == [0, 20]
    assert await waiting(store, of_job=3) == [0, 20, 30]
    # The part that fills the room is the last that is read.
    assert await waiting(store, requests=PLANNED.requests * 2) == [0, 20]
    assert await waiting(store, tokens=PLANNED.input_tokens * 2) == [0, 20, 30]
    _, rest = await store.waiting.of_jobs(["job"], ReadLimit(10, 10, 1e9, 1e9), now=50.0)
    assert rest == 60.0
    known = {"job": [WaitingPart("job", 70, 10, 1_000, 100, 50, 0, None, False)]}
    parts, _ = await store.waiting.of_jobs(["job"], ReadLimit(10, 10, 1e9, 1e9), now=50.0, known=known)
    assert parts == known["job"], "what is known is not read again"


async def test_what_may_be_sent_early_waits_while_the_rest_is_planned(store: Opened) -> None:
    many = [replace(PLANNED, first=10 * number) for number in range(3)]
    await store.put(replace(EARLY, early_rows=20), *many, part(30))
    assert await waiting(store) == [0, 10]
    [changed] = (await store.changes.take()).jobs
    assert changed.waiting is not None
    await store.money.all_at_once(EARLY)
    assert await waiting(store) == []
    [changed] = (await store.changes.take()).jobs
    assert changed.waiting is None


# --- what the steps leave ----------------------------------------------------------------------------------------


async def test_the_story_of_a_small_job_from_claim_to_archive(store: Opened) -> None:
    jobs, batches = store.jobs, store.batches
    await jobs.begin_claims([job(JobState.CLAIMING)])
    await jobs.claimed(await jobs.get("job"), (1, 99, 3, 4))
    await jobs.accepted(await jobs.get("job"), **(ACCEPTED | {"rows": 10, "parts": [part()]}))
    await planned(store, await jobs.part("job", 0))
    await admit(store)
    [changed] = (await store.changes.take()).jobs
    assert changed.waiting is not None
    assert changed.waiting[:3] == ("acme", "small", "/v1/chat/completions")
    assert await waiting(store) == [0]
    await batches.packed([(batch(), [WAITING])])
    assert await waiting(store) == []
    assert await batches.parts("batch") == [BATCHED]
    assert await store.waiting.enqueued_tokens() == {("acme", "small"): 100}
    assert await batches.uploading(batch()) == 1
    assert await batches.uploading(batch()) == 2
    await batches.uploaded(batch(), "file-1")
    assert await batches.submitting(await batches.get("batch"), INTENT, PRINT)
    assert not await batches.submitting(await batches.get("batch"), INTENT, PRINT)
    assert (await batches.get("batch")).intent == INTENT
    await batches.submitted(await batches.get("batch"), "batch-1", 5.0)
    later = replace(INTENT, steady=INTENT.steady + 1)
    await batches.polled(await batches.get("batch"), STATUS, later, progress=INTENT)
    polled = await batches.get("batch")
    assert (polled.heard, polled.progress) == (later, INTENT)
    await batches.cancel_asked(await batches.get("batch"), INTENT)
    await batches.cancel_asked(await batches.get("batch"), later)
    assert (await batches.get("batch")).stopping == INTENT, "since it was first to be stopped"
    await batches.ended(await batches.get("batch"), STATUS, 6.0)
    ended = await batches.get("batch")
    assert (ended.phase, ended.completed, ended.failed, ended.total) == (BatchPhase.COMPLETED, 9, 1, 10)
    assert (ended.details, ended.problems) == ({"a": [1]}, [{"code": "c", "message": "m", "line": 2, "param": None}])
    assert await store.waiting.enqueued_tokens() == {}
    await batches.fetched(ended)
    await batches.distributed(await batches.get("batch"), answers=10, strays=0)
    answered = await jobs.part("job", 0)
    assert answered == ANSWERED
    collected = replace(answered, state=PartState.COLLECTED, ok=9, failed=1, results=1)
    await store.money.collected(await jobs.get("job"), answered, Collected(collected, "batch", Lane.BATCH, BILL, {}))
    totals = await jobs.totals("job")
    assert (totals.parts, totals.rows, totals.ok, totals.failed) == (1, 10, 9, 1)
    await jobs.closing(await jobs.get("job"), outbox_stem="may", archive_name="may.csv")
    receipt = Receipt("/srv/results.db", table="results", rows=4)
    await store.deliveries.published(await jobs.get("job"), "csv", ["may.results.csv"])
    await store.deliveries.published(await jobs.get("job"), "db", [], receipt)
    delivered = {"csv": Delivered(["may.results.csv"], None), "db": Delivered([], receipt)}
    assert await store.deliveries.of_job("job") == delivered
    assert [each.key for each in await batches.of_job("job")] == ["batch"]
    await jobs.finished(await jobs.get("job"), FINISHED, 7.0)
    done = await jobs.get("job")
    assert (done.state, done.finished_at, done.accepted_at, done.size) == (JobState.DONE, 7.0, NOW, 99)
    assert (await jobs.ends(), await jobs.ids()) == ({"job": 7.0}, {"job"})
    assert await jobs.expired(8.0) == ["job"]
    assert await jobs.expired(7.0) == []
    await jobs.swept(["job"])
    swept = await jobs.get("job")
    assert (swept.swept_at, swept.size) == (NOW, 99)
    assert await jobs.expired(8.0) == []
    assert await jobs.parts("job") == []
    assert [event.kind for event in store.told] == [
        "JobClaimed", "JobAccepted", "JobPlanned", "BatchPacked", "BatchUploaded", "BatchSubmitted", "BatchEnded",
        "BatchDownloaded", "UsageDiffers", "JobDelivered", "JobDelivered", "JobFinished",
    ]  # fmt: skip


@pytest.mark.parametrize("lane", Lane)
async def test_what_is_spent_is_noted_with_its_lane(store: Opened, lane: Lane) -> None:
    await store.put(RUNNING, replace(batch(BatchState.DONE), lane=lane), ANSWERED)
    assert (await store.batches.get("batch")).lane is lane
    collected = replace(ANSWERED, state=PartState.COLLECTED, ok=10, results=1)
    await store.money.collected(RUNNING, ANSWERED, Collected(collected, "batch", lane, BILL, {}))
    connection = sqlite3.connect(store.path)
    assert connection.execute("SELECT lane FROM spending").fetchall() == [(lane.value,)]
    connection.close()


async def test_a_bill_that_the_database_cannot_hold_is_of_unknown_money(store: Opened) -> None:
    await store.put(RUNNING, batch(BatchState.DONE), ANSWERED)
    collected = replace(ANSWERED, state=PartState.COLLECTED, ok=10, results=1)
    bill = replace(BILL, cost=1 << 63, live_cost=1 << 64)
    await store.money.collected(RUNNING, ANSWERED, Collected(collected, "batch", Lane.BATCH, bill, {}))
    assert await store.money.of_job("job") == replace(
        BILL, wasted=Usage(10, 0, 5), cost=None, wasted_cost=100, live_cost=None
    )


async def test_crashes_are_counted(store: Opened) -> None:
    await store.put(job(), part())
    assert [await store.jobs.worker_died("job", None) for _ in range(2)] == [1, 2]
    assert [await store.jobs.worker_died("job", 0) for _ in range(3)] == [1, 2, 3]
    assert (await store.jobs.get("job")).worker_crashes == 2
    assert (await store.jobs.part("job", 0)).worker_crashes == 3


async def test_an_unknown_outcome_is_told_again_for_another_try(store: Opened) -> None:
    await store.put(batch(BatchState.UPLOADED))
    for _ in range(2):
        await store.batches.submitting(batch(BatchState.UPLOADED), INTENT, PRINT)
        await store.batches.outcome_unknown(SUBMITTING, "timed out", 30.0)
        await store.batches.not_found(SUBMITTING)
    assert [event.kind for event in store.told] == ["BatchOutcomeUnknown", "BatchNotFound"] * 2


@pytest.mark.parametrize(
    "since",
    [
        {"state": "batched"},
        {"state": "unplanned"},
        {"requests": 4},  # cut and planned anew
        None,
    ],
    ids=["batched", "being planned", "cut", "gone"],
)
async def test_a_part_that_waits_no_more_goes_into_no_batch(store: Opened, since: dict[str, Any] | None) -> None:
    await store.put(RUNNING, PLANNED, replace(PLANNED, first=10))
    if since is None:
        await store.database.write(lambda tx: tx.run("delete_parts", job="job"))
    else:
        await store.set("parts", {"job": "job", "first": 10}, **since)
    before = store.everything()
    await store.batches.packed([(batch(), [WAITING, replace(WAITING, first=10)])])
    assert store.everything() == before


async def test_a_batch_that_cannot_be_made_keeps_no_other_from_being_made(store: Opened) -> None:
    await store.put(RUNNING, PLANNED, replace(PLANNED, first=10))
    gone, there = replace(WAITING, first=20), replace(WAITING, first=10)
    made = [(replace(batch(), key=key), parts) for key, parts in [("a", [WAITING, gone]), ("b", [there])]]
    await store.batches.packed(made)
    assert await store.batches.parts("a") == []
    assert [part.first for part in await store.batches.parts("b")] == [10]
    assert [event.kind for event in store.told] == ["BatchPacked"]


@pytest.mark.parametrize("since", [{"cancelled": 1}, {"state": "failed"}, {"state": "held"}, {"state": "delivering"}])
async def test_a_job_that_was_stopped_meanwhile_goes_into_no_batch(store: Opened, since: dict[str, Any]) -> None:
    # Or a batch would be paid for that nobody wants any more.
    await store.put(RUNNING, PLANNED)
    await store.set("jobs", {"id": "job"}, **since)
    await store.batches.packed([(batch(), [WAITING])])
    assert store.everything()["batches"] == []
    assert store.told == []


async def test_a_part_that_was_cut_is_not_whole_again_because_its_plan_came_late(store: Opened) -> None:
    await store.put(RUNNING, replace(part(0), rows=5), replace(part(5), rows=5))
    before = store.everything()
    await planned(store, part(0))
    assert store.everything() == before


async def test_parts_of_a_job_that_goes_on_are_not_skipped(store: Opened) -> None:
    # Between the look that found it cancelled and the step, it was retried by order.
    await store.put(RUNNING, part(0), part(10))
    await store.jobs.skip("job")
    assert [each.state for each in await store.jobs.parts("job")] == [PartState.UNPLANNED] * 2


async def test_what_was_published_under_a_name_that_was_given_up_does_not_count(store: Opened) -> None:
    await store.put(DELIVERING)
    await store.jobs.renamed(DELIVERING, "may (2)")
    await store.deliveries.published(DELIVERING, "csv", ["may.results.csv"])
    assert await store.deliveries.of_job("job") == {}
    assert store.told == []


# --- cancelling ------------------------------------------------------------------------------------------------


async def cancel(store: Opened, name: str = "job") -> None:
    """Cancel a running job by order."""
    await store.jobs.cancelled(job(JobState.RUNNING, name), JobCancelled(job=name), state=JobState.RUNNING)


@pytest.mark.parametrize("state", [BatchState.PACKED, BatchState.UPLOADED])
async def test_a_batch_of_cancelled_jobs_that_was_not_sent_goes_back(store: Opened, state: BatchState) -> None:
    await store.put(RUNNING, batch(state), BATCHED)
    await cancel(store)
    assert (await store.batches.get("batch")).state is BatchState.RETURNED
    assert (await store.jobs.part("job", 0)).state is PartState.PLANNED


@pytest.mark.parametrize("state", [BatchState.SUBMITTING, BatchState.SUBMITTED, BatchState.HELD])
async def test_a_batch_that_may_be_at_the_provider_is_only_marked(store: Opened, state: BatchState) -> None:
    await store.put(RUNNING, batch(state), BATCHED)
    await cancel(store)
    after = await store.batches.get("batch")
    assert (after.state, after.wanted) == (state, False)
    assert (await store.jobs.part("job", 0)).state is PartState.BATCHED


async def test_a_batch_that_another_job_is_in_goes_on_until_that_is_cancelled_too(store: Opened) -> None:
    await store.put(RUNNING, job(JobState.RUNNING, "other"), batch(), BATCHED, replace(BATCHED, job="other"))
    await cancel(store)
    assert (await store.batches.get("batch")).wanted
    assert (await store.jobs.part("job", 0)).state is PartState.BATCHED
    await cancel(store, "other")
    assert (await store.batches.get("batch")).state is BatchState.RETURNED


@pytest.mark.parametrize("step", ["not_submitted", "not_found", "upload_lost", "resolved_absent"])
async def test_a_batch_that_was_cancelled_and_turns_out_not_to_be_there_is_not_sent_again(
    store: Opened, step: str
) -> None:
    held = step == "resolved_absent"
    at = batch(BatchState.HELD if held else BatchState.SUBMITTING, upload="file-1")
    await store.put(RUNNING, at, BATCHED)
    await cancel(store)
    await getattr(store.batches, step)(at)
    assert (await store.batches.get("batch")).state is BatchState.RETURNED
    assert (await store.jobs.part("job", 0)).state is PartState.PLANNED


@pytest.mark.parametrize(("step", "same"), [("not_submitted", False), ("upload_lost", False), ("not_found", True)])
async def test_the_key_of_a_create_changes_after_a_definite_answer_alone(store: Opened, step: str, same: bool) -> None:
    at = batch(BatchState.SUBMITTING, upload="file-1")
    await store.put(RUNNING, at, BATCHED)
    await store.batches.outcome_unknown(at, "it did not answer", 180.0)
    await getattr(store.batches, step)(at)
    after = await store.batches.get("batch")
    assert (after.create_key == at.create_key) is same
    assert after.create_key.startswith("batch")


# --- looking ---------------------------------------------------------------------------------------------------


async def with_work(store: Opened) -> set[str]:
    """Of the jobs that have changed, those that there may be something to do for."""
    return {each.id for each in (await store.changes.take()).jobs if each.has_work}


async def test_only_jobs_with_something_to_do_have_work(store: Opened) -> None:
    await store.put(*(job(state, state.value) for state in JobState))
    waits = job(JobState.RUNNING, "waits for a batch")
    skips = job(JobState.RUNNING, "to be skipped", cancelled=True)
    await store.put(waits, skips)
    await store.put(*(replace(PLANNED, job=each.id) for each in (waits, skips)))
    changed = await store.changes.take()
    # Running without an open part is one to close; the one that waits for a batch costs nothing.
    assert {each.id for each in changed.jobs if each.has_work} == {
        "claiming", "claimed", "planning", "running", "delivering", "rejecting", "held", "to be skipped", "chained",
    }  # fmt: skip
    assert {each.id: each.waiting.model for each in changed.jobs if each.waiting} == {"waits for a batch": "small"}


async def test_the_same_bytes_again_wait_for_the_first_to_be_through(store: Opened) -> None:
    await store.put(
        job(JobState.RUNNING, "first"),
        job(JobState.DONE, "done"),
        job(JobState.PLANNING, "waits", duplicate_of="first"),
        job(JobState.PLANNING, "goes on", duplicate_of="done"),
    )
    assert await with_work(store) == {"first", "goes on"}
    await store.set("jobs", {"id": "first"}, state=JobState.DONE)
    assert await with_work(store) == {"waits"}


async def test_only_what_has_changed_is_looked_at_again(store: Opened) -> None:
    await store.put(job(JobState.CLAIMED, "one"), job(JobState.CLAIMED, "two"), job(), part(), batch())
    first = await store.changes.take()
    assert (sorted(first.job_ids), first.batch_keys) == (["job", "one", "two"], ["batch"])
    nothing = await store.changes.take()
    assert (nothing.job_ids, nothing.jobs, nothing.batch_keys, nothing.batches) == ((), (), (), ())
    await store.set("jobs", {"id": "one"}, reason="x")
    await store.set("parts", {"job": "job", "first": 0}, suspect=1)
    assert sorted((await store.changes.take()).job_ids) == ["job", "one"]
    await store.set("batches", {"key": "batch"}, state=BatchState.DONE)
    ended = await store.changes.take()
    assert (ended.batch_keys, ended.batches) == (["batch"], [])
    with pytest.raises(KeyError):
        await store.database.write(_change_and_fail)
    assert (await store.changes.take()).job_ids == [], "what was taken back has not changed"
    await store.jobs.forget("one")
    await store.set("jobs", {"id": "two"}, state=JobState.CLAIMING)
    await store.jobs.forget("two")
    gone = await store.changes.take()
    assert (gone.job_ids, gone.jobs) == (["two"], [])


def _change_and_fail(tx: Transaction) -> None:
    tx.update("jobs", {"id": "two"}, reason="x")
    raise KeyError("mine")


async def test_a_view_counts_parts_and_shows_answers_first(store: Opened) -> None:
    await store.put(RUNNING, part(0), replace(ANSWERED, first=10, batch=None), replace(PLANNED, first=20))
    [view] = await store.jobs.views(["job"])
    assert view.parts == {PartState.UNPLANNED: 1, PartState.ANSWERED: 1, PartState.PLANNED: 1}
    assert [each.first for each in view.workable] == [10, 0]
    assert view.open_parts == 3


async def test_what_is_not_there_is_a_key_error(store: Opened) -> None:
    assert await store.jobs.find("nothing") is None
    for looking in (store.jobs.get("nothing"), store.jobs.part("nothing", 0), store.batches.get("nothing")):
        with pytest.raises(KeyError):
            await looking


async def test_one_file_in_the_inbox_is_one_job(store: Opened) -> None:
    await store.jobs.begin_claims([job(JobState.CLAIMING, "one", inbox_path=b"may.csv")])
    await store.jobs.begin_claims(
        [job(JobState.CLAIMING, "two", inbox_path=b"may.csv"), job(JobState.CLAIMING, "three")]
    )
    assert await store.jobs.ids() == {"one", "three"}


async def test_two_jobs_under_way_never_share_a_name_in_the_outbox(store: Opened) -> None:
    await store.put(RUNNING, job(JobState.RUNNING, "other"))
    await store.jobs.closing(RUNNING, outbox_stem="may", archive_name="may.csv")
    with pytest.raises(NameTaken):
        await store.jobs.closing(job(JobState.RUNNING, "other"), outbox_stem="may", archive_name="may.csv")
    with pytest.raises(NameTaken):
        await store.jobs.reserve("other", "may")
    await store.jobs.finished(await store.jobs.get("job"), FINISHED, 5.0)
    await store.jobs.closing(job(JobState.RUNNING, "other"), outbox_stem="may", archive_name="may.csv")
    assert (await store.jobs.get("other")).outbox_stem == "may"


# --- the story -------------------------------------------------------------------------------------------------


async def test_orders_are_carried_out_in_the_order_they_came_and_answered_once(store: Opened) -> None:
    def leave(tx: Any) -> None:
        rows = [{"at": 1.0, "kind": kind, "target": "job", "data": '{"found":"x"}'} for kind in ("cancel", "retry")]
        tx.insert("orders", rows)

    await store.database.write(leave)
    first, second = await store.event_log.orders()
    assert (first.kind, first.target, first.data, second.kind) == ("cancel", "job", {"found": "x"}, "retry")
    await store.event_log.answer(first, "Done.")
    assert await store.event_log.orders() == [second]


async def test_a_condition_is_news_once_and_again_after_it_was_over(store: Opened) -> None:
    await store.event_log.raise_condition(DISK, "It is full.")
    await store.event_log.raise_condition(DISK, "It is still full.")
    assert await store.event_log.conditions() == {DISK: "It is still full."}
    await store.event_log.clear_condition(DISK)
    await store.event_log.clear_condition(DISK)
    await store.event_log.raise_condition(DISK, "It is full.")
    assert [event.kind for event in store.told] == ["ConditionRaised", "ConditionCleared", "ConditionRaised"]

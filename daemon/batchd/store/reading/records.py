"""What a look at the database finds, as values.

States are plain strings here, as they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from ...domain.states import JobState
from ...domain.subjects import Subject
from ...receipts import Receipt

if TYPE_CHECKING:
    from ...events import Event

FINAL = frozenset(state.value for state in JobState if state.final)
"""States of a job that nothing more will happen to."""


class Tokens(NamedTuple):
    """The tokens that were billed; `wasted_…` is the part of them that answered no row."""

    input: int
    cached: int
    output: int
    wasted_input: int
    wasted_output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSummary:
    """A batch, from the side of one job: `ours` of its requests are that job's.

    `progress_at` is when the provider last said anything new of it, `stopping_at` when it was first to be stopped.
    `held_for` is what a person must decide about it, `answers_until` when the provider deletes its answers, `account` a
    name for the fingerprint of its account, `live_rate` how fast its live calls are made, in words. `completed`,
    `failed` and `total` are what the provider counts. At `cut_at` it was decided to end it early, for a deadline.
    """

    key: str
    provider: str
    model: str
    state: str
    phase: str | None
    requests: int
    ours: int
    completed: int
    failed: int
    total: int
    remote: str | None
    extra_remotes: Sequence[str]
    reason: str | None
    created_at: float
    submitted_at: float | None
    ended_at: float | None
    progress_at: float | None = None
    stopping_at: float | None = None
    held_for: str | None = None
    answers_until: float | None = None
    account: str | None = None
    lane: str = "batch"
    live_rate: str | None = None
    cut_at: float | None = None

    @property
    def answered(self) -> int:
        """How many of the job's requests in it the provider has answered, as far as it says."""
        share = (self.completed + self.failed) / (self.total or self.requests or 1)
        return round(self.ours * min(1.0, share))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A job with its parts added up.

    `ok`, `failed` and `empty` (nothing to ask about) count rows that have their outcome. `answered` counts these rows
    and those that the provider says it has answered beyond them. `parts` is how many parts are in each state; `batches`
    are those under way. `tokens` is None once a finished job is not kept any longer. `duplicate_of` is the earlier job
    whose answers this one delivers again. Since `late_at` the rows are asked by live calls, for the deadline.
    `moved_from` is the provider that was asked before the fallback of the route. From `rest_until` on, all rows that
    the service refused may be asked again. Money is in subunits of `currency`, which is None if the price was unknown.

    `steps` are the later steps of the chain, for the job that took the file; for a later step, `family` is that job.
    """

    id: str
    state: str
    source: str
    route: str
    provider: str
    model: str
    sinks: Sequence[str]
    rows: int | None
    ok: int
    failed: int
    empty: int
    answered: int
    parts: Mapping[str, int]
    tokens: Tokens | None
    cancelled: bool
    reason_code: str | None
    reason: str | None
    estimated_cost: int | None
    cost: int | None
    currency: str | None
    outbox_stem: str | None
    archive_name: str | None
    sha256: str | None
    duplicate_of: str | None
    claimed_at: float
    accepted_at: float | None
    planned_at: float | None
    collected_at: float | None
    finished_at: float | None
    purged_at: float | None = None
    late_at: float | None = None
    moved_from: str | None = None
    rest_until: float | None = None
    batches: Sequence[BatchSummary] = ()
    steps: Sequence[JobSummary] = ()
    family: str | None = None

    @property
    def now_in(self) -> JobSummary:
        """The step of its chain that is under way: itself, unless it waits for a later one."""
        if self.state != "chained":
            return self
        under_way = [step for step in self.steps if not step.final]
        return next((step for step in reversed(under_way) if step.state != "chained"), self)

    @property
    def final(self) -> bool:
        """True once nothing more will happen to it by itself."""
        return self.state in FINAL

    @property
    def skipped(self) -> int:
        """Rows that are not asked: nothing is in them to ask about, or the job was cancelled."""
        return (self.rows or 0) - self.ok - self.failed if self.state == "cancelled" else self.empty


class Delivery(Struct, frozen=True):
    """What a sink has published of a job: the names of its files in the outbox, and its receipt, if it gave one."""

    sink: str
    files: Sequence[str]
    delivered_at: float
    receipt: Receipt | None = None


class LearntLimit(NamedTuple):
    """Limits of a model at a provider, as refusals taught them: enqueued tokens, and requests and bytes of a batch."""

    provider: str
    model: str
    tokens: int | None
    requests: int | None
    size: int | None


class Condition(Struct, frozen=True):
    """What keeps the daemon waiting, in a sentence, and since when, if that is known."""

    subject: Subject
    text: str
    since: float | None


class StoredEvent(Struct, frozen=True):
    """One stored event. `event` is None if this version does not know its kind."""

    at: float
    kind: str
    job: str | None
    batch: str | None
    data: Mapping[str, Any]
    event: Event | None

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        return self.event.sentence if self.event is not None else f"{self.kind}: {dict(self.data)}"

"""The stored records: jobs, their parts, batches. The states say what has been done, not what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from ..model import BatchPhase, Dialect, Json, Usage
from ..money.lanes import Lane
from ..money.pricing import Terms
from .routing import Route
from .states import BatchState as BatchState
from .states import HeldFor as HeldFor
from .states import JobState as JobState
from .states import PartState as PartState
from .states import Trial as Trial

OUTPUT_TOKENS_UNKNOWN = 500
"""Expected output tokens of a request without a maximum; used only to estimate the size of the download."""


class Asked(Struct, frozen=True):
    """Who answers the rows: the provider, its model, and their terms; `terms` is None if the price is not known."""

    provider: str
    model: str
    terms: Terms | None = None

    def to_json(self) -> dict[str, Json]:
        """The form in which it is stored."""
        return {"provider": self.provider, "model": self.model, "terms": self.terms and self.terms.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One accepted file, from claim to archive.

    Money is in subunits. `terms` are the prices of its model when it was admitted; they price the whole job. `approved`
    is what a person allows it to cost in total, `note` the name of its note in the held folder. `swept_at` is when its
    working files were removed, long after its end: from then on it cannot be retried. `redelivered_at` is when it took
    over the answers of `duplicate_of`. `purge_ordered_at` is when a person ordered its purge, `purged_at` when that was
    done, `purge_result` the result. `replaces` is the name of the outputs of an earlier file of the same name. From
    `late_at` on, its rows are asked by live calls, because batches would have ended after its deadline.
    `before_fallback` says who was asked before the job moved to the fallback of its route. `trial` says that some rows
    are asked ahead. A later step of a chain has the job that its rows come from as `parent`, and the job that took the
    file as `family`. Once the answers of later steps are joined to its own, `step_columns` are only its own columns.

    Of a large file, the first `early_rows` rows may be sent while the others are planned. Once the first `early_from`
    rows are planned, these may be sent, too; None means that all others wait until the job is admitted. `planned_at` is
    then when the first rows were planned.
    """

    id: str
    state: JobState
    source: str
    inbox_path: bytes
    stamp: tuple[int, int, int, int]
    route: Route
    size: int
    claimed_at: float
    rows: int | None = None
    columns: Sequence[str] = ()
    answer_columns: Sequence[str] = ()
    sha256: str | None = None
    description: Mapping[str, Json] = field(default_factory=dict)
    dialect: Dialect | None = None
    reason_code: str | None = None
    reason: str | None = None
    cancelled: bool = False
    worker_crashes: int = 0
    retry_round: int = 1
    duplicate_of: str | None = None
    outbox_stem: str | None = None
    replaces: str | None = None
    archive_name: str | None = None
    estimated_cost: int | None = None
    terms: Terms | None = None
    approved: int | None = None
    note: str | None = None
    accepted_at: float | None = None
    planned_at: float | None = None
    collected_at: float | None = None
    finished_at: float | None = None
    swept_at: float | None = None
    redelivered_at: float | None = None
    purge_ordered_at: float | None = None
    purged_at: float | None = None
    purge_result: str | None = None
    late_at: float | None = None
    before_fallback: Asked | None = None
    trial: Trial | None = None
    parent: str | None = None
    family: str | None = None
    step_columns: Sequence[str] | None = None
    early_rows: int = 0
    early_from: int | None = None

    @property
    def first_step(self) -> str:
        """The job that took the file: this one, unless it is a later step of a chain."""
        return self.family or self.id

    def asked(self, batch: Batch | None = None) -> Asked:
        """Return who answers its rows now, or who answered them in this batch."""
        before = self.before_fallback
        if batch is not None and before is not None and batch.provider == before.provider:
            return before
        return Asked(self.route.provider, self.route.model, self.terms)

    @property
    def relative_path(self) -> str:
        """The file's path in the inbox. Bytes that are not UTF-8 are lone surrogates."""
        return self.inbox_path.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A run of consecutive rows of one job: `rows` rows from row `first`, `length` bytes at `offset` of rows.jsonl.

    `attempt` is the current try, from 1. `results` counts the results files; the last one is valid, 0 means that there
    is none yet. `ok` and `failed` count its rows by outcome, `empty` the rows that are not asked, because the cells of
    their question are empty. `suspect` counts how often its batch was refused without a reason; such a part is sent in
    a batch of its own. `excused` counts attempts that do not count, because the service refused the account and not a
    row. The part is not sent before `rest_until`, by the wall clock.

    Of the current attempt: `counted_tokens` are the input tokens before any correction, `longest` those of the longest
    request, `unlimited` the number of requests that set no limit to their answers, and `reserved` its highest possible
    cost, reserved until it is collected.

    `reused` rows have the answer to an identical request, of an earlier job or in this part; `saved` are the tokens
    billed for those answers. A part for `later` is not asked before a person has seen the answers of the job's pilot.

    Once the outcomes of later steps are joined to its own, `step_results` is the results file with only its own.
    """

    job: str
    first: int
    rows: int
    offset: int
    length: int
    state: PartState = PartState.UNPLANNED
    attempt: int = 1
    results: int = 0
    ok: int = 0
    failed: int = 0
    requests: int = 0
    size: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    counted_tokens: int = 0
    longest: int = 0
    unlimited: int = 0
    reserved: int = 0
    batch: str | None = None
    worker_crashes: int = 0
    suspect: int = 0
    excused: int = 0
    rest_until: float | None = None
    usage: Usage = field(default_factory=Usage)
    wasted: Usage = field(default_factory=Usage)
    reused: int = 0
    saved: Usage = field(default_factory=Usage)
    later: bool = False
    empty: int = 0
    step_results: int = 0

    @property
    def settled(self) -> int:
        """Rows with an outcome."""
        return self.ok + self.failed + self.empty


class Totals(Struct, frozen=True):
    """The parts of a job added up."""

    parts: int
    rows: int
    ok: int
    failed: int
    empty: int

    @property
    def settled(self) -> int:
        """Rows with an outcome."""
        return self.ok + self.failed + self.empty


class QueuedPart(Struct, frozen=True, order=True):
    """A planned part that waits for a batch. Sorts by arrival: older jobs first, then by row.

    `since` is when it began to wait, in steady seconds; `size` the bytes of its request lines. `suspect` counts its
    refusals without a reason; such a part gets a batch of its own. `priority` is that of its route. With `more`, other
    parts of its job are still to come, so its batch is not made before it is full.
    """

    claimed_at: float
    job: str
    first: int
    requests: int = 0
    size: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    since: float = 0.0
    suspect: int = 0
    priority: int = 1
    more: bool = False

    @property
    def alone(self) -> bool:
        """Whether it gets a batch of its own."""
        return self.suspect > 0

    @property
    def output_size(self) -> int:
        """The highest expected number of bytes of its answers."""
        tokens = self.output_tokens or OUTPUT_TOKENS_UNKNOWN * self.requests
        return self.requests * 1_200 + tokens * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment, such as when a create call was allowed to go out: by the wall clock, and by a clock that never jumps.

    `at` and `steady` are in seconds; `boot` tells the boots of the machine apart.
    """

    at: float
    steady: float
    boot: str

    def age(self, now: Moment) -> float:
        """Seconds that have certainly passed from this moment to `now`.

        Wall clocks jump, so within one boot the steady clock counts. After a reboot at least the new uptime has
        passed; the wall clock can only make it less, in case the state folder has moved here from another machine.
        """
        if self.boot == now.boot:
            return now.steady - self.steady
        return max(0.0, min(now.steady, now.at - self.at))

    def elapsed(self, now: Moment) -> float:
        """Seconds that have probably passed: after a reboot by the wall clock."""
        return max(0.0, now.steady - self.steady if self.boot == now.boot else now.at - self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One or more parts, of one or more jobs, submitted together to a batch provider.

    `heard` is when the provider last answered about it, `progress` when the answer last changed, `stopping` when
    batchd decided to stop it there. It is `wanted` as long as its answers are needed. `lane` says how its requests are
    sent and paid. `fingerprint` is that of the account under which the provider last knew it, `answers_until` when the
    provider deletes its answers. `cut_at` is when batchd decided to end it early, for a deadline. `create_answers`
    counts definite answers to its create call other than success. `rows_key` is a digest of its rows. `unlisted` counts
    its create calls of unknown outcome that the provider's list did not show.
    """

    key: str
    provider: str
    model: str
    endpoint: str
    state: BatchState
    requests: int
    size: int
    input_tokens: int
    created_at: float
    uploads: int = 0
    upload: str | None = None
    intent: Moment | None = None
    looks: int = 0
    remote: str | None = None
    extra_remotes: Sequence[str] = ()
    phase: BatchPhase | None = None
    completed: int = 0
    failed: int = 0
    total: int = 0
    details: Mapping[str, Json] = field(default_factory=dict)
    problems: Sequence[Mapping[str, Json]] = ()
    usage: Usage | None = None
    wanted: bool = True
    reason: str | None = None
    submitted_at: float | None = None
    ended_at: float | None = None
    heard: Moment | None = None
    progress: Moment | None = None
    stopping: Moment | None = None
    lane: Lane = Lane.BATCH
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    held_for: HeldFor | None = None
    answers_until: float | None = None
    cut_at: float | None = None
    create_answers: int = 0
    rows_key: str | None = None
    unlisted: int = 0

    def noted(self, key: str) -> Moment | None:
        """Return the moment stored in its details under this key, None if there is none."""
        moment = self.details.get(key)
        return Moment(**moment) if isinstance(moment, dict) else None

    @property
    def create_key(self) -> str:
        """The idempotency key of its create call: the same while the outcome of the call is unknown."""
        return f"{self.key}-{self.create_answers}" if self.create_answers else self.key

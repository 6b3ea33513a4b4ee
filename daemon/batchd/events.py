"""What happened, in the past tense: the story of a job, the daemon's log and what observers are told.

An event is written to the database in the same transaction as the change it tells of, and told to the log and
to observers only after the commit. Its `sentence` is for the operator at three in the morning.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root. `job` and `batch` say whom it concerns; `severity` is a level of `logging`."""

    job: str | None = None
    batch: str | None = None

    severity: ClassVar[str] = "info"

    @property
    def kind(self) -> str:
        """The stable name, for machines: the class's."""
        return type(self).__name__

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """Everything but job and batch, as JSON can say it."""
        record = dataclasses.asdict(self)
        del record["job"], record["batch"]
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaimed(Event):
    """A dropped file was taken out of the inbox; from here on it is safe in the spool."""

    source: str
    route: str
    size: int

    @property
    def sentence(self) -> str:
        return f"Took {self.source} ({self.size:,} bytes) for route {self.route}."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccepted(Event):
    """A file was read to its end and can be worked on."""

    source: str
    rows: int
    parts: int
    sha256: str
    twin: str | None = None

    @property
    def sentence(self) -> str:
        twin = f" It is the same as job {self.twin}, whose answers will be delivered again." if self.twin else ""
        return f"Read {self.source}: {count(self.rows, 'row')} in {count(self.parts, 'part')}.{twin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRedelivered(Event):
    """The same bytes were asked about before by the same route: the answers of then are delivered, at no cost."""

    twin: str
    rows: int

    @property
    def sentence(self) -> str:
        return (
            f"Took the answers to {count(self.rows, 'row')} from job {self.twin}; nothing was asked, nothing is paid."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRejected(Event):
    """A file cannot be taken; it lies in the rejected folder with the reason beside it."""

    source: str
    code: str
    reason: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return f"Rejected {self.source}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlanned(Event):
    """Every row has been turned into a request, or has failed on the way."""

    requests: int
    failed: int
    estimated_cost: str | None = None
    currency: str | None = None
    unlimited: int = 0

    @property
    def sentence(self) -> str:
        failed = f" {count(self.failed, 'row')} could not be asked." if self.failed else ""
        cost = f", at most {self.estimated_cost} {self.currency}" if self.estimated_cost else ""
        if self.unlimited:
            cost = f"; what they can cost at most is not known, since {self.unlimited:,} set no max_tokens"
        return f"Planned {count(self.requests, 'request')}{cost}.{failed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHeld(Event):
    """A job is not sent, or not sent again, because of what it could cost."""

    source: str
    reason: str
    waits: bool = False
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        then = (
            "It goes on by itself once there is room in the budget."
            if self.waits
            else f"It waits for you: batchd approve {self.job}, or batchd cancel {self.job}."
        )
        return f"Held {self.source}: {self.reason}. {then}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobApproved(Event):
    """A person allows a job that was held to cost what it may."""

    amount: str | None = None
    currency: str | None = None
    where: str | None = None

    @property
    def sentence(self) -> str:
        how = f" by the file {self.where}" if self.where else ""
        most = f"up to {self.amount} {self.currency} in all" if self.amount else "whatever it costs"
        return f"Approved{how}: {most}."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed(Event):
    """A job cannot go on; what there is of it stays in the spool until `batchd retry` or `batchd cancel`."""

    reason: str
    severity: ClassVar[str] = "error"

    @property
    def sentence(self) -> str:
        return f"The job stands still: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled(Event):
    """Someone cancelled the job: rows that have no answer yet are skipped."""

    @property
    def sentence(self) -> str:
        return "Cancelled by order. Rows without an answer will be marked as skipped."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRetried(Event):
    """Someone asked for the job's failed and skipped rows to be asked again."""

    rows: int

    @property
    def sentence(self) -> str:
        return f"Retrying by order: {count(self.rows, 'row')} will be asked again."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDelivered(Event):
    """A sink has published the job."""

    sink: str
    files: list[str] = dataclasses.field(default_factory=list)

    @property
    def sentence(self) -> str:
        where = f": {', '.join(self.files)}" if self.files else ""
        return f"Delivered through {self.sink}{where}."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished(Event):
    """Results, report and archive are in place."""

    source: str
    outcome: str
    ok: int
    failed: int
    skipped: int
    report: str

    @property
    def sentence(self) -> str:
        counts = [f"{self.ok:,} ok"]
        counts += [f"{self.failed:,} failed"] if self.failed else []
        counts += [f"{self.skipped:,} skipped"] if self.skipped else []
        verdict = " That is more failures than max_failed allows." if self.outcome == "failed" else ""
        return f"Finished {self.source}: {', '.join(counts)}.{verdict} The report is {self.report}."


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsReturned(Event):
    """Some rows of a part came back without a lasting answer and are asked again."""

    part: int
    rows: int
    attempt: int
    reasons: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def sentence(self) -> str:
        reasons = ", ".join(f"{code} × {number}" for code, number in self.reasons.items())
        return (
            f"{count(self.rows, 'row')} of the part from row {self.part} will be asked again "
            f"(attempt {self.attempt}): {reasons}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSplit(Event):
    """A part was too large for the provider, or held a row that sinks its batch, and was cut."""

    part: int
    pieces: int
    reason: str

    @property
    def sentence(self) -> str:
        return f"Cut the part from row {self.part} into {self.pieces}: {self.reason}."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDied(Event):
    """A worker process died over a part, which is tried again, or over a file's reading."""

    part: int | None = None
    times: int
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        what = "reading the file" if self.part is None else f"the part from row {self.part}"
        return f"A worker process died while working on {what} ({count(self.times, 'time')} so far)."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPacked(Event):
    """Parts were put together for one submission."""

    provider: str
    model: str
    parts: int
    jobs: int
    requests: int

    @property
    def sentence(self) -> str:
        of = f" from {count(self.jobs, 'job')}" if self.jobs > 1 else ""
        return f"Packed batch {self.batch} for {self.provider}: {count(self.requests, 'request')}{of} to {self.model}."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchUploaded(Event):
    """The provider has the input file."""

    upload: str
    size: int

    @property
    def sentence(self) -> str:
        return f"Uploaded batch {self.batch} ({self.size:,} bytes) as {self.upload}."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSubmitted(Event):
    """The provider has the batch."""

    remote: str

    @property
    def sentence(self) -> str:
        return f"Submitted batch {self.batch}; the provider calls it {self.remote}."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcomeUnknown(Event):
    """It is not known whether the provider created the batch; batchd waits and looks before it asks again."""

    reason: str
    wait: float
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return (
            f"It is not known whether the provider has created batch {self.batch} ({self.reason}). "
            f"Looking for it in {self.wait:.0f} s; it will not be created twice."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFound(Event):
    """A batch whose creation was not confirmed was found at the provider."""

    remote: str
    others: list[str] = dataclasses.field(default_factory=list)

    @property
    def sentence(self) -> str:
        others = f" So does {', '.join(self.others)}, which is cancelled." if self.others else ""
        return f"Found batch {self.batch} at the provider: {self.remote} holds it.{others}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNotFound(Event):
    """A batch whose creation was not confirmed is certainly not there; it is created now."""

    @property
    def sentence(self) -> str:
        return f"Looked twice: the provider does not have batch {self.batch}. Creating it now."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHeld(Event):
    """A batch waits for a person, because batchd would have to guess."""

    reason: str
    severity: ClassVar[str] = "error"

    @property
    def sentence(self) -> str:
        return f"Batch {self.batch} waits for you: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded(Event):
    """The provider has stopped working on the batch, however that ended."""

    phase: str
    completed: int
    failed: int
    total: int
    problems: list[str] = dataclasses.field(default_factory=list)

    @property
    def sentence(self) -> str:
        problems = f" It says: {'; '.join(self.problems)}" if self.problems else ""
        return (
            f"Batch {self.batch} is {self.phase} at the provider, "
            f"which counts {self.completed:,} of {self.total:,} answered.{problems}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDownloaded(Event):
    """The answers are on our disk."""

    answers: int
    strays: int = 0

    @property
    def sentence(self) -> str:
        strays = f" Set aside, since no row asked for it: {count(self.strays, 'line')}." if self.strays else ""
        return f"Fetched {count(self.answers, 'answer')} of batch {self.batch}.{strays}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDiffers(Event):
    """The provider counts other tokens for a batch than its answers say; its own count is what it bills."""

    input_tokens: int
    output_tokens: int
    provider_input: int
    provider_output: int
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return (
            f"The answers of batch {self.batch} add up to {self.input_tokens:,} tokens of input and "
            f"{self.output_tokens:,} of output; the provider counts {self.provider_input:,} and "
            f"{self.provider_output:,}. "
            "Its bill may differ from the report."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReturned(Event):
    """A batch did not run; its parts are back in the queue."""

    reason: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return f"Batch {self.batch} did not run and goes back in the queue: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRaised(Event):
    """Something keeps batchd waiting: a provider down, a key refused, a disk full, a file that cannot be taken."""

    subject: str
    text: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return f"{self.subject}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionCleared(Event):
    """What kept batchd waiting is over."""

    subject: str

    @property
    def sentence(self) -> str:
        return f"{self.subject}: all is well again."


def _kinds(root: type[Event]) -> dict[str, type[Event]]:
    return {kind.__name__: kind for kind in root.__subclasses__()}


def from_record(kind: str, data: Mapping[str, Any], *, job: str | None, batch: str | None) -> Event | None:
    """The event of a stored record, None if this version does not know its kind or its fields."""
    known = _kinds(Event).get(kind)
    if known is None:
        return None
    try:
        return known(job=job, batch=batch, **data)
    except TypeError:
        return None


def count(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

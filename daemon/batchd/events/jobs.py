"""What happens to jobs and their parts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from .base import Event, count


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaimed(Event):
    """A dropped file was taken out of the inbox; from here on it is safe in the spool."""

    source: str
    route: str
    size: int

    @property
    def sentence(self) -> str:
        why = f" for route {self.route}" if self.route else "; no route takes it"
        return f"Took {self.source} ({self.size:,} bytes){why}."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccepted(Event):
    """A file was read to its end and can be worked on."""

    source: str
    rows: int
    parts: int
    sha256: str
    duplicate_of: str | None = None

    @property
    def sentence(self) -> str:
        duplicate_of = (
            f" It is the same as job {self.duplicate_of}, whose answers will be delivered again."
            if self.duplicate_of
            else ""
        )
        return f"Read {self.source}: {count(self.rows, 'row')} in {count(self.parts, 'part')}.{duplicate_of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRedelivered(Event):
    """The same bytes were asked about before by the same route: the answers of then are delivered, at no cost."""

    duplicate_of: str
    rows: int

    @property
    def sentence(self) -> str:
        rows = count(self.rows, "row")
        return f"Took the answers to {rows} from job {self.duplicate_of}; nothing was asked, nothing is paid."


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
    reused: int = 0

    @property
    def sentence(self) -> str:
        again = f" {count(self.reused, 'row')} had been asked before, and cost nothing." if self.reused else ""
        failed = f" {count(self.failed, 'row')} could not be asked." if self.failed else ""
        cost = f", at most {self.estimated_cost} {self.currency}" if self.estimated_cost else ""
        if self.unlimited:
            cost = f"; what they can cost at most is not known, since {self.unlimited:,} set no max_tokens"
        return f"Planned {count(self.requests, 'request')}{cost}.{again}{failed}"


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
class OrderRefused(Event):
    """An order was not carried out. Who gave it may be gone: it was left while no daemon was running."""

    order: str
    reason: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return f"The order to {self.order} it was not carried out. {self.reason}"


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
    failures: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def sentence(self) -> str:
        counts = [f"{self.ok:,} ok"]
        codes = ", ".join(f"{code} × {number:,}" for code, number in self.failures.items())
        counts += [f"{self.failed:,} failed{f' ({codes})' if codes else ''}"] if self.failed else []
        counts += [f"{self.skipped:,} skipped"] if self.skipped else []
        verdict = " That is more failures than max_failed allows." if self.outcome == "failed" else ""
        return f"Finished {self.source}: {', '.join(counts)}.{verdict} The report is {self.report}."


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChanged(Event):
    """Somebody wrote to a file after it had been read to its end: what is in it since then was not asked."""

    source: str
    read: int
    now: int
    archived: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return (
            f"Somebody wrote to {self.source} after it had been read ({self.read:,} bytes then, {self.now:,} now), and "
            f"what came later is not answered. All is in the archive as {self.archived}: drop what is missing again."
        )


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

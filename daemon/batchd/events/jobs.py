"""The events of jobs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Any, ClassVar

from .base import Event, count, listed, size_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaimed(Event):
    """A dropped file was moved from the inbox to the working files, where it is safe."""

    source: str
    route: str
    size: int

    @property
    def sentence(self) -> str:
        why = "" if self.route else "; no route takes it"
        return f"Received {self.source} ({size_in_words(self.size)}){why}."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccepted(Event):
    """A file was read to its end and can be processed."""

    source: str
    rows: int
    parts: int
    sha256: str
    duplicate_of: str | None = None

    @property
    def sentence(self) -> str:
        same = f" It is the same as job {self.duplicate_of}, whose answers are used again." if self.duplicate_of else ""
        return f"{self.source} has {count(self.rows, 'row')}.{same}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRedelivered(Event):
    """The same route processed a file with the same bytes before: its answers are used again, at no cost.

    `asked` rows had no answer there, and are asked.
    """

    duplicate_of: str
    rows: int
    asked: int = 0

    @property
    def sentence(self) -> str:
        rows = count(self.rows, "row")
        if self.asked:
            others = "the other row" if self.asked == 1 else f"the other {self.asked:,} rows"
            return (
                f"Used the answers to {rows} from job {self.duplicate_of} again, at no cost; {others} had no answer "
                "there and will be asked."
            )
        return f"Used the answers to {rows} from job {self.duplicate_of} again: nothing was sent, nothing is paid."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRejected(Event):
    """A file cannot be processed; it is in the rejected folder with the reason beside it."""

    source: str
    code: str
    reason: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return f"Rejected {self.source}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlanned(Event):
    """Every row has a request, or has failed. Some requests of a large file are `sent`, or about to be, before that."""

    requests: int
    failed: int
    estimated_cost: str | None = None
    currency: str | None = None
    unlimited: int = 0
    reused: int = 0
    empty: int = 0
    sent: int = 0

    @property
    def sentence(self) -> str:
        nothing = f" {count(self.empty, 'row')} with nothing to ask about will be skipped." if self.empty else ""
        again = f" {count(self.reused, 'row')} had been asked before, and cost nothing." if self.reused else ""
        failed = f" {count(self.failed, 'row')} could not be turned into a question." if self.failed else ""
        if not self.requests:
            return f"There is no question to send.{again}{failed}{nothing}"
        they = "it costs" if self.requests == 1 else "they cost"
        cost = f"; {they} at most {_rounded(self.estimated_cost)} {self.currency}" if self.estimated_cost else ""
        if self.unlimited:
            cost = f"; what {they} at most is not known, since {self.unlimited:,} of them set no max_tokens"
        what = f"Ready to send {count(self.requests, 'question')}"
        if self.sent:
            what = f"All {self.requests:,} questions are ready, {self.sent:,} of them are under way"
        return f"{what}{cost}.{again}{failed}{nothing}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLate(Event):
    """A job would be late: batchd ends what is under way, and asks the remaining rows by live calls.

    `rows` have no answer yet, as far as is known; `cost` is what they can cost at most.
    """

    source: str
    rows: int
    provider: str
    model: str
    cost: str | None = None
    currency: str | None = None

    @property
    def sentence(self) -> str:
        cost = f" They can cost at most {_rounded(self.cost)} {self.currency}." if self.cost else ""
        return (
            f"{self.source} would be late, with {count(self.rows, 'row')} not answered, so batchd ends what is under "
            f"way. It uses the answers that have come, and asks the rest by live calls of {self.provider} "
            f"({self.model}).{cost}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMoved(Event):
    """A job's provider was out for longer than `fallback_after`: what it does not hold is asked at the fallback.

    `rows` have no answer yet, those that the provider holds among them; `cost` is what they can cost at most.
    """

    source: str
    rows: int
    provider: str
    to: str
    model: str
    cost: str | None = None
    currency: str | None = None

    @property
    def sentence(self) -> str:
        cost = f" They can cost at most {_rounded(self.cost)} {self.currency}." if self.cost else ""
        return (
            f"Moving {self.source} to {self.to} ({self.model}), since {self.provider} has been down, or has refused "
            f"the account, for too long. {count(self.rows, 'row')} without an answer; what {self.provider} does not "
            f"hold is asked there.{cost}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHeld(Event):
    """A job is not sent, or not sent again: because of what it could cost, or until a person has seen some answers."""

    source: str
    reason: str
    code: str | None = None
    waits: bool = False
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        then = (
            "It goes on by itself once there is room in the budget."
            if self.waits
            else f"To let it go on: batchd approve {self.job}. To give it up: batchd cancel {self.job}."
        )
        return f"Held {self.source}: {self.reason}. {then}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobApproved(Event):
    """A person has approved the cost of a held job."""

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
    """A job cannot go on; its working files stay until `batchd retry` or `batchd cancel`."""

    reason: str
    source: str = ""
    severity: ClassVar[str] = "error"

    @property
    def sentence(self) -> str:
        return f"{self.source or 'The job'} has stopped: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled(Event):
    """Someone cancelled the job: rows that have no answer yet are skipped."""

    @property
    def sentence(self) -> str:
        return "Cancelled. Rows without an answer will be marked as skipped."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRetried(Event):
    """Someone asked for the job's failed and skipped rows to be asked again."""

    rows: int

    @property
    def sentence(self) -> str:
        return f"Retrying: {count(self.rows, 'row')} will be asked again."


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGiven(Event):
    """A person gave an order, which was then carried out or refused: who, by which door, and when (`given`).

    `what` are the values of the order, such as a sink's name.
    """

    order: str
    who: str | None = None
    door: str | None = None
    given: float | None = None
    what: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def sentence(self) -> str:
        how = {"command line": " on the command line", "page": " on the page", "API": " by the API"}.get(
            self.door or "", ""
        )
        values = "".join(f", {key} {value}" for key, value in self.what.items() if isinstance(value, str))
        return f"{self.who or 'Somebody'} ordered{how}: {self.order}{values}."


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused(Event):
    """An order was not carried out. If it was given while no daemon was running, its command has ended already."""

    order: str
    reason: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return f"Could not {self.order}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDelivered(Event):
    """A sink has published the job."""

    sink: str
    files: list[str] = dataclasses.field(default_factory=list)
    where: str = ""

    @property
    def sentence(self) -> str:
        if self.where:
            return f"The sink {self.sink} has put the results into {self.where}."
        return f"Wrote {' and '.join(self.files)}." if self.files else f"The sink {self.sink} has the results."


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSkipped(Event):
    """A sink gets nothing of the job, by a person's order or because the job was cancelled."""

    severity: ClassVar[str] = "warning"
    sink: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"The sink {self.sink} is skipped: {self.reason}"


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
    batches: int = 0

    @property
    def sentence(self) -> str:
        counts = [f"{self.ok:,} ok"]
        codes = f" ({listed(self.failures)})" if self.failures else ""
        counts += [f"{self.failed:,} failed{codes}"] if self.failed else []
        counts += [f"{self.skipped:,} skipped"] if self.skipped else []
        batches = f", from {self.batches:,} batches" if self.batches > 1 else ""
        verdict = ""
        if self.outcome == "failed":
            verdict = " That is more failures than max_failed allows." if self.ok else " No row has an answer."
        return f"Finished {self.source}: {', '.join(counts)}{batches}.{verdict} The report is {self.report}."


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChanged(Event):
    """A file was changed after batchd had read it to its end: the new content was not asked."""

    source: str
    read: int
    now: int
    archived: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return (
            f"{self.source} was changed after it had been read ({self.read:,} bytes then, {self.now:,} now), and what "
            f"came later is not answered. All of it is in the archive as {self.archived}: drop what is missing again."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPurged(Event):
    """All that batchd and the provider keep of a job was deleted, by order. `kept` says what could not be."""

    source: str
    answers: int
    files: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)
    yours: list[str] = dataclasses.field(default_factory=list)

    @property
    def sentence(self) -> str:
        cache = f", {count(self.answers, 'remembered answer')}" if self.answers else ""
        files = f", {count(len(self.files), 'file')} at the provider" if self.files else ""
        kept = f" Could not be deleted: {' '.join(self.kept)}" if self.kept else ""
        yours = f" These are yours, and stay: {', '.join(self.yours)}." if self.yours else ""
        return f"Deleted of {self.source}: the working files{cache}{files}.{kept}{yours}"


def _rounded(amount: str) -> str:
    """An upper bound, rounded up to cents; unchanged if the currency has none."""
    try:
        exact = Decimal(amount.replace(",", ""))
    except InvalidOperation:  # stored by another version
        return amount
    return amount if exact == exact.to_integral_value() else f"{exact.quantize(Decimal('0.01'), ROUND_UP):,}"

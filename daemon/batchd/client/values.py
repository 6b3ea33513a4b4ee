"""What the client returns: estimates, the status of jobs, and answered rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from ..columns import free_names
from ..model import Json
from ..sinks import OWN_COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What rows would cost by a route, before anything is sent.

    Money is in units of `currency`; None where it is not known, or without limit. `held` says that the job would wait
    for a person or for room in the budget, and `reason` why. `record` is all that `batchd estimate --json` says.
    """

    route: str
    provider: str
    model: str
    rows: int
    requests: int
    input_tokens: int
    currency: str
    batch_likely: float | None
    batch_most: float | None
    live_likely: float | None
    live_most: float | None
    held: bool
    reason: str | None
    record: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        own = next(each for each in record["models"] if each["of_route"])
        batch, live = own["batch"] or {}, own["live"] or {}
        return cls(
            route=record["route"],
            provider=own["provider"],
            model=own["model"],
            rows=record["rows"]["total"],
            requests=record["requests"],
            input_tokens=own["input_tokens"],
            currency=record["currency"],
            batch_likely=batch.get("likely"),
            batch_most=batch.get("most"),
            live_likely=live.get("likely"),
            live_most=live.get("most"),
            held=record["held"],
            reason=None if record["refusal"] is None else record["refusal"]["reason"],
            record=record,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """The status of a job. `id` is None while its file waits in the inbox, which takes seconds.

    `rows` has the counts total, ok, failed, skipped and answered. `needs_person` says that the job waits for a person,
    `waits_for` for what, and `reason` why the job is held, rejected or stopped. Money is in units of `currency`.
    `record` is all that the daemon says of the job.
    """

    id: str | None
    source: str
    state: str
    in_words: str
    finished: bool
    needs_person: bool
    waits_for: str | None
    route: str | None = None
    provider: str | None = None
    model: str | None = None
    rows: Mapping[str, int | None] = field(default_factory=dict)
    cost: float | None = None
    currency: str | None = None
    reason: str | None = None
    files: Sequence[str] = ()
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> Self:
        return cls(
            **{name: job[name] for name in _AS_THE_API},
            needs_person=job["group"] == "held" or job["state"] == "failed",
            cost=job["cost"]["so_far"],
            currency=job["cost"]["currency"],
            files=[each["name"] for each in job.get("files", ())],
            record=job,
        )

    @classmethod
    def in_inbox(cls, place: str) -> Self:
        """The status of a file that the daemon has not taken yet."""
        return cls(
            id=None,
            source=place,
            state="inbox",
            in_words="arriving",
            finished=False,
            needs_person=False,
            waits_for="the daemon to take the file from the inbox",
        )


_AS_THE_API = (
    *("id", "source", "state", "in_words", "finished", "waits_for"),
    *("route", "provider", "model", "rows", "reason"),
)
"""Fields of a job's status that the API calls the same."""


@dataclass(frozen=True, slots=True)
class RowFailure:
    """Why a row has no answer: a code for programs, a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRow:
    """One row with its outcome, as the daemon writes it: `row` counts from 0.

    The values of `answer` are None if there is none.
    """

    row: int
    status: Literal["ok", "failed", "skipped"]
    columns: Mapping[str, Json]
    answer: Mapping[str, Json]
    failure: RowFailure | None

    @property
    def ok(self) -> bool:
        """Whether the row was answered."""
        return self.status == "ok"

    def as_dict(self) -> dict[str, Json]:
        """The row as in a file of results: your columns, the answer's, `status` and `error`."""
        found = {**self.columns, **self.answer}
        status, error = free_names(found, OWN_COLUMNS)
        return {**found, status: self.status, error: None if self.failure is None else self.failure.message}

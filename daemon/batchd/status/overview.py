"""What `batchd status` shows, read in one look, for people and for machines."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from ..domain.names import REVIEW, rejected_file
from ..domain.subjects import DISK, SubjectKind, subjects_of
from ..errors import StateUnusable
from ..store.reading.snapshot import snapshot
from ..values import replace
from .daemon import Running, running
from .expected import expected_at, usual_times
from .formatting import utc
from .job_words import needs_a_person, rests_until, state_in_words, waits_for
from .room import no_room
from .totals import StatusTotals

if TYPE_CHECKING:
    from pathlib import Path

    from ..store.reading.records import BatchSummary, Condition, Delivery, JobSummary, LearntLimit, Tokens
    from ..store.reading.snapshot import State
    from .places import Places

FINISHED_SHOWN = 5


def under_way(state: Path) -> int:
    """How many jobs are not finished. StateUnusable, in words, if the database cannot be read."""
    with snapshot(state) as look:
        return len(look.unfinished())


def sinks_needed(state: Path) -> Mapping[str, Sequence[str]]:
    """The sinks that jobs under way are to be published through, with those jobs. Empty if that cannot be read."""
    needed: dict[str, list[str]] = {}
    try:
        with snapshot(state) as look:
            for job in look.unfinished():
                for sink in job.sinks:
                    needed.setdefault(sink, []).append(job.id)
    except StateUnusable:
        pass  # another check says so
    return needed


def refusals(state: Path) -> tuple[list[Condition], list[JobSummary]]:
    """The conditions of providers and observers, and the jobs that stopped because a provider refuses them."""
    kinds = (SubjectKind.PROVIDER, SubjectKind.OBSERVER)
    with snapshot(state) as look:
        conditions = [each for each in look.conditions() if each.subject.kind in kinds]
        return conditions, [job for job in look.unfinished() if job.reason_code == "provider_refused"]


class JobFilter(Struct, frozen=True, kw_only=True):
    """Which jobs to show: of a route, since a moment, those that wait for a person (`held`), those with failed rows.

    `finished` is how many finished jobs to show, or -1 for all.
    """

    route: str | None = None
    since: float | None = None
    held: bool = False
    failed: bool = False
    finished: int = FINISHED_SHOWN

    @property
    def chosen(self) -> bool:
        """Whether the filter leaves jobs out."""
        return bool(self.route or self.since is not None or self.held or self.failed)

    def takes(self, job: JobSummary) -> bool:
        """Whether an unfinished job passes `held` or `failed`."""
        return (self.held and needs_a_person(job)) or (self.failed and (job.failed > 0 or job.state == "failed"))


class Overview(Struct, frozen=True, kw_only=True):
    """Everything at one moment. `older` is how many finished jobs are left out; `chosen`: not all jobs were wanted."""

    places: Places
    now: float
    daemon: Running | None
    conditions: Sequence[Condition]
    unfinished: Sequence[JobSummary] = ()
    finished: Sequence[JobSummary] = ()
    older: int = 0
    limits: Sequence[LearntLimit] = ()
    totals: StatusTotals | None = None
    expected: Mapping[str, float] = field(default_factory=dict)
    """When jobs are usually answered, by their ids, where that is known."""
    chosen: bool = False

    @classmethod
    def take(cls, places: Places, *, wanted: JobFilter | None = None, ours: bool = False) -> Overview:
        """Look now. `ours` says that the daemon is this very process, so that it need not be looked for."""
        wanted = wanted or JobFilter()
        which: dict[str, Any] = {"route": wanted.route, "since": wanted.since}
        now = time.time()
        with snapshot(places.state) as state:
            # The sort is stable: within each half the oldest job is first.
            unfinished = sorted(state.unfinished(**which), key=lambda job: not needs_a_person(job))
            if wanted.held or wanted.failed:
                unfinished = [job for job in unfinished if wanted.takes(job)]
            finished: Sequence[JobSummary] = ()
            older = 0
            if not wanted.held or wanted.failed:
                finished = state.finished(wanted.finished, **which, failed=wanted.failed)
                older = state.finished_count(**which, failed=wanted.failed) - len(finished)
            usual = usual_times(state)
            expected = {job.id: at for job in unfinished if (at := expected_at(job, usual, now)) is not None}
            return cls(
                places=places,
                now=now,
                daemon=Running(os.getpid()) if ours else running(places.state),
                conditions=[*no_room(places.state), *places.blocked(), *state.conditions()],
                unfinished=unfinished,
                finished=finished,
                older=older,
                limits=state.limits(),
                totals=StatusTotals.take(places, state, now),
                expected=expected,
                chosen=wanted.chosen,
            )

    @classmethod
    def of_conditions(cls, places: Places, state: State) -> Overview:
        """An overview without jobs: the daemon and its conditions."""
        conditions = [*no_room(places.state), *places.blocked(), *state.conditions()]
        return cls(places=places, now=time.time(), daemon=running(places.state), conditions=conditions)

    def waits_for(self, job: JobSummary) -> str | None:
        """What the job waits for, in words."""
        subjects = {each.subject for each in self.conditions}
        return waits_for(job, subjects, awake=self.daemon is not None, now=self.now)

    def currency(self, job: JobSummary) -> str:
        """The currency of the job's money: the configuration may have another one by now."""
        return job.currency or self.places.currency

    def record(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            **self.frame(),
            "totals": self.totals.record() if self.totals is not None else None,
            "jobs": [self.job_record(job) for job in (*self.unfinished, *self.finished)],
            "older_finished_jobs": self.older,
            "learnt_limits": [
                {
                    "provider": each.provider,
                    "model": each.model,
                    "enqueued_tokens": each.tokens,
                    "requests": each.requests,
                    "bytes": each.size,
                }
                for each in self.limits
            ],
        }

    def frame(self) -> dict[str, Any]:
        """The part of a record that belongs to no job."""
        return {
            "daemon": {"running": self.daemon is not None, "process": self.daemon.process if self.daemon else None},
            "state": str(self.places.state),
            "conditions": [
                {"subject": str(each.subject), "text": each.text, "since": utc(each.since)} for each in self.conditions
            ],
        }

    def job_record(self, job: JobSummary) -> dict[str, Any]:
        """One job for `--json`. Money is in units of the currency."""
        currency = self.currency(job)
        return {
            "id": job.id,
            "source": job.source,
            "state": job.state,
            "finished": job.final,
            "in_words": state_in_words(job),
            "waits_for": self.waits_for(job),
            "route": job.route,
            "provider": job.provider,
            "model": job.model,
            "moved_from": job.moved_from,
            "rows": {
                "total": job.rows,
                **{name: getattr(job, name) for name in ("ok", "failed", "skipped", "answered")},
            },
            "tokens": _tokens(job.tokens),
            "cost": {
                "so_far": _units(job.cost, currency),
                "estimated": _units(job.estimated_cost, currency),
                "currency": currency,
            },
            "reason_code": job.reason_code,
            "reason": job.reason,
            "sha256": job.sha256,
            "redelivered_from": job.duplicate_of,
            "timestamps": {
                **_moments(job, "claimed", "accepted", "planned", "collected", "finished", "purged"),
                "expected": utc(self.expected.get(job.id)),
                "late": utc(job.late_at),
                "rests_until": utc(rests_until(job, self.now)),
            },
        }


class JobDetails(Struct, frozen=True):
    """One job in every detail, and what is around it. `failures` are its failed rows by code, once it is finished."""

    around: Overview
    job: JobSummary
    batches: Sequence[BatchSummary]
    deliveries: Sequence[Delivery]
    failures: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def take(cls, places: Places, job: str) -> JobDetails:
        """Look now. KeyError if there is no job of this id."""
        return cls.take_all(places, [job])[0]

    @classmethod
    def take_all(cls, places: Places, jobs: Sequence[str]) -> list[JobDetails]:
        """Look at several in one go. KeyError if one is not there."""
        with snapshot(places.state) as state:
            around = Overview.of_conditions(places, state)
            return [cls.of(around, state, state.job(job)) for job in jobs]

    @classmethod
    def of(cls, around: Overview, state: State, job: JobSummary) -> JobDetails:
        """The details of this job."""
        expected = expected_at(job, usual_times(state), around.now) if job.batches else None
        if expected is not None:
            around = replace(around, expected={job.id: expected})
        failures = state.failures(job.id) if job.final and job.failed else {}
        return cls(around, job, state.batches(job.id), state.deliveries(job.id), failures)

    def conditions(self) -> list[Condition]:
        """The conditions that keep this job waiting."""
        job = self.job
        if job.final:
            return []
        batches = (batch.key for batch in job.batches)
        ours = {DISK, *subjects_of(job.id, provider=job.provider, route=job.route, sinks=job.sinks, batches=batches)}
        return [each for each in self.around.conditions if each.subject in ours]

    def outputs(self) -> list[str]:
        """The paths of all the job's files in the outbox, the report last."""
        paths = [self.around.places.outbox / name for name in _names(self.job, self.deliveries)]
        # The review and the HTML report exist only if the configuration wanted them then.
        return [str(path) for path in paths if not path.name.endswith((REVIEW, ".html")) or path.exists()]

    def receipts(self) -> list[dict[str, Any]]:
        """The receipts of sinks that say where they have put the rows."""
        return [{"sink": each.sink, **each.receipt.record()} for each in self.deliveries if each.receipt is not None]

    def original(self) -> str | None:
        """Where the dropped file lies in the end."""
        places = self.around.places
        if not self.job.final or self.job.archive_name is None:
            return None
        if self.job.state != "rejected":
            return str(places.archive / self.job.archive_name)
        # It goes to the archive once a later file of its name is answered.
        archived = places.archive / rejected_file(self.job.archive_name, self.job.id)
        return str(archived if os.path.exists(archived) else places.rejected / self.job.archive_name)

    def record(self) -> dict[str, Any]:
        """For `--json`."""
        details = {
            "parts": dict(self.job.parts),
            "batches": [batch_record(batch) for batch in self.batches],
            "outputs": self.outputs(),
            "receipts": self.receipts(),
            "original": self.original(),
        }
        return {**self.around.frame(), "job": {**self.around.job_record(self.job), **details}}


def _names(job: JobSummary, deliveries: Sequence[Delivery]) -> list[str]:
    # First the results, then the failed rows.
    names = sorted((name for each in deliveries for name in each.files), key=lambda name: ".failed." in name)
    if job.state in {"done", "cancelled"} and job.outbox_stem is not None:
        names += [f"{job.outbox_stem}{suffix}" for suffix in (REVIEW, ".report.html", ".report.json")]
    return names


def _tokens(tokens: Tokens | None) -> Mapping[str, int | None]:
    names = ("input", "cached_input", "output", "wasted_input", "wasted_output")
    return dict(zip(names, tokens or [None] * 5, strict=True))


def batch_record(batch: BatchSummary) -> dict[str, Any]:
    """One batch for `--json`."""
    return {
        "key": batch.key,
        "id": batch.remote,
        "extra_remotes": list(batch.extra_remotes),
        **{name: getattr(batch, name) for name in _BATCH_FACTS},
        "timestamps": {
            **_moments(batch, "created", "submitted", "ended", "progress", "stopping", "cut"),
            "answers_until": utc(batch.answers_until),
        },
    }


_BATCH_FACTS = (
    *("provider", "model", "state", "phase", "requests", "completed", "failed", "total"),
    *("reason", "held_for", "account", "lane", "live_rate"),
)


def _moments(summary: BatchSummary | JobSummary, *names: str) -> dict[str, str | None]:
    """The times of a job or a batch, by what was done at each."""
    return {name: utc(getattr(summary, f"{name}_at")) for name in names}


def _units(subunits: int | None, currency: str) -> float | None:
    if subunits is None:
        return None
    from ..money.pricing import unit

    return subunits / unit(currency)

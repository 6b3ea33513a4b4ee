"""Jobs and batches that may have work, and jobs whose parts wait for a batch. In memory, so that a look is short.

`refresh` brings it up to date with what has changed in the store; nothing else changes it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from ...domain.lifecycle import JobView
from ...domain.records import Batch, BatchState, JobState
from ...store.changes import ChangedJob
from ...store.store import Store
from ...store.tables.mapping import Asking

MANY = 1_000
"""With more changes than this, it is quicker to sort all jobs anew."""
VIEWS_AT_A_TIME = 64
"""Jobs of each state that one look reads: a thousand files that wait to be read must not delay others."""


class WaitingKey(NamedTuple):
    """How parts are asked: jobs with the same key wait in one line."""

    asking: Asking
    late: bool


class _Place(NamedTuple):
    """Where a job stands in the line: the oldest first."""

    claimed_at: float
    job: str


@dataclass(slots=True)
class JobLine:
    """Jobs in the order in which they came."""

    places: list[_Place] = field(default_factory=list)

    def add(self, place: _Place) -> None:
        insort(self.places, place)

    def remove(self, place: _Place) -> None:
        at = bisect_left(self.places, place)
        if self.places[at : at + 1] == [place]:
            del self.places[at]


class InWork:
    """Jobs and batches that may have work."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.many = MANY
        self.batches: dict[str, Batch] = {}
        self.changed_batches: set[str] = set()
        """The batches that have changed; a look takes them out."""
        self.changed_jobs: set[str] = set()
        """The jobs that have changed, or whose parts have; the packing look takes them out."""
        self._jobs: dict[str, ChangedJob] = {}
        self._lines: dict[JobState, JobLine] = {state: JobLine() for state in JobState}
        self._waiting: dict[WaitingKey, JobLine] = {}
        self._views: dict[str, JobView] = {}

    async def refresh(self) -> None:
        """Take in what has changed since the last time."""
        changed = await self._store.changes.take()
        self.changed_batches.update(changed.batch_keys)
        for key in changed.batch_keys:
            self.batches.pop(key, None)
        self.batches |= {batch.key: batch for batch in changed.batches}
        self.changed_jobs.update(changed.job_ids)
        for job in changed.job_ids:
            self._views.pop(job, None)
        many = len(changed.job_ids) > self.many
        for job in changed.job_ids:
            self._forget(self._jobs.pop(job, None), many=many)
        for each in changed.jobs:
            self._take_in(each, many=many)
        if many:
            self._sort_anew()

    def _forget(self, job: ChangedJob | None, *, many: bool) -> None:
        if job is None or many:
            return
        if job.has_work:
            self._lines[job.state].remove(_place(job))
        key = _key(job)
        if key is not None:
            self._waiting[key].remove(_place(job))
            if not self._waiting[key].places:
                del self._waiting[key]

    def _take_in(self, job: ChangedJob, *, many: bool) -> None:
        key = _key(job)
        if not job.has_work and key is None:
            return
        self._jobs[job.id] = job
        if many:
            return
        if job.has_work:
            self._lines[job.state].add(_place(job))
        if key is not None:
            self._waiting.setdefault(key, JobLine()).add(_place(job))

    def _sort_anew(self) -> None:
        self._lines = {state: JobLine() for state in JobState}
        self._waiting = {}
        for job in sorted(self._jobs.values(), key=_place):
            if job.has_work:
                self._lines[job.state].places.append(_place(job))
            key = _key(job)
            if key is not None:
                self._waiting.setdefault(key, JobLine()).places.append(_place(job))

    @property
    def held(self) -> set[str]:
        """The batches that are held, and may go on by themselves when something changes."""
        return {key for key, batch in self.batches.items() if batch.state is BatchState.HELD}

    def has_jobs(self, *, but: Container[str]) -> bool:
        """Whether there may be something to do for a job other than these."""
        return any(place.job not in but for line in self._lines.values() for place in line.places)

    def needs(self, provider: str) -> bool:
        """Whether a job waits for the provider, or may soon, or a batch of it is under way."""
        jobs, batches = self._jobs.values(), self.batches.values()
        return any(each.provider == provider for each in jobs) or any(each.provider == provider for each in batches)

    async def views(self, *, resting: Container[str], only: Container[str] | None) -> list[JobView]:
        """Jobs that may have work, the oldest first; at most VIEWS_AT_A_TIME of each state.

        `resting` are jobs for which nothing can be done just now; others take their place.
        """
        chosen: list[_Place] = []
        for line in self._lines.values():
            free = (each for each in line.places if each.job not in resting and (only is None or each.job in only))
            chosen += islice(free, VIEWS_AT_A_TIME)
        chosen.sort()
        unknown = [each.job for each in chosen if each.job not in self._views]
        if unknown:
            self._views |= {view.job.id: view for view in await self._store.jobs.views(unknown)}
        # All other views are forgotten: those of twenty thousand jobs would take memory for nothing.
        self._views = {each.job: self._views[each.job] for each in chosen if each.job in self._views}
        return list(self._views.values())

    def waiting(self, only: Container[str] | None) -> dict[WaitingKey, JobLine]:
        """The jobs with parts that wait for a batch, in one line for each key."""
        if only is None:
            return dict(self._waiting)
        lines = {
            key: JobLine([each for each in line.places if each.job in only]) for key, line in self._waiting.items()
        }
        return {key: line for key, line in lines.items() if line.places}


def _place(job: ChangedJob) -> _Place:
    return _Place(job.claimed_at, job.id)


def _key(job: ChangedJob) -> WaitingKey | None:
    return WaitingKey(job.waiting, job.late) if job.waiting is not None else None

"""Jobs by the page, in groups; and when a job is likely to be back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from ..store.reading.listing import GROUPS as GROUPS
from ..store.reading.listing import batches_in_work, counts_by_group, jobs_on_page, route_names, version
from ..store.reading.snapshot import snapshot
from ..values import replace
from .expected import UsualTimes, expected_at, usual_times
from .formatting import utc
from .overview import Overview, batch_record

if TYPE_CHECKING:
    from pathlib import Path

    from ..store.reading.records import BatchSummary, JobSummary
    from .places import Places

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


class Wanted(Struct, frozen=True, kw_only=True):
    """Which jobs: those of a group, of a route, with this in the file's name; and which page of them, from 1."""

    group: str | None = None
    route: str | None = None
    text: str = ""
    page: int = 1
    size: int = PAGE_SIZE


class JobList(Struct, frozen=True, kw_only=True):
    """One page of jobs, each with its group; `counts` are those of all pages, by group."""

    around: Overview
    wanted: Wanted
    jobs: Sequence[tuple[str, JobSummary]]
    counts: Mapping[str, int]
    routes: Sequence[str]
    back: Mapping[str, float] = field(default_factory=dict)
    """When jobs are likely to be back, by their ids."""

    @classmethod
    def take(cls, places: Places, wanted: Wanted) -> JobList:
        """Look now. A page after the last is the last."""
        with snapshot(places.state) as state:
            around = Overview.of_conditions(places, state)
            counts = counts_by_group(state, route=wanted.route, text=wanted.text)
            total = sum(counts.values()) if wanted.group is None else counts[wanted.group]
            wanted = replace(wanted, page=max(1, min(wanted.page, -(-total // wanted.size))))
            jobs = jobs_on_page(
                state,
                group=wanted.group,
                route=wanted.route,
                text=wanted.text,
                size=wanted.size,
                offset=(wanted.page - 1) * wanted.size,
            )
            usual = usual_times(state)
            expected = {job.id: at for _, job in jobs if (at := expected_at(job, usual, around.now)) is not None}
            around = replace(around, expected=expected)
            back = {job.id: at for _, job in jobs if (at := likely_back(job, usual, around.now)) is not None}
            return cls(around=around, wanted=wanted, jobs=jobs, counts=counts, routes=route_names(state), back=back)

    @property
    def total(self) -> int:
        """How many jobs there are on all pages."""
        return sum(self.counts.values()) if self.wanted.group is None else self.counts[self.wanted.group]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.wanted.size))

    def record(self) -> dict[str, Any]:
        """For machines."""
        return {
            **self.around.frame(),
            "groups": dict(self.counts),
            "total": self.total,
            "page": self.wanted.page,
            "pages": self.pages,
            "jobs": [
                {**self.around.job_record(job), "group": group, "likely_back": utc(self.back.get(job.id))}
                for group, job in self.jobs
            ],
        }


def likely_back(job: JobSummary, usual: UsualTimes, now: float) -> float | None:
    """When the job's answers are usually there; None if that is unknown, or already past."""
    expected = expected_at(job, usual, now)
    return expected if expected is not None and expected > now and not job.final else None


class BatchList(Struct, frozen=True, kw_only=True):
    """The batches that are not done, the oldest first; `total` also counts those that are left out."""

    around: Overview
    batches: Sequence[BatchSummary]
    total: int

    @classmethod
    def take(cls, places: Places, *, most: int = MAX_PAGE_SIZE) -> BatchList:
        """Look now."""
        with snapshot(places.state) as state:
            batches, total = batches_in_work(state, most=most)
            return cls(around=Overview.of_conditions(places, state), batches=batches, total=total)

    def record(self) -> dict[str, Any]:
        """For machines."""
        return {**self.around.frame(), "total": self.total, "batches": [batch_record(each) for each in self.batches]}


def version_of(state: Path) -> str:
    """A text that changes with anything that people see."""
    with snapshot(state) as look:
        return version(look)

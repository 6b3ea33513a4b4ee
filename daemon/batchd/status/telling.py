"""All about one job: what it waits for, why rows failed, its files and its story."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ..domain.subjects import SubjectKind
from ..store.reading.listing import group_of
from ..store.reading.snapshot import snapshot
from .expected import usual_times
from .finding import NotFound, job_called
from .formatting import utc
from .job_words import rests_until
from .listing import likely_back
from .overview import JobDetails, Overview
from .story import record as event_record

if TYPE_CHECKING:
    from ..store.reading.records import Condition, JobSummary, StoredEvent
    from .places import Places

EVENTS_SHOWN = 300
MAX_REPORT = 4_000_000
"""Bytes of a report that is read for its failures."""
EXAMPLES = 5


class Failures(Struct, frozen=True):
    """Rows that failed for one reason: how many, and some of them, each with its number from 1 and what was said."""

    code: str
    rows: int
    examples: Sequence[tuple[int, str]] = ()


class OutputFile(Struct, frozen=True):
    """A file in the outbox that people may have: its name there, and its size, None if it is not there any more."""

    name: str
    path: Path
    size: int | None


class JobStory(Struct, frozen=True, kw_only=True):
    """Everything about one job. `back` is when it is likely to be done, `earlier` how many events are left out."""

    details: JobDetails
    events: Sequence[StoredEvent]
    earlier: int
    failures: Sequence[Failures]
    files: Sequence[OutputFile]
    back: float | None
    group: str

    @classmethod
    def take(cls, places: Places, word: str, *, events: int = EVENTS_SHOWN) -> JobStory:
        """Look now, at the job that `word` means. NotFound, in words."""
        with snapshot(places.state) as state:
            job = job_called(state, word)
            told = state.events(job.id)
            details = JobDetails.of(Overview.of_conditions(places, state), state, job)
            back = likely_back(job, usual_times(state), details.around.now)
            group = group_of(state, job.id)
        files = _files(places, details)
        return cls(
            details=details,
            events=told[-events:] if events else (),
            earlier=max(0, len(told) - events),
            failures=_of_report(files) or _of_events(told),
            files=files,
            back=back,
            group=group,
        )

    @property
    def job(self) -> JobSummary:
        """The job itself."""
        return self.details.job

    @property
    def around(self) -> Overview:
        """The daemon and its conditions."""
        return self.details.around

    def conditions(self) -> list[Condition]:
        """The conditions that keep this job waiting."""
        return self.details.conditions()

    def can_try_again(self) -> bool:
        """Whether something that may be tried at once keeps the job waiting: no pause, nor the hours of its route."""
        return any(each.subject.kind not in (SubjectKind.PAUSE, SubjectKind.HOURS) for each in self.conditions())

    @property
    def rests_until(self) -> float | None:
        """When rows that the service refused are asked again."""
        return rests_until(self.job, self.around.now)

    def unpublished(self) -> list[str]:
        """The sinks that have not published it yet."""
        done = {each.sink for each in self.details.deliveries}
        return [sink for sink in self.job.sinks if sink not in done]

    def record(self) -> dict[str, Any]:
        """For machines."""
        record = self.details.record()
        record["job"] |= {
            "group": self.group,
            "likely_back": utc(self.back),
            "failures": [
                {
                    "code": each.code,
                    "rows": each.rows,
                    "examples": [{"row": row, "message": message} for row, message in each.examples],
                }
                for each in self.failures
            ],
            "files": [{"name": each.name, "bytes": each.size} for each in self.files if each.size is not None],
            "events": [event_record(each) for each in self.events],
            "earlier_events": self.earlier,
        }
        return record


def output_file(places: Places, word: str, name: str) -> OutputFile:
    """The file of a job's outputs with exactly this name. NotFound, in words."""
    with snapshot(places.state) as state:
        job = job_called(state, word)
        details = JobDetails(Overview.of_conditions(places, state), job, (), state.deliveries(job.id))
    found = next((each for each in _files(places, details) if each.name == name), None)
    if found is None or found.size is None:
        raise NotFound(f"Job {job.id} has no file of this name, or it is not in the outbox any more.")
    return found


def _files(places: Places, details: JobDetails) -> list[OutputFile]:
    """The job's outputs. Only plain files inside the outbox have a size: links may point elsewhere."""
    outbox = places.outbox.resolve()
    files = []
    for text in details.outputs():
        path = Path(text)
        size = None
        with suppress(OSError):
            if path.is_file() and path.resolve().is_relative_to(outbox):
                size = path.stat().st_size
        files.append(OutputFile(path.relative_to(places.outbox).as_posix(), path, size))
    return files


def _of_report(files: Sequence[OutputFile]) -> list[Failures]:
    """The failures in the report, which has examples."""
    for each in files:
        if each.name.endswith(".report.json") and each.size is not None and each.size <= MAX_REPORT:
            with suppress(OSError, ValueError, KeyError, TypeError):
                return [_failures(failure) for failure in json.loads(each.path.read_bytes())["failures"]]
    return []


def _failures(failure: Mapping[str, Any]) -> Failures:
    examples = [(int(each["row"]) + 1, str(each["message"])) for each in failure["examples"][:EXAMPLES]]
    return Failures(str(failure["code"]), int(failure["rows"]), examples)


def _of_events(events: Sequence[StoredEvent]) -> list[Failures]:
    """The failures that the event which finished the job counts."""
    for each in reversed(events):
        if each.kind == "JobFinished":
            return [Failures(str(code), int(rows)) for code, rows in each.data.get("failures", {}).items()]
    return []

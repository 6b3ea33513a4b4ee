"""What the note beside a file's results says while the file is in work, for the person who dropped it."""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..domain.subjects import DISK, Subject, SubjectKind
from ..money.pricing import unit
from .expected import UsualTimes, expected_at
from .formatting import clean
from .job_words import needs_a_person, relevant, rests_until, state_in_words, waits_for

if TYPE_CHECKING:
    from ..people.language import Language
    from ..store.reading.records import JobSummary


def waiting_text(
    job: JobSummary, stem: str, subjects: Collection[Subject], usual: UsualTimes, language: Language, now: float
) -> str:
    """The note, with the operator's part last. `subjects` are those of the current conditions."""
    say, file = language.say, posixpath.basename(job.source)
    lines = [say("waiting.person" if needs_a_person(job) else "waiting.title", file=clean(file)), ""]
    received = say("waiting.received", time=_time(language, job.claimed_at))
    if job.rows is not None:
        received += " " + say("waiting.rows", rows=job.rows)
    lines.append(received)
    lines.append(say("waiting.now", state=say(f"state.{state_in_words(job).replace(' ', '_')}")))
    if job.rows is not None and job.answered:
        lines.append(say("waiting.answered", answered=job.answered, rows=job.rows))
    expected = expected_at(job, usual, now)
    if expected is not None:
        late = expected < now
        lines.append(say("waiting.late") if late else say("waiting.expected", time=_time(language, expected)))
    rest = rests_until(job, now)
    if rest is not None:
        lines.append(say("waiting.rest", time=_time(language, rest)))
    if job.estimated_cost is not None and job.currency is not None:
        most = language.at_most(job.estimated_cost, unit(job.currency), job.currency)
        lines.append(say("waiting.cost", amount=most))
    trouble = _trouble(job, subjects)
    if trouble is not None:
        lines.append(say(trouble))
    lines += [say("waiting.results", name=posixpath.basename(stem)), "", say("waiting.renewed"), ""]
    what = waits_for(job, subjects, awake=True, now=now)
    lines.append(f"For the operator: job {job.id}{f' waits for {clean(what)}' if what else ''}")
    return "\n".join(lines) + "\n"


def _time(language: Language, at: float) -> str:
    return language.time(datetime.fromtimestamp(at, UTC))


def _trouble(job: JobSummary, subjects: Collection[Subject]) -> str | None:
    """The key in the catalogue of what keeps the job waiting, if the person should know of it."""
    if needs_a_person(job):
        return None
    kinds = {subject.kind for subject in (DISK, *relevant(job)) if subject in subjects}
    if SubjectKind.PAUSE in kinds:
        return "waiting.paused"
    if SubjectKind.HOURS in kinds:
        return "waiting.hours"
    if kinds & {SubjectKind.DISK, SubjectKind.SINK}:
        return "waiting.trouble_here"
    return "waiting.trouble_there" if SubjectKind.PROVIDER in kinds else None

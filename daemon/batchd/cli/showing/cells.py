"""One job as the cells of a table, and as one plain line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from ...domain.states import FAILED_AT_THE_END
from ...status.formatting import clean, count, local_time, money, one_line, short_count, since, span
from ...status.job_words import needs_a_person, rests_until, state_in_words

if TYPE_CHECKING:
    from ...status.overview import Overview
    from ...store.reading.records import JobSummary

MILLION = 1_000_000


class Cells(Struct, frozen=True):
    """What a table shows of a job: `share` is how much is answered, `below` a line of its own, `mood` a colour.

    `expected` is when the job is usually back."""

    job: str
    file: str
    route: str
    state: str
    share: float | None
    rows: str
    failed: str
    cost: str
    when: str
    expected: str
    below: str | None
    mood: str


def cells(job: JobSummary, survey: Overview) -> Cells:
    finished = job.finished_at
    # What other jobs wait for stands once, above the table; `batchd status JOB` says more.
    tells = needs_a_person(job) or rests_until(job, survey.now) is not None
    waits = survey.waits_for(job) if tells else None
    expected = survey.expected.get(job.id)
    below = job.reason if job.final else f"waits for {waits}" if waits else None
    return Cells(
        job=job.id,
        file=one_line(job.source),
        route=job.route or "–",
        state=state_in_words(job),
        share=None if not job.rows or job.state == "rejected" else job.answered / job.rows,
        rows=_rows(job),
        failed=f"{job.failed:,}" if job.failed else "",
        cost=spent(job, survey),
        when=since(finished, survey.now) if finished is not None else span(survey.now - job.claimed_at),
        expected="" if expected is None else "late" if expected < survey.now else since(expected, survey.now),
        below=clean(below) if below else None,
        mood=_mood(job),
    )


def plain_line(job: JobSummary, survey: Overview) -> str:
    """The job as one line for a pipe, with nothing shortened."""
    facts = [state_in_words(job)]
    if job.rows is not None:
        done, rows = job.answered, count(job.rows, "row")
        facts.append(f"{done:,} of {rows} answered" if not job.final else f"{rows}, {job.ok:,} ok")
    facts += [f"{job.failed:,} failed"] if job.failed else []
    facts += [f"{job.skipped:,} skipped"] if job.skipped else []
    facts += [cost] if (cost := spent(job, survey)) else []
    facts.append(f"received {local_time(job.claimed_at)}")
    facts += [f"finished {local_time(job.finished_at)}"] if job.finished_at is not None else []
    expected = survey.expected.get(job.id)
    facts += [f"usually back {local_time(expected)}"] if expected is not None and expected > survey.now else []
    waits = survey.waits_for(job)
    why = f"; waits for {waits}" if waits else f": {job.reason}" if job.final and job.reason else ""
    return one_line(f"job {job.id} {job.source} ({job.route or 'no route'}): {', '.join(facts)}{why}")


def _rows(job: JobSummary) -> str:
    if job.rows is None:
        return "–"
    write = short_count if job.rows >= MILLION else "{:,}".format
    if job.final:
        return write(job.rows)
    return f"{write(job.answered)}/{write(job.rows)}"


def spent(job: JobSummary, survey: Overview) -> str:
    """What the job has cost, in money if prices are known, else in tokens; empty if nothing was spent."""
    if job.tokens is None or not (job.tokens.input or job.tokens.output):
        return ""
    cost = job.cost
    if cost is not None:
        return money(cost, survey.currency(job))
    return f"{short_count(job.tokens.input + job.tokens.output)} tokens"


def _mood(job: JobSummary) -> str:
    if needs_a_person(job) or job.state == "rejected" or job.reason_code in FAILED_AT_THE_END:
        return "red"
    if job.state == "done":
        return "yellow" if job.failed else "green"
    return "cyan" if not job.final else "yellow"

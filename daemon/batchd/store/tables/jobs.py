"""Jobs and their parts. Each write is one step of a job's way, and repeatable: a step taken twice changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from ...domain.lifecycle import JobView
from ...domain.records import Job, JobState, Part, PartState, Totals, Trial
from ...events import (
    Event,
    JobAccepted,
    JobClaimed,
    JobFailed,
    JobFinished,
    JobRedelivered,
    JobRejected,
    PartSplit,
    WorkerDied,
)
from ...model import Dialect, Json
from ...values import replace
from ..database import Transaction, to_json
from ..errors import names_may_be_taken
from .mapping import columns_of, job_of, part_of
from .steps import change_job, change_part, find_duplicate, put_parts, replace_parts, take_unwanted_back
from .table import StoreTable, change, look

Duplicates = Literal["redeliver", "process", "reject"]
Stamp = tuple[int, int, int, int]
_PARTS_AT_A_TIME = 32
"""How many workable parts of one job are read at a time: more than there are workers, and still cheap."""


class Jobs(StoreTable):
    """The tables `jobs` and `parts`."""

    # --- looking ---------------------------------------------------------------------------------------------

    async def find(self, job: str) -> Job | None:
        """The job, None if there is none of this id."""
        rows = await self._rows("job", id=job)
        return job_of(rows[0]) if rows else None

    async def get(self, job: str) -> Job:
        """The job; KeyError if there is none."""
        return job_of(await self._one("job", id=job))

    async def part(self, job: str, first: int) -> Part:
        """One part; KeyError if there is none (any more)."""
        return part_of(await self._one("part", job=job, first=first))

    async def parts(self, job: str) -> list[Part]:
        """All parts of a job in row order."""
        return [part_of(row) for row in await self._rows("parts", job=job)]

    @look
    def views(self, tx: Transaction, jobs: Collection[str]) -> list[JobView]:
        """These jobs as `next_actions` wants them. Those that are gone are left out."""
        rows = [row for job in jobs for row in tx.fetch("job", id=job)]
        return [_view_of(tx, job_of(row)) for row in rows]

    async def sinks_waited_for(self) -> set[str]:
        """The sinks of jobs whose results are being written."""
        return {row["sink"] for row in await self._rows("sinks_waited_for")}

    async def claiming(self) -> set[bytes]:
        """The paths in the inbox of files that are just being taken."""
        return {row["inbox_path"] for row in await self._rows("claiming_paths")}

    async def totals(self, job: str) -> Totals:
        """The parts of a job added up."""
        return Totals(*await self._one("job_totals", job=job))

    async def ids(self) -> set[str]:
        """All jobs there are."""
        return {row["id"] for row in await self._rows("job_ids")}

    async def ends(self) -> dict[str, float]:
        """Jobs that nothing more will happen to, and when each ended."""
        return {row["id"]: row["finished_at"] for row in await self._rows("finished_jobs")}

    async def expired(self, before: float) -> list[str]:
        """Finished jobs whose spool need not be kept any longer."""
        return [row["id"] for row in await self._rows("expired_jobs", before=before)]

    # --- intake ----------------------------------------------------------------------------------------------

    async def begin_claims(self, jobs: Iterable[Job]) -> None:
        """Commit that these files are to be taken, before any of them is touched."""
        rows = [columns_of(job) for job in jobs]
        await self._database.write(lambda tx: tx.insert("jobs", rows, otherwise="OR IGNORE"))

    async def forget(self, job: str) -> None:
        """The file was gone before it could be taken: the job is deleted."""
        await self._run("forget_job", id=job)

    async def claimed(self, job: Job, stamp: Stamp) -> None:
        """The file is in the spool, with this stamp."""
        event = JobClaimed(job=job.id, source=job.source, route=job.route.name, size=stamp[1])
        columns = {"stamp": to_json(stamp), "size": stamp[1]}
        await self._step(job.id, JobState.CLAIMING, JobState.CLAIMED, event, **columns)

    async def restamp(self, job: Job, stamp: Stamp) -> None:
        """The claimed file is still being written; this is how it looks now."""
        await self._step(job.id, JobState.CLAIMED, JobState.CLAIMED, stamp=to_json(stamp), size=stamp[1])

    @change
    def accepted(
        self,
        tx: Transaction,
        job: Job,
        *,
        rows: int,
        columns: Sequence[str],
        answer_columns: Sequence[str],
        sha256: str,
        description: Mapping[str, Json],
        dialect: Dialect | None = None,
        parts: Sequence[Part],
        trial: Trial | None = None,
        duplicates: Duplicates = "process",
        early_from: int | None = None,
    ) -> str | None:
        """The file was read; these are its parts.

        With `redeliver`, an earlier job with the same bytes and route becomes the job's duplicate_of. With `reject`,
        nothing is changed and the earlier job is returned. The search is in the same transaction, so that of two jobs
        that are read at once one sees the other.
        """
        duplicate_of = None
        if duplicates != "process":
            # A cancelled job is no reason to reject a file: most likely the file was dropped to be asked after all.
            duplicate_of = find_duplicate(tx, job, sha256, cancelled=duplicates != "reject")
        if duplicate_of is not None and duplicates == "reject":
            return duplicate_of
        changed = tx.update(
            "jobs",
            {"id": job.id, "state": JobState.CLAIMED},
            state=JobState.PLANNING,
            rows=rows,
            columns=to_json(columns),
            answer_columns=to_json(answer_columns),
            sha256=sha256,
            description=to_json(description),
            dialect=None if dialect is None else to_json(asdict(dialect)),
            accepted_at=tx.now,
            duplicate_of=duplicate_of,
            trial=trial,
            early_from=early_from if duplicate_of is None else None,
        )
        if changed:
            # Only if it changed: parts of a job past this state may be in a batch, and would be paid again.
            replace_parts(tx, job.id, parts)
            tx.record(
                JobAccepted(
                    job=job.id,
                    source=job.source,
                    rows=rows,
                    parts=len(parts),
                    sha256=sha256,
                    duplicate_of=duplicate_of,
                )
            )
        return None

    @change
    def redelivered(self, tx: Transaction, job: Job, parts: Sequence[Part]) -> None:
        """The job took over the answers of duplicate_of, at no cost. Each of `parts` is collected, or left to ask."""
        left = sum(part.rows - part.ok - part.failed - part.empty for part in parts)
        # What is left is planned and admitted like the rows of any other job.
        columns = {} if left else {"state": JobState.RUNNING, "planned_at": self._database.now()}
        found = tx.fetch("job", id=job.id)
        if not found or found[0]["redelivered_at"] is not None:
            return
        if tx.update("jobs", {"id": job.id, "state": job.state}, redelivered_at=tx.now, **columns):
            replace_parts(tx, job.id, parts)
            taken = sum(part.rows for part in parts) - left
            tx.record(JobRedelivered(job=job.id, duplicate_of=str(job.duplicate_of), rows=taken, asked=left))

    async def better_duplicate(self, job: Job) -> str | None:
        """The job to take answers from, once `duplicate_of` is at its end: another one may have asked the rest."""
        return await self._database.read(
            lambda tx: find_duplicate(tx, job, str(job.sha256), accepted_at=job.accepted_at)
        )

    async def set_duplicate(self, job: Job, duplicate_of: str | None) -> None:
        """Let the job take the answers of another one. With None, its own rows are asked.

        Without this, fifty copies would all be paid for once the first was cancelled.
        """
        where = {"id": job.id, "state": job.state, "duplicate_of": job.duplicate_of}
        await self._database.write(lambda tx: tx.update("jobs", where, duplicate_of=duplicate_of))

    async def rejecting(self, job: Job, code: str, reason: str, *, archive_name: str) -> bool:
        """The file cannot be taken; commit why and where it goes, before it is moved. False if the job has gone on."""
        event = JobRejected(job=job.id, source=job.source, code=code, reason=reason)
        columns = {"reason_code": code, "reason": reason, "archive_name": archive_name}
        return await self._step(job.id, job.state, JobState.REJECTING, event, **columns)

    async def rejected(self, job: Job, at: float) -> None:
        """The file and the reason lie in the rejected folder."""
        await self._step(job.id, JobState.REJECTING, JobState.REJECTED, finished_at=at)

    # --- parts -----------------------------------------------------------------------------------------------

    @change
    def split(self, tx: Transaction, part: Part, pieces: Sequence[Part], reason: str) -> None:
        """The part is cut; its pieces are planned anew, at the same attempt."""
        rows = tx.fetch("part", job=part.job, first=part.first)
        if not rows or part_of(rows[0]) != part:
            return
        tx.insert("parts", (columns_of(piece) for piece in pieces), otherwise="OR REPLACE")
        tx.record(PartSplit(job=part.job, part=part.first, pieces=len(pieces), reason=reason))

    @change
    def worker_died(self, tx: Transaction, job: str, first: int | None) -> int:
        """A worker died while it worked on the part (None: while it read the file). Return how often that was."""
        row = tx.one("job", id=job) if first is None else tx.one("part", job=job, first=first)
        times: int = row["worker_crashes"] + 1
        table, where = ("jobs", {"id": job}) if first is None else ("parts", {"job": job, "first": first})
        tx.update(table, where, worker_crashes=times)
        tx.record(WorkerDied(job=job, part=first, times=times))
        return times

    @change
    def planned_anew(self, tx: Transaction, parts: Sequence[Part]) -> None:
        """Plan these planned parts anew, without the rows that follow identical rows of other parts."""
        for part in parts:
            change_part(tx, part, PartState.PLANNED, replace(part, state=PartState.UNPLANNED))

    async def followed(self, before: Part, after: Part) -> None:
        """Rows of a collected part now have the outcomes of the identical rows that they follow."""
        await self._database.write(lambda tx: change_part(tx, before, PartState.COLLECTED, after))

    async def skip(self, job: str) -> None:
        """End the parts of a cancelled job that no provider is working on."""
        await self._run("skip_open_parts", job=job)

    # --- the end ---------------------------------------------------------------------------------------------

    async def closing(self, job: Job, *, outbox_stem: str, archive_name: str, replaces: str | None = None) -> None:
        """All outcomes are there; commit the output names before any output is written. May raise NameTaken."""
        names = {"outbox_stem": outbox_stem, "archive_name": archive_name, "replaces": replaces}
        columns = {**names, "collected_at": self._database.now()}
        with names_may_be_taken():
            await self._step(job.id, job.state, JobState.DELIVERING, **columns)

    async def reserve(self, job: str, outbox_stem: str) -> bool:
        """Reserve the output name of a job that is in work and has none; return whether it was. May raise NameTaken."""
        with names_may_be_taken():
            return bool(await self._run("reserve_name", job=job, outbox_stem=outbox_stem))

    async def renamed(self, job: Job, outbox_stem: str) -> None:
        """The reserved name is taken; everything is delivered again under this one. May raise NameTaken."""

        def change(tx: Transaction) -> None:
            if tx.update("jobs", {"id": job.id, "state": JobState.DELIVERING}, outbox_stem=outbox_stem):
                tx.run("delete_published", job=job.id)

        with names_may_be_taken():
            await self._database.write(change)

    async def originals_of_others(self, job: Job, names: Sequence[str]) -> set[str]:
        """Those of these names in the archive that other jobs have."""
        rows = await self._rows("originals_of_others", job=job.id, names=to_json(list(names)))
        return {row["archive_name"] for row in rows}

    async def archive_elsewhere(self, job: Job, archive_name: str) -> None:
        """Another file has taken the name reserved for the original; reserve this one."""
        await self._step(job.id, job.state, job.state, archive_name=archive_name)

    async def finished(
        self, job: Job, event: JobFinished, at: float, why: tuple[str, str] | None = None, before: Sequence[Event] = ()
    ) -> None:
        """Report and archive are in place. `why`, a code and words, is given if the job counts as failed all the same.

        `before` are events to record before the last one."""
        state = JobState.CANCELLED if job.cancelled else JobState.DONE
        code, reason = why or (None, None)
        columns = {"finished_at": at, "reason": reason, "reason_code": code}
        await self._step(job.id, JobState.DELIVERING, state, *before, event, **columns)

    async def failed(self, job: Job, code: str, reason: str) -> None:
        """The job stops until a person acts."""
        event = JobFailed(job=job.id, source=job.source, reason=reason)
        await self._step(job.id, job.state, JobState.FAILED, event, reason_code=code, reason=reason)

    @change
    def swept(self, tx: Transaction, jobs: Sequence[str]) -> None:
        """The working files of these jobs are gone."""
        for job in jobs:
            tx.run("delete_parts", job=job)
            tx.run("mark_swept", job=job, at=tx.now)

    @change
    def revive(
        self,
        tx: Transaction,
        /,
        job: Job,
        *,
        state: JobState,
        event: Event,
        parts: Sequence[Part] = (),
        useless: bool = False,
        **columns: Any,
    ) -> bool:
        """A person's order: the job goes on from `state`, with these parts changed.

        `useless` says that what was spent on the answers so far is wasted. If the job is not in the state that it had,
        return False and change nothing.
        """
        if not change_job(tx, job.id, job.state, state, event, **columns):
            return False
        put_parts(tx, parts)
        tx.run("delete_deliveries", job=job.id)
        if useless:
            tx.run("waste_spending", job=job.id)
        return True

    @change
    def cancelled(self, tx: Transaction, job: Job, event: Event, *, state: JobState) -> bool:
        """A person's order: nothing more is asked, and batches that no other job shares are cancelled.

        If the job is not in the state that it had, or is cancelled already, return False and change nothing.
        """
        if not tx.update("jobs", {"id": job.id, "state": job.state, "cancelled": 0}, cancelled=1, state=state):
            return False
        tx.run("unwanted_batches", job=job.id)
        take_unwanted_back(tx)
        tx.record(event)
        return True

    # --- how -------------------------------------------------------------------------------------------------

    async def _step(self, job: str, before: JobState, after: JobState, *events: Event, **columns: Any) -> bool:
        return await self._database.write(lambda tx: change_job(tx, job, before, after, *events, **columns))


def _view_of(tx: Transaction, job: Job) -> JobView:
    """The job with the counts of its parts and those with work to do, or with the sinks that have published it."""
    if job.state not in {JobState.PLANNING, JobState.HELD, JobState.RUNNING, JobState.DELIVERING}:
        return JobView(job)
    if job.state is JobState.DELIVERING:
        # No part has work any more.
        return JobView(job, delivered=frozenset(row["sink"] for row in tx.fetch("delivered_sinks", job=job.id)))
    rows = tx.fetch("part_counts", job=job.id)
    counts = {PartState(row["state"]): row["number"] for row in rows if not row["later"]}
    later = sum(row["number"] for row in rows if row["later"])
    planned = next((row["first"] for row in rows if row["state"] == PartState.UNPLANNED and not row["later"]), 0)
    workable = [part_of(row) for row in tx.fetch("workable_parts", job=job.id, most=_PARTS_AT_A_TIME)]
    return JobView(job, counts, workable, later=later, planned_rows=planned)

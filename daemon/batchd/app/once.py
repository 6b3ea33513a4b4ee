"""One run over what is in the inbox: work until nothing is left, then say how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from ..config.load import Config
from ..delivery.outbox import require_all
from ..domain.records import BatchState, Job, JobState
from ..domain.states import FAILED_AT_THE_END
from ..domain.subjects import SubjectKind
from ..engine.looks.inbox_look import QUESTION_RESTS
from ..plugin.catalogue import Catalogue
from .daemon import daemon
from .dropping import drop
from .loop_watch import watch_of
from .signals import handle_signals
from .worker_deaths import keeping_off_what_workers_cannot_load


class RunOutcome(Struct, frozen=True):
    """The outcome of `once`: the jobs of this run, and whether it was interrupted.

    `held` says that a person must decide about one of their batches. `steps` are the states of later steps of chains.
    `left` are the files that stay in the inbox, with the reason.
    """

    jobs: Sequence[tuple[Job, int]]
    interrupted: bool
    held: bool = False
    steps: frozenset[JobState] = frozenset()
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_status(self) -> int:
        """By the table of exit statuses, the worst first. 0 only if every job has ended."""
        states = {job.state for job, _ in self.jobs} | self.steps
        if self.interrupted:
            return 130
        if states & {JobState.FAILED, JobState.REJECTED} or any(
            job.reason_code in FAILED_AT_THE_END for job, _ in self.jobs
        ):
            return 1
        if self.held or JobState.HELD in states:
            return 6
        unasked = any(why.endswith(QUESTION_RESTS) for why in self.left.values())
        if unasked or not all(state.final for state in states):
            return 5
        if any(failed for _, failed in self.jobs):
            return 3
        return 0


async def once(
    config: Config, catalogue: Catalogue, *, files: Mapping[Path, str] | None = None, workers: int | None = None
) -> RunOutcome:
    """Copy `files` (path → place in the inbox) into the inbox, then process all files there until idle.

    Raises OSError, before any change, if one of the folders that people see is missing: the caller can fix that. If a
    folder disappears or fills up later, the run waits.
    """
    folders = config.folders
    require_all(inbox=folders.inbox, outbox=folders.outbox, archive=folders.archive, rejected=folders.rejected)
    interrupted = False
    with watch_of(config).watching():
        async with daemon(config, catalogue, workers=workers, watch=False) as ours:
            before = await ours.context.store.jobs.ends()

            def stop() -> None:
                nonlocal interrupted
                interrupted = True
                ours.supervisor.stop()

            for file, place in (files or {}).items():
                await asyncio.to_thread(drop, file, config.folders.inbox / place)
            with handle_signals(stop), keeping_off_what_workers_cannot_load(ours):
                await ours.supervisor.run_until_idle()
            jobs, held, steps = [], False, set()
            after = await ours.context.store.jobs.ends()
            # A finished job that an order asked again is work of this run: it has ended anew, or goes on.
            same = {job_id for job_id, at in before.items() if after.get(job_id) == at}
            for job_id in sorted(await ours.context.store.jobs.ids() - same):
                job = await ours.context.store.jobs.get(job_id)
                totals = await ours.context.store.jobs.totals(job_id)
                if job.family is not None:
                    steps.add(job.state)
                else:
                    jobs.append((job, totals.failed))
                if not job.state.final:
                    batches = await ours.context.store.batches.of_job(job_id)
                    held = held or any(batch.state is BatchState.HELD for batch in batches)
            known = await ours.context.store.event_log.conditions()
            left = {str(each): why for each, why in known.items() if each.kind is SubjectKind.INBOX_FILE}
    return RunOutcome(jobs, interrupted, held, frozenset(steps), left)

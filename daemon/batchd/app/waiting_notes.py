"""Keeps the notes in the outbox that say where a file is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from ..delivery.outbox import is_taken
from ..domain.names import numbered, outbox_stem
from ..domain.records import Job
from ..domain.states import Trial
from ..engine.context import Context
from ..errors import StateUnusable
from ..people.language import Language
from ..status.expected import usual_times
from ..status.waiting_text import waiting_text
from ..store.errors import NameTaken, StoreUnavailable
from ..store.reading.records import JobSummary
from ..store.reading.snapshot import snapshot
from .stopping import Stopping

logger = logging.getLogger(__name__)

LOOK_EVERY = 10.0
AFTER = 30.0
"""Seconds that a job is in work before it has a note: most small files are answered sooner."""
AGAIN_AFTER = 60.0
"""Seconds after which a note is written again at the earliest, if it would say something else."""
MAX_A_ROUND = 500
"""Notes written in one go, the oldest first. More would keep the outbox busy for nothing."""


@dataclass(slots=True)
class _Written:
    """When a job's note was written last, and what it says."""

    at: float = float("-inf")
    text: str = ""


@dataclass(slots=True)
class WaitingNoteKeeper:
    context: Context
    _written: dict[str, _Written] = field(default_factory=dict)

    async def keep(self, stopping: Stopping) -> None:
        while not stopping.is_set():
            began = self.context.clock.steady()
            language = self.context.configured.waiting_in
            if language is not None:
                try:
                    await self.look(language)
                except (StateUnusable, StoreUnavailable, OSError) as error:
                    logger.debug("The notes about files in work are not renewed: %s", error)
            # With thousands of jobs a look takes a second or two.
            await stopping.sleep(max(LOOK_EVERY, 20 * (self.context.clock.steady() - began)))

    async def look(self, language: Language) -> None:
        steady = self.context.clock.steady()
        jobs, texts = await asyncio.to_thread(self._texts, language)
        self._written = {job.id: self._written.get(job.id, _Written()) for job in jobs}
        self.context.waiting_notes.forget_ended({job.id for job in jobs})
        due = [job for job in jobs if self._is_due(job, texts.get(job.id), steady)]
        for job in sorted(due, key=lambda each: self._written[each.id].at)[:MAX_A_ROUND]:
            # Recorded before the write: a note that cannot be written is tried again in a minute, not at once.
            self._written[job.id] = _Written(steady, texts[job.id])
            try:
                await self._write(job, texts[job.id])
            except OSError as error:
                logger.debug("The note about %s is not written: %s", job.source, error)

    def _is_due(self, job: JobSummary, text: str | None, steady: float) -> bool:
        last = self._written[job.id]
        return text is not None and text != last.text and steady - last.at >= AGAIN_AFTER

    def _texts(self, language: Language) -> tuple[Sequence[JobSummary], Mapping[str, str]]:
        """The jobs in work, and the texts of the notes of those that have been in work for a while."""
        now = self.context.clock.now()
        with snapshot(self.context.spool.state) as state:
            jobs = state.unfinished()
            subjects = {condition.subject for condition in state.conditions()}
            usual = usual_times(state)
        old = [job for job in jobs if now - job.claimed_at >= AFTER and job.rows is not None]
        return jobs, {
            job.id: waiting_text(job, job.outbox_stem or outbox_stem(job.source), subjects, usual, language, now)
            for job in old
        }

    async def _write(self, job: JobSummary, text: str) -> None:
        found = await self.context.store.jobs.find(job.id)
        if found is None or found.state.final or found.trial is Trial.TRY:
            return
        stem = found.outbox_stem or await self._reserve(found)
        if stem is None:
            return
        if stem != (job.outbox_stem or outbox_stem(job.source)):
            self._written[job.id].text = ""  # it names other results; the next look writes it
        rights = self.context.configured.rights(found)
        await asyncio.to_thread(self.context.waiting_notes.write, job.id, stem, text, rights)

    async def _reserve(self, job: Job) -> str | None:
        """Reserve the first free name in the outbox, so that the note can name it. None if it is too late for that."""
        stem = outbox_stem(job.relative_path)
        for number in count(1):
            candidate = numbered(stem, number)
            if await asyncio.to_thread(is_taken, self.context.folders.outbox, candidate):
                continue
            try:
                return candidate if await self.context.store.jobs.reserve(job.id, candidate) else None
            except NameTaken:
                continue
        raise AssertionError("there is always another number")

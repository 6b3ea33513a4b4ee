"""Looks at the inbox, lets files settle, and commits which of them are to be claimed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from os.path import splitext
from pathlib import Path

from msgspec import Struct

from ...domain.names import display
from ...domain.questions import no_question, with_question, without_question
from ...domain.records import Job, JobState
from ...domain.routing import NO_ROUTE, Route, route_for
from ...domain.subjects import INBOX_REST, Subject, SubjectKind
from ...intake.lease import held_open_for_writing
from ...intake.questions import Questions
from ...intake.scan import Entry, scan
from ...intake.settling import Settling
from ...values import replace
from ..context import Context

logger = logging.getLogger(__name__)
CLAIMS_AT_A_TIME = 500
UNKNOWN_RESTS = 300.0
"""Seconds that a file must have been unchanged before it is rejected, if no route and no reader knows it."""
RESTING = (
    "No folder is set up for this file, and batchd cannot read files of its kind. If it is still there in five minutes "
    "and has not changed, batchd moves it to the rejected folder, with a note that says where to put it."
)
WAITS_FOR_PLUGIN = (
    "No folder is set up for this file, and no plugin that is loaded reads files of its kind. It waits in the inbox, "
    "because one of these plugins, which are kept off, may read it: {plugins}."
)
QUESTION_RESTS = (
    "The file waits for five minutes. If nothing has changed by then, batchd moves it to the rejected folder, with a "
    "note."
)
ODDITIES_TOLD = 50
"""How many entries that are never taken are explained one by one: ten thousand links would be too much to read."""


class Seen(Struct, frozen=True):
    """What a look at the inbox found: how many files settle and are claimed, and seconds until the next may settle."""

    settling: int
    claimed: int
    again_in: float | None


class _Look(Struct, frozen=True):
    """The result of a look, before any of it is committed."""

    jobs: Sequence[Job]
    waiting: int
    again_in: float | None
    oddities: Sequence[tuple[str, str]]


class InboxLook:
    """Looks at the inbox repeatedly. Each settled file becomes a job in state `claiming`."""

    def __init__(
        self,
        context: Context,
        settle: float,
        *,
        held_open: Callable[[Path], object] = held_open_for_writing,
    ) -> None:
        self._held_open = held_open
        self._context = context
        self._settle = settle
        self._settling = Settling(settle=settle)
        self._questions = Questions(settle=settle)
        self._odd: dict[Subject, str] | None = None

    async def look(self) -> Seen:
        """Look once. Raise OSError if the inbox itself cannot be read."""
        jobs = self._context.store.jobs
        # Read first, so that a file that is taken during this look is not taken twice.
        claiming = await jobs.claiming()
        found = await asyncio.to_thread(self._look, claiming)
        await self._explain(found.oddities)
        for start in range(0, len(found.jobs), CLAIMS_AT_A_TIME):
            await jobs.begin_claims(found.jobs[start : start + CLAIMS_AT_A_TIME])
        return Seen(found.waiting, len(found.jobs), found.again_in)

    def _look(self, claiming: Collection[bytes]) -> _Look:
        """The part of a look that runs in a thread: with twenty thousand files, each step takes long."""
        configured = self._context.configured
        listing = scan(self._context.folders.inbox, configured.ignore)
        files = {entry.path: entry for entry in listing.files}
        steady = self._context.clock.steady()
        settled = self._settling.look({path: entry.stamp for path, entry in files.items()}, steady)
        begun = {path for path in settled if _as_bytes(path) in claiming} if claiming else set()
        ready = [path for path in settled if path not in begun and not self._busy(path, steady)]
        waiting = len(files) - len(begun) - len(ready)
        self._look_for_questions(files, configured.routes, steady)
        jobs, resting, again_in = [], [], self._settling.due_in(steady)
        for path in ready:
            job = self._asked(self._job(files[path], configured.routes), steady)
            if job is None:
                again_in = min(again_in or self._settle, self._settle)
            elif not self._rests(job, steady):
                jobs.append(job)
            else:
                resting.append((job.relative_path, self._why_it_rests(job)))
        return _Look(jobs, waiting, again_in, [*listing.oddities, *resting])

    def _look_for_questions(self, paths: Iterable[str], routes: Sequence[Route], steady: float) -> None:
        """Look for questions in the folders of files whose route takes its question from there."""
        folders = set()
        if any(route.questions is not None for route in routes):
            for path in paths:
                route = route_for(display(path), routes)
                if route is not None and route.questions is not None:
                    folders.add(path.rpartition("/")[0])
        self._questions.look(self._context.folders.inbox, folders, steady)

    def _asked(self, job: Job, steady: float) -> Job | None:
        """The job with the question of its folder, if its route takes it from there; None while it is written."""
        if job.route.questions is None:
            return job
        folder = job.relative_path.rpartition("/")[0]
        found = self._questions.of(folder, steady)
        if found is None:
            return replace(job, route=without_question(job.route, display(folder), f"{no_question(display(folder))}."))
        where, content = found
        return None if content is None else replace(job, route=with_question(job.route, display(where), content))

    def _rests(self, job: Job, steady: float) -> bool:
        """Whether a file that cannot be used stays for now: it may be a download under a temporary name."""
        if job.route.question is not None and "fault" in job.route.question:
            return self._settling.unchanged_for(job.relative_path, steady) < UNKNOWN_RESTS
        configured = self._context.configured
        known = job.route.name != NO_ROUTE.name or splitext(job.source)[1].lower() in configured.suffixes
        if not known and configured.not_loaded:
            return True  # a plugin that is kept off may be the one that takes it
        return not known and self._settling.unchanged_for(job.relative_path, steady) < UNKNOWN_RESTS

    def _why_it_rests(self, job: Job) -> str:
        fault = (job.route.question or {}).get("fault")
        if fault is not None:
            return f"{fault} {QUESTION_RESTS}"
        not_loaded = self._context.configured.not_loaded
        return WAITS_FOR_PLUGIN.format(plugins=", ".join(not_loaded)) if not_loaded else RESTING

    def _busy(self, path: str, steady: float) -> bool:
        """Whether a process has the file open for writing. That may delay the file, but never keep it out for good."""
        inbox = self._context.folders.inbox
        return bool(self._held_open(inbox / path)) and self._settling.busy(path, steady)

    def _job(self, entry: Entry, routes: Sequence[Route]) -> Job:
        context = self._context
        path = display(entry.path)
        return Job(
            id=context.clock.new_id(),
            state=JobState.CLAIMING,
            source=path,
            inbox_path=_as_bytes(entry.path),
            stamp=entry.stamp,
            route=route_for(path, routes) or NO_ROUTE,
            size=entry.stamp.size,
            claimed_at=context.clock.now(),
        )

    async def _explain(self, oddities: Sequence[tuple[str, str]]) -> None:
        """Report each entry that is never taken once; `status` shows it until it is gone."""
        if self._odd is None:
            # What an earlier daemon has reported may be gone by now.
            said = await self._context.store.event_log.conditions()
            kinds = {SubjectKind.INBOX_FILE, SubjectKind.INBOX_REST}
            self._odd = {each: text for each, text in said.items() if each.kind in kinds}
        told = sorted(oddities)[:ODDITIES_TOLD]
        odd = {Subject(SubjectKind.INBOX_FILE, display(path)): sentence for path, sentence in told}
        if len(oddities) > len(told):
            odd[INBOX_REST] = f"It holds {len(oddities) - len(told):,} more of these, which are not taken either."
        news = {subject: sentence for subject, sentence in odd.items() if self._odd.get(subject) != sentence}
        over = self._odd.keys() - odd.keys()
        if news or over:
            await self._context.store.event_log.change_conditions(news, sorted(over, key=str))
        self._odd = odd


def _as_bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")

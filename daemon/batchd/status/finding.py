"""Finds the job or batch that a person means by a file's name or the first characters of an id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import BatchdError
from ..store.reading.records import BatchSummary, JobSummary
from ..store.reading.snapshot import State, snapshot
from .formatting import local_time

CANDIDATES_SHOWN = 10


class NotFound(BatchdError):
    """There is nothing of that name, or more than one thing; the message says what there is."""

    exit_status = 2


def find_jobs(state: Path, words: Iterable[str]) -> list[JobSummary]:
    """The one job that each word means, each job once. NotFound, in words, if one of the words means none."""
    with snapshot(state) as look:
        return list({job.id: job for job in (job_called(look, word) for word in words)}.values())


def find_batch(state: Path, word: str) -> BatchSummary:
    """The one batch that `word` means. NotFound, in words."""
    with snapshot(state) as look:
        return batch_called(look, word)


def job_names(state: Path, beginning: str, *, finished: bool) -> Sequence[tuple[str, str]]:
    """Ids of jobs that begin with `beginning`, with their files; also finished jobs, if `finished`."""
    with snapshot(state) as look:
        return look.job_names(beginning, finished=finished)


def job_called(look: State, word: str) -> JobSummary:
    """The one job that `word` means: an id, the beginning of one, or a file. NotFound, in words."""
    found = look.jobs_called(word) if word else []
    under_way = [job for job in found if not job.final]
    if len(found) > 1 and len(under_way) == 1:
        return under_way[0]  # the same file was dropped again; a person who asks now means the job under way
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f'There is no job "{word}", and no file of that name. What there is: batchd status --all')
    lines = [f"{job.id}  {job.source}, taken {local_time(job.claimed_at)}" for job in found[-CANDIDATES_SHOWN:]]
    if len(found) > CANDIDATES_SHOWN:
        lines.insert(0, f"(and {len(found) - CANDIDATES_SHOWN} older ones)")
    raise NotFound("\n".join([f'"{word}" may mean any of {len(found)} jobs; say which by its id:', *lines]))


def batch_called(look: State, word: str) -> BatchSummary:
    """The one batch that `word` means: a key, the beginning of one, or the provider's id. NotFound, in words."""
    found = look.batches_called(word) if word else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f'There is no batch "{word}". A job\'s batches are in: batchd status JOB')
    keys = ", ".join(batch.key for batch in found[-CANDIDATES_SHOWN:])
    raise NotFound(f'"{word}" may mean any of {len(found)} batches: {keys}. Write more of the key.')

"""Which job or batch is meant: people know the file's name, or the first characters of an id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import BatchdError
from ..status.formatting import local_time

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from ..store.reading.records import BatchSummary, JobSummary
    from ..store.reading.snapshot import State

CANDIDATES_SHOWN = 10


class NotFound(BatchdError):
    """There is nothing of that name, or more than one; says what there is."""

    exit_status = 2


def find_job(state: State, word: str) -> JobSummary:
    """The one job that `word` means: an id, the beginning of one, or a file. NotFound, in words."""
    found = state.jobs_called(word) if word else []
    under_way = [job for job in found if not job.final]
    if len(found) > 1 and len(under_way) == 1:
        return under_way[0]  # the same file was dropped again; who asks now means the one that is going on
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f'There is no job "{word}", and no file of that name. What there is: batchd status --all')
    lines = [f"{job.id}  {job.source}, taken {local_time(job.claimed_at)}" for job in found[-CANDIDATES_SHOWN:]]
    if len(found) > CANDIDATES_SHOWN:
        lines.insert(0, f"(and {len(found) - CANDIDATES_SHOWN} older ones)")
    raise NotFound("\n".join([f'"{word}" may mean any of {len(found)} jobs; say which by its id:', *lines]))


def find_batch(state: State, word: str) -> BatchSummary:
    """The one batch that `word` means: a key, the beginning of one, or the provider's id. NotFound, in words."""
    found = state.batches_called(word) if word else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f'There is no batch "{word}". A job\'s batches are in: batchd status JOB')
    keys = ", ".join(batch.key for batch in found[-CANDIDATES_SHOWN:])
    raise NotFound(f'"{word}" may mean any of {len(found)} batches: {keys}. Write more of the key.')


def complete_any(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Jobs whose id begins like that, for the shell."""
    return _complete(context, incomplete, finished=True)


def complete_unfinished(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same, of jobs that are under way."""
    return _complete(context, incomplete, finished=False)


def _complete(context: click.Context, incomplete: str, *, finished: bool) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from ..store.reading.snapshot import snapshot
    from .call import Call

    names: Sequence[tuple[str, str]] = ()
    try:
        with snapshot(context.find_root().ensure_object(Call).places().state) as state:
            names = state.job_names(incomplete, finished=finished)
    except BatchdError:
        pass  # no completion is better than a message in the middle of a line
    return [CompletionItem(job, help=source) for job, source in names]

"""Completing the names of jobs in a shell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..errors import BatchdError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def _complete(context: click.Context, _: click.Parameter, incomplete: str, *, finished: bool) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from ..status.finding import job_names
    from .call import Call

    names: Sequence[tuple[str, str]] = ()
    try:
        state = context.find_root().ensure_object(Call).places().state
        names = job_names(state, incomplete, finished=finished)
    except BatchdError:
        pass  # no completion is better than a message in the middle of a line
    return [CompletionItem(job, help=source) for job, source in names]


complete_any = partial(_complete, finished=True)
"""Completes the ids of all jobs."""
complete_unfinished = partial(_complete, finished=False)
"""Completes the ids of unfinished jobs."""

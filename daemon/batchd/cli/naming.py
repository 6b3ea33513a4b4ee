"""Completing the names of jobs in a shell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import BatchdError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def complete_any(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Jobs whose id begins with this, for the shell."""
    return _complete(context, incomplete, finished=True)


def complete_unfinished(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same for unfinished jobs."""
    return _complete(context, incomplete, finished=False)


def _complete(context: click.Context, incomplete: str, *, finished: bool) -> list[CompletionItem]:
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

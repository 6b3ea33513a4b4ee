"""What `batchd check` looks at in the state folder: whether the database is sound, and knows what lies beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import BatchdError
from ..status.formatting import count, join
from ..status.soundness import damage, unknown_folders
from .check_result import CheckResult, Level


def state_results(state: Path) -> Iterator[CheckResult]:
    """Nothing if there is no database yet."""
    try:
        wrong = damage(state)
        folders = unknown_folders(state)
    except BatchdError as error:
        yield CheckResult("state", Level.WRONG, str(error))
        return
    if wrong is not None:
        yield CheckResult("state", Level.WRONG, wrong)
    if folders:
        names = join([each.name for each in folders[:5]]) + (" and others" if len(folders) > 5 else "")
        text = (
            f"{count(len(folders), 'folder')} in {state / 'jobs'} belong to no job that the database knows: {names}. "
            "The database was lost, or is an old copy. What was dropped is in each of them, as `source`; batchd state "
            "adopt gives them back."
        )
        yield CheckResult("state", Level.WRONG, text)

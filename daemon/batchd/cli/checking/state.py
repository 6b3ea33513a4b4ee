"""Checks the state folder: whether the database is sound, and knows every job folder beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import BatchdError
from ...status.formatting import count, join
from ...status.soundness import check_spool, damage, unknown_folders
from ...system.mounts import file_system, is_network
from .result import CheckResult, note, ok, wrong


def spool_results(state: Path, spool: Path) -> Iterator[CheckResult]:
    """Whether the spool folder is there, and supports all that batchd does in it."""
    if not spool.is_dir() and not (state / "spool-of").exists():
        yield note("spool", f"{spool} is not there yet; the daemon makes it.")
        return
    try:
        check_spool(state, spool)
    except BatchdError as error:
        yield wrong("spool", str(error))
    except OSError as error:
        yield wrong("spool", f"{spool}: {error.strerror}.")
    else:
        kind = file_system(spool)
        where = f" It is on {kind}." if is_network(spool) else ""
        yield ok("spool", f"{spool} can be written, appended to, synced, renamed and linked.{where}")


def state_results(state: Path, spool: Path) -> Iterator[CheckResult]:
    try:
        damaged = damage(state)
        folders = unknown_folders(state, spool)
    except BatchdError as error:
        yield wrong("state", str(error))
        return
    if damaged is not None:
        yield wrong("state", damaged)
    if folders:
        names = join([each.name for each in folders[:5]]) + (" and others" if len(folders) > 5 else "")
        text = (
            f"{count(len(folders), 'folder')} in {spool / 'jobs'} belong to no job that the database knows: "
            f"{names}. The database was lost, or is an old copy. Each folder has the dropped file, as `source`; "
            "batchd state adopt gives them back."
        )
        yield wrong("state", text)

"""Copies of answers that were asked ahead, for machines that see the spool and not the state folder.

SQLite must not be written on a network file system. A copy is never changed, so it may be read there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

from .answer_cache import AnswerCache

KEPT_FOR = 3_600.0
"""Seconds that an older copy stays, for tasks that still have to read it. A task that finds it gone is made anew."""
_PATTERN = "ahead-*.db"


def readable_copy(path: Path, spool: Path) -> Path:
    """Return a copy of the answers as they are now, or the file itself if it lies in the spool."""
    if path.parent == spool:
        return path
    with AnswerCache.opened(path) as cache:
        copy = spool / f"ahead-{path.stem}-{cache.version()}.db"
        with contextlib.suppress(FileNotFoundError):
            # The task that is given it now has as long to read it as if the copy were new.
            os.utime(copy)
            return copy
        draft = spool / f".ahead-{secrets.token_hex(8)}.draft"
        try:
            cache.copy_to(draft)
            draft.chmod(0o600)
            os.replace(draft, copy)
        finally:
            draft.unlink(missing_ok=True)
    before = time.time() - KEPT_FOR
    for old in spool.glob(f"ahead-{path.stem}-*.db"):
        with contextlib.suppress(FileNotFoundError):
            if old != copy and old.stat().st_mtime < before:
                old.unlink()
    return copy


def forget_copies(spool: Path) -> None:
    """Remove all copies, because answers in them are to be forgotten."""
    with contextlib.suppress(OSError):
        for copy in spool.glob(_PATTERN):
            copy.unlink(missing_ok=True)

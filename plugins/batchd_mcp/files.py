"""Files below a folder, and no others: neither `..` nor a link leads out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path


class NotBelow(Exception):
    """A file that may not be sent; says why."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """An open file: a path that leads to this file even if something is renamed meanwhile, and its own name."""

    path: Path
    name: str


@contextmanager
def opened_below(root: Path, path: str) -> Iterator[OpenedFile]:
    """Open a regular file below the root, one folder at a time. Raises NotBelow with a sentence."""
    parts = _parts(root, path)
    with ExitStack() as stack:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, here)
        for number, part in enumerate(parts, start=1):
            last = number == len(parts)
            # Without blocking: opening a pipe would wait for its other end.
            kind = os.O_NONBLOCK if last else os.O_DIRECTORY
            try:
                here = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=here)
            except FileNotFoundError:
                raise NotBelow(f"There is no file {path} below the root.") from None
            except OSError as error:
                raise NotBelow(
                    f"{path} cannot be sent: {part} is a link, or cannot be opened ({error.strerror})."
                ) from None
            stack.callback(os.close, here)
        if not stat.S_ISREG(os.fstat(here).st_mode):
            raise NotBelow(f"{path} is not a file.")
        yield OpenedFile(Path(f"/proc/self/fd/{here}"), parts[-1])


def _parts(root: Path, path: str) -> list[str]:
    if "\0" in path:
        raise NotBelow("A path has no NUL in it.")
    if path.startswith("/"):
        try:
            path = str(Path(path).relative_to(root))
        except ValueError:
            raise NotBelow(f"{path} is not below the root.") from None
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise NotBelow(f"{path} is not a file below the root.")
    if any(part.startswith(".") for part in parts):
        raise NotBelow(f"{path} is hidden, and hidden files are not sent.")
    return parts

"""The package `asyncpg`, which not every installation has."""

from __future__ import annotations

from importlib.util import find_spec

from batchd import RejectedError

NEEDED = (
    "The sink postgres needs the package asyncpg, which is not installed here. Install it where batchd runs: "
    "pip install 'batchd[postgres]'. Then start batchd again."
)


def is_installed() -> bool:
    """Whether it is there."""
    return find_spec("asyncpg") is not None


def needed() -> None:
    """Raise RejectedError, in words, if it is not there."""
    if not is_installed():
        raise RejectedError(NEEDED)

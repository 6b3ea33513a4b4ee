"""The package `anthropic`, which not every installation has."""

from __future__ import annotations

from importlib.util import find_spec

from batchd import RejectedError

NEEDED = (
    "The provider anthropic needs the package anthropic, which is not installed here. Install it where batchd runs: "
    "pip install 'batchd[anthropic]'. Then start batchd again."
)


def is_installed() -> bool:
    """Whether it is there, without importing it, which takes more than a second."""
    return find_spec("anthropic") is not None


def needed() -> None:
    """Raise RejectedError, in words, if it is not there."""
    if not is_installed():
        raise RejectedError(NEEDED)

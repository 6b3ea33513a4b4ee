"""The schema of the database: the steps that led to it, and the whole with which a new database begins."""

from __future__ import annotations

import functools
from pathlib import Path

_FOLDER = Path(__file__).parent / "migrations"


def _files() -> list[Path]:
    return sorted(_FOLDER.glob("*.sql"), key=lambda file: file.name)


@functools.cache
def migrations() -> tuple[str, ...]:
    """The steps, oldest first; the database's `user_version` counts those that it has taken."""
    return tuple(file.read_text("utf-8") for file in _files())


def whole() -> str:
    """The schema that all steps lead to, in a tenth of their time. `make schema` writes it, and a test compares."""
    return Path(__file__).with_name("schema.sql").read_text("utf-8")


def version() -> int:
    """The `user_version` after all steps."""
    return len(_files())

"""The empty database of a new state folder, built once for many tests."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from ..store.schema import version, whole


def put_empty_database(path: Path) -> None:
    """Write an empty database of this version's schema to `path`, unless one is there."""
    if not path.exists():
        path.write_bytes(_empty_database())


@cache
def _empty_database() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(f"{whole()}\nPRAGMA user_version = {version()};")
        image = bytearray(connection.serialize())
    # The write and read versions in the file header: 2 means WAL, which the daemon uses.
    image[18:20] = b"\x02\x02"
    return bytes(image)

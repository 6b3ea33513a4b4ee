"""Writes the whole schema of the database, as its steps lead to it: `make schema`, after a new step."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from batchd.store import schema

FILE = Path(schema.__file__).with_name("schema.sql")
_HEAD = "-- The whole schema, with which a new database begins. Made from the steps in migrations/ by `make schema`.\n"
_ORDER = ("table", "view", "index", "trigger")


def parts_after(scripts: Iterable[str]) -> dict[tuple[str, str], str]:
    """What a database consists of after these scripts: by kind and name, its SQL."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for script in scripts:
            connection.executescript(script)
        found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        assert not any(
            connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchall()
            for kind, name, _ in found
            if kind == "table"
        ), "a step puts rows into a new database, which the whole schema would leave out"
    return {(kind, name): sql for kind, name, sql in found}


def written() -> str:
    """The file as it should be."""
    parts = parts_after(schema.migrations())
    in_order = sorted(parts, key=lambda part: (_ORDER.index(part[0]), part[1]))
    return "\n".join([_HEAD, *(f"{parts[part]};\n" for part in in_order)])


if __name__ == "__main__":
    FILE.write_text(written(), "utf-8")

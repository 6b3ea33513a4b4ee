"""What PostgreSQL refuses, in words: what happened, where, and what a person can do. Never a value out of a row."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from batchd import RejectedError, TransientError

ADDRESS = "postgresql://user:password@host:5432/database"


def place_of(url: str) -> str:
    """The address of a server and its database, without user and password."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        host = parts.hostname or query.get("host", ["localhost"])[0]
        port = parts.port or query.get("port", ["5432"])[0]
    except ValueError:
        return "the server"
    return f"postgresql://{host}:{port}{parts.path or '/'}"


def unusable(where: str) -> RejectedError:
    """The error for an address that is not one of PostgreSQL."""
    return RejectedError(f"The url of the sink ({where}) is no address of PostgreSQL. Write one such as {ADDRESS}.")


def unreachable(where: str, error: Exception) -> TransientError:
    """The error for a server that did not answer, or hung up."""
    if isinstance(error, TimeoutError):
        reason = "no answer in time"
    else:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)
    return TransientError(f"{where} cannot be reached ({' '.join(reason.split())[:200]}). Check url and the server.")


def explained(code: str, message: str, *, where: str, table: str, types: Mapping[str, str]) -> Exception:
    """The exception for an error with this SQLSTATE. `types` are those of the table's columns that are not text."""
    kind = code[:2]
    if kind in {"08", "40", "53", "55", "57"} or code == "58030":
        return TransientError(f"{where} does not take the rows now: {message}.")
    words = _WORDS.get(code) or _WORDS.get(kind)
    if words is None:
        return RejectedError(f"{where} does not take the rows for the table {table}: {message}.")
    told = ", ".join(f"{name} ({type_})" for name, type_ in types.items())
    # The value that did not fit comes after a colon, and in quotes too.
    short = re.split(r': "|: \\', message, maxsplit=1)[0] if kind == "22" else message
    return RejectedError(words.format(where=where, table=table, message=short, types=told or "none"))


_OTHER_NAME = "set table to a name that is free"
_WORDS = {
    "28": "{where} refuses the user or the password. Correct url, or pg_hba.conf at the server.",
    "3D000": "{where} has no such database. Make it, or correct url.",
    "3F000": f"{{where}} has no such schema for the table {{table}}. Make it (CREATE SCHEMA), or {_OTHER_NAME}.",
    "42501": (
        "{where} lets the user of url do too little with the table {table} ({message}). The user needs SELECT, INSERT "
        "and UPDATE on the table, TEMPORARY on the database, and, so that batchd can make the table or add columns, "
        "CREATE on its schema and to own it."
    ),
    "25006": "{where} is read-only, such as a standby. Set url to the server that takes writes.",
    "22": (
        "A value does not fit its column in the table {table} of {where}: {message}. Columns that are not text: "
        f"{{types}}. Change the column to text (ALTER TABLE … ALTER COLUMN … TYPE text), or {_OTHER_NAME}."
    ),
    "23": (
        "The table {table} of {where} has a rule that the rows do not keep: {message}. Change the rule, or "
        f"{_OTHER_NAME}."
    ),
    "42P10": (
        "The table {table} of {where} is not one for results: it needs a primary key of the columns job and row. "
        f"To have batchd make such a table, {_OTHER_NAME}."
    ),
    "54011": (
        "The table {table} of {where} would have too many columns ({message}). Set table to another name for this "
        "route, so that files with other columns have a table of their own."
    ),
    "42809": f"{{table}} of {{where}} is no table that rows can be put into ({{message}}). To go on, {_OTHER_NAME}.",
}

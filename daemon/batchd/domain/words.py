"""Words in messages: the nearest known word, and keys as TOML writes them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import TypeAlias

Keys: TypeAlias = tuple[str | int, ...]
"""The path to a value from the root: names of keys, and numbers (from 0) of items in lists."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be; None if no known word is close."""
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def proposal(word: str, known: Iterable[str], noun: str) -> str:
    """`; did you mean "settle"?`; if no known word is close, all of them: `; known sinks: csv, jsonl`."""
    known = sorted(known)
    meant = nearest(word, known)
    if meant is not None:
        return f'; did you mean "{meant}"?'
    return f"; {noun}: {', '.join(known)}" if known else f"; {noun}: none"


def show_key(keys: Keys) -> str:
    """The path to a value as TOML writes it; numbers of list items are left out."""
    return ".".join(_quoted(key) for key in keys if isinstance(key, str))


def _quoted(key: str) -> str:
    if _BARE.fullmatch(key):
        return key
    # TOML's strings are JSON's, except that TOML has DEL escaped.
    return json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")

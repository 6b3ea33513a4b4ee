"""Finding the word that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def proposal(word: str, known: Iterable[str], noun: str) -> str:
    """`; did you mean "settle"?`, or what there is: `; known sinks: csv, jsonl`."""
    known = sorted(known)
    meant = nearest(word, known)
    if meant is not None:
        return f'; did you mean "{meant}"?'
    return f"; {noun}: {', '.join(known)}" if known else f"; {noun}: none"

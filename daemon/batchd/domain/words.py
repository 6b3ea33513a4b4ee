"""Words in messages: the nearest known word, and keys as TOML writes them."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Keys: TypeAlias = tuple[str | int, ...]
"""The path to a value from the root: names of keys, and numbers (from 0) of items in lists."""

_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be; None if no known word is close."""
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def shown(name: str) -> str:
    """Return a name from a file with invisible characters written out: `review[ZERO WIDTH SPACE]`."""
    if name.isascii() and name.isprintable():
        return name
    return "".join(
        each
        if each == " " or unicodedata.category(each) not in _UNSEEN
        else f"[{unicodedata.name(each, f'U+{ord(each):04X}')}]"
        for each in name
    )


def matched(columns: Sequence[str], needed: Iterable[str]) -> list[str]:
    """Return the columns, with each needed one under its name in `needed`.

    A column that differs in case, spaces or invisible characters matches, if it is the only one that does.
    """
    named = list(columns)
    for name in needed:
        if name in named:
            continue
        for fold in (_same_letters, _same_word):
            places = [place for place, column in enumerate(columns) if fold(column) == fold(name)]
            if len(places) == 1 and named[places[0]] == columns[places[0]]:
                named[places[0]] = name
                break
            if places:
                break
    return named


def _same_letters(name: str) -> str:
    letters = unicodedata.normalize("NFKC", name)
    seen = (each for each in letters if each.isspace() or unicodedata.category(each) not in {"Cc", "Cf"})
    return " ".join("".join(seen).split())


def _same_word(name: str) -> str:
    return _same_letters(name).casefold()


def proposal(word: str, known: Iterable[str], noun: str = "there are") -> str:
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

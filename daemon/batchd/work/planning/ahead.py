"""Answers to rows that were asked ahead, by a try or a pilot: for seven days, these rows are not asked again.

This holds whatever a route says about reuse. If several rows ask the same and each must have an answer of its own, each
stored answer is for one row: the first answer for the first such row of a part, the second for the second.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from ...answers.joining import ResultLine
from ...store.answer_cache import AnswerCache, RequestKeys
from ...store.errors import StoreUnavailable
from ..part_files import requests_of

KEPT = 7 * 86_400.0
"""Seconds for which the answers are kept."""


class Occurrences:
    """Decides which of several answers to the same request each row gets."""

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def key(self, key: bytes, *, once: bool) -> bytes:
        """Return the key of the next row with this request. If the request is asked `once`, all rows have the same."""
        if once:
            return key
        place = self._seen[key]
        self._seen[key] += 1
        return _at(key, place)


def remember_ahead(
    path: str,
    leaders: Mapping[int, bytes],
    outcomes: Iterable[ResultLine],
    *,
    requests: str | None,
    provider: str,
    endpoint: str,
    at: float,
) -> None:
    """Keep the answers. `leaders` has the keys of rows that were asked for all rows with the same request.

    A failure to keep them is ignored, so that no answer is lost.
    """
    lines = {each.row: line for each in outcomes if each.ok and (line := each.output_line)}
    once = [(leaders[row], line) for row, line in lines.items() if row in leaders]
    with contextlib.suppress(StoreUnavailable), AnswerCache.opened(Path(path)) as book:
        book.keep(once, at=at)
        if requests is None or len(once) == len(lines):
            return
        keys = RequestKeys(provider, endpoint)
        for row, body in requests_of(Path(requests)):
            if row in lines and row not in leaders:
                _keep_one(book, keys.key(body), lines[row], at)


def _keep_one(book: AnswerCache, key: bytes, line: bytes, at: float) -> None:
    """Store the answer after those to the same request. An answer that is there already is not added again."""
    place = 0
    while (there := book.recall([_at(key, place)], since=at - KEPT)) and line not in there.values():
        place += 1
    book.keep([(_at(key, place), line)], at=at)


def _at(key: bytes, place: int) -> bytes:
    return blake2b(key + place.to_bytes(8, "big"), digest_size=16).digest() if place else key

"""Reuse: rows whose request was answered before, and rows of one part that ask the same.

The keys of what is asked lie beside the requests. A row with the key of an earlier one is not asked: it follows that
row, and has its outcome.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..answers.joining import ResultLine, read_again
from ..contracts import PromptBuilder
from ..model import Failure, RequestId, Usage
from ..store.answer_cache import AnswerCache, RequestKeys
from ..store.errors import StoreUnavailable

_RECORD = struct.Struct("<Q16s")
_CHUNK = 500
_lines = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Reuse:
    """Where answers are remembered, from when on they count, and where the keys of what is asked go."""

    book: str
    provider: str
    since: float
    keys: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """An outcome from an earlier answer, and the tokens it was billed at then."""

    outcome: ResultLine
    usage: Usage


class Keyed(NamedTuple):
    """A request with its key. One is made for each row, hence a tuple."""

    body: bytes
    key: bytes


def recalled(
    bodies: Iterable[tuple[int, bytes | Failure]],
    reuse: Reuse,
    builder: PromptBuilder[Any],
    *,
    job: str,
    endpoint: str,
) -> Iterator[tuple[int, Keyed | Failure | Recalled]]:
    """The same, with an outcome in the place of each request that was answered before, in order."""
    key_of = RequestKeys(reuse.provider, endpoint).key
    going = iter(bodies)
    with ExitStack() as stack:
        book: AnswerCache | None = None
        # A memory that fails costs money, and no row.
        with contextlib.suppress(StoreUnavailable):
            book = stack.enter_context(AnswerCache.opened(Path(reuse.book)))
        while chunk := list(islice(going, _CHUNK)):
            keyed = [(row, Keyed(body, key_of(body)) if type(body) is bytes else body) for row, body in chunk]
            found = _found(book, [each.key for _, each in keyed if type(each) is Keyed], reuse.since)
            if not found:
                yield from keyed  # type: ignore[misc]  # what is not bytes any more is a Failure
                continue
            for row, each in keyed:
                line = found.get(each.key) if isinstance(each, Keyed) else None
                read = read_again(row, renamed(line, job, row), builder) if line is not None else None
                # One that this builder cannot read is asked again, like any other.
                yield row, each if read is None else Recalled(*read)  # type: ignore[misc]


def _found(book: AnswerCache | None, keys: list[bytes], since: float) -> Mapping[bytes, bytes]:
    with contextlib.suppress(StoreUnavailable):
        return book.recall(keys, since=since) if book is not None else {}
    return {}


def renamed(line: bytes, job: str, row: int) -> bytes:
    """A provider's output line under the id of another row."""
    record = _lines.decode(line)
    record["custom_id"] = msgspec.Raw(_encode(str(RequestId(job, row))))
    return _encode(record)


def key_record(row: int, key: bytes) -> bytes:
    """A row and its key, as they lie beside the requests."""
    return _RECORD.pack(row, key)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the rows that are asked, and the rows that follow one of them."""

    asked: Mapping[int, bytes]
    followers: Mapping[int, int]


def read_keys(path: str | None) -> Keys:
    """What lies beside the requests; nothing, without reuse."""
    asked: dict[int, bytes] = {}
    followers: dict[int, int] = {}
    leaders: dict[bytes, int] = {}
    if path is not None and Path(path).exists():
        for row, key in _RECORD.iter_unpack(Path(path).read_bytes()):
            leader = leaders.setdefault(key, row)
            if leader == row:
                asked[row] = key
            else:
                followers[row] = leader
    return Keys(asked, followers)


@dataclass(slots=True)
class Followed:
    """The outcomes of the followers. `saved` is what their leaders' answers were billed at, once for each."""

    lines: list[ResultLine]
    waiting: list[int]
    saved: Usage
    reused: int


def follow(keys: Keys, outcomes: Mapping[int, ResultLine], job: str) -> Followed:
    """Give each follower the outcome of its leader; one whose leader is asked again waits with it."""
    followed = Followed([], [], Usage(), 0)
    for row, leader in keys.followers.items():
        outcome = outcomes.get(leader)
        if outcome is None:
            followed.waiting.append(row)
            continue
        line = outcome.output_line
        raw = {} if line is None else {"raw": msgspec.Raw(renamed(line, job, row))}
        followed.lines.append(msgspec.structs.replace(outcome, row=row, usage=None, **raw))
        if outcome.ok:
            followed.reused += 1
            followed.saved += Usage(*outcome.usage) if outcome.usage else Usage()
    return followed


def remember(book: str, keys: Keys, outcomes: Iterable[ResultLine], *, at: float) -> None:
    """Keep the answers to what was asked. That it fails is no reason to lose what was answered."""
    answers = (
        (key, line)
        for outcome in outcomes
        if outcome.ok and (key := keys.asked.get(outcome.row)) is not None and (line := outcome.output_line)
    )
    with contextlib.suppress(StoreUnavailable), AnswerCache.opened(Path(book)) as opened:
        opened.keep(answers, at=at)

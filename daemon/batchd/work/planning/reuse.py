"""Reuse of answers: for rows whose request was answered before, and for rows of one part with the same request.

Requests that would get the same answer again are asked once: those with `temperature` 0, or all, if the route says so.

The keys of the requests are in a file beside the requests. A row with the same key as an earlier row, its leader, is
not asked: it follows the leader, and gets its outcome.
"""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ...answers.joining import ResultLine, read_again
from ...contracts import PromptBuilder
from ...model import Failure, RequestId, Usage
from ...store.answer_cache import AnswerCache, RequestKeys
from ...store.errors import StoreUnavailable
from .ahead import Occurrences

_RECORD = struct.Struct("<Q16s")
_CHUNK = 500
_lines = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Reuse(Struct, frozen=True):
    """Where answers are stored, since when they may be reused, and the file for the keys of the requests.

    Without a `book` only requests of the same part share an answer: `all` of them, or those with `temperature` 0, or
    none, if `each` row is to have an answer of its own. `ahead` is the file with the answers to rows that were asked
    ahead, or a copy of it, if the machine does not see the daemon's own file.

    `prints` is the file for the prints, by which rows without keys are compared with other parts; None if there are no
    other parts.
    """

    provider: str
    keys: str
    book: str | None = None
    since: float = 0.0
    all: bool = True
    each: bool = False
    ahead: str | None = None
    ahead_is_copy: bool = False
    ahead_since: float = 0.0
    prints: str | None = None

    def once(self, body: bytes) -> bool:
        """Whether all rows with this request get the same answer."""
        return self.book is not None or (not self.each and (self.all or _is_cold(body)))


class Recalled(Struct, frozen=True):
    """An outcome from an earlier answer, and the tokens that were billed for it then."""

    outcome: ResultLine
    usage: Usage


class Keyed(NamedTuple):
    """A request with its key. A tuple for speed: there is one for each row."""

    body: bytes
    key: bytes


def recalled(
    bodies: Iterable[tuple[int, bytes | Failure]],
    reuse: Reuse,
    builder: PromptBuilder[Any],
    *,
    job: str,
    endpoint: str,
) -> Iterator[tuple[int, bytes | Keyed | Failure | Recalled]]:
    """Yield the bodies in order, each with its key; in place of a request that was answered before, its outcome."""
    key_of = RequestKeys(reuse.provider, endpoint).key
    if reuse.book is None and reuse.ahead is None:
        for row, body in bodies:
            once = type(body) is bytes and reuse.once(body)
            yield row, Keyed(body, key_of(body)) if once else body  # type: ignore[arg-type]  # bytes, if it is once
        return
    remaining, places = iter(bodies), Occurrences()
    with ExitStack() as stack:
        # If a cache fails, the rows are asked: that costs money, but loses no row.
        book, ahead = _opened(stack, reuse.book), _ahead_opened(stack, reuse)
        while chunk := list(islice(remaining, _CHUNK)):
            keyed = [(row, Keyed(body, key_of(body)) if type(body) is bytes else body) for row, body in chunk]
            keys = [each.key for _, each in keyed if type(each) is Keyed]
            stored = _stored(book, keys, reuse.since)
            place_of: dict[int, bytes] = {}
            if ahead is not None:
                place_of = {
                    row: places.key(each.key, once=reuse.once(each.body)) for row, each in keyed if type(each) is Keyed
                }
            asked_ahead = _stored(ahead, list(place_of.values()), reuse.ahead_since)
            for row, each in keyed:
                if not isinstance(each, Keyed):
                    yield row, each
                    continue
                line = stored.get(each.key) or asked_ahead.get(place_of.get(row, b""))
                read = read_again(row, renamed(line, job, row), builder) if line is not None else None
                # If this builder cannot read the answer, the row is asked.
                yield row, Recalled(*read) if read is not None else each if reuse.once(each.body) else each.body


class AskedAhead:
    """The answers to rows that were asked ahead, for rows whose keys are known."""

    def __init__(self, book: AnswerCache, since: float, job: str, builder: PromptBuilder[Any]) -> None:
        self._book = book
        self._since = since
        self._job = job
        self._builder = builder
        self._places = Occurrences()

    def answers(self, rows: Sequence[int], keys: Iterable[bytes], *, once: bool) -> dict[int, Recalled]:
        """Return the outcomes of the rows, with these keys, that have an answer which the builder can read."""
        own = [self._places.key(key, once=once) for key in keys]
        stored = _stored(self._book, own, self._since)
        lines = [(row, stored[key]) for row, key in zip(rows, own, strict=True) if key in stored] if stored else ()
        read = ((row, read_again(row, renamed(line, self._job, row), self._builder)) for row, line in lines)
        return {row: Recalled(*each) for row, each in read if each is not None}


@contextlib.contextmanager
def ahead_of(reuse: Reuse | None, job: str, builder: PromptBuilder[Any]) -> Iterator[AskedAhead | None]:
    """The answers to rows that were asked ahead; None if there are none, or they cannot be read."""
    with ExitStack() as stack:
        book = _ahead_opened(stack, reuse) if reuse is not None else None
        yield AskedAhead(book, reuse.ahead_since, job, builder) if book is not None and reuse is not None else None


def _ahead_opened(stack: ExitStack, reuse: Reuse) -> AnswerCache | None:
    if reuse.ahead is None or not reuse.ahead_is_copy:
        return _opened(stack, reuse.ahead)
    # If the copy is gone, there is a newer one, and the part is planned again with that.
    return stack.enter_context(AnswerCache.copy_opened(Path(reuse.ahead)))


def _opened(stack: ExitStack, path: str | None) -> AnswerCache | None:
    with contextlib.suppress(StoreUnavailable):
        return stack.enter_context(AnswerCache.opened(Path(path))) if path is not None else None
    return None


_COLD = re.compile(rb'"temperature"\s*:\s*-?0(?:\.0+)?(?:[eE][+-]?\d+)?\s*[,}]')
_temperature = msgspec.json.Decoder(dict[str, Any])


def _is_cold(body: bytes) -> bool:
    """Whether the request says `temperature` 0. It is decoded only if it seems to."""
    if _COLD.search(body) is None:
        return False
    temperature = _temperature.decode(body).get("temperature")
    return temperature == 0 and not isinstance(temperature, bool)


def _stored(book: AnswerCache | None, keys: list[bytes], since: float) -> Mapping[bytes, bytes]:
    with contextlib.suppress(StoreUnavailable):
        return book.recall(keys, since=since) if book is not None else {}
    return {}


def renamed(line: bytes, job: str, row: int) -> bytes:
    """A provider's output line with the id of another row."""
    record = _lines.decode(line)
    record["custom_id"] = msgspec.Raw(_encode(str(RequestId(job, row))))
    return _encode(record)


def key_record(row: int, key: bytes) -> bytes:
    """A row and its key, as written to the file beside the requests."""
    return _RECORD.pack(row, key)


class Keys(Struct, frozen=True):
    """Row to key for the rows that are asked, and row to leader for those that follow one of them."""

    leaders: Mapping[int, bytes]
    followers: dict[int, int]


def key_records(path: Path) -> Iterable[tuple[int, bytes]]:
    """Return the rows and their keys in a file of key records, in row order; nothing if there is no file."""
    return key_records_in(path.read_bytes()) if path.exists() else ()


def key_records_in(records: bytes) -> Iterable[tuple[int, bytes]]:
    """Return the rows and their keys in key records."""
    return _RECORD.iter_unpack(records)


RECORD = _RECORD.size
"""Bytes of a record."""


def read_keys(path: str | None) -> Keys:
    """The keys in the file beside the requests; none if answers are not reused."""
    leaders: dict[int, bytes] = {}
    followers: dict[int, int] = {}
    first_rows: dict[bytes, int] = {}
    for row, key in key_records(Path(path)) if path is not None else ():
        leader = first_rows.setdefault(key, row)
        if leader == row:
            leaders[row] = key
        else:
            followers[row] = leader
    return Keys(leaders, followers)


@dataclass(slots=True)
class Followed:
    """The outcomes of the followers. `saved` are the tokens billed for the leaders' answers, once per follower."""

    lines: list[ResultLine]
    waiting: list[int]
    saved: Usage
    reused: int


def follow(keys: Keys, outcomes: Mapping[int, ResultLine], job: str) -> Followed:
    """Give each follower the outcome of its leader; if the leader is asked again, the follower waits with it."""
    followed = Followed([], [], Usage(), 0)
    for row, leader in keys.followers.items():
        outcome = outcomes.get(leader)
        if outcome is None:
            followed.waiting.append(row)
            continue
        followed.lines.append(copied(outcome, job, row))
        if outcome.ok:
            followed.reused += 1
            followed.saved += Usage(*outcome.usage) if outcome.usage else Usage()
    return followed


def copied(outcome: ResultLine, job: str, row: int) -> ResultLine:
    """Return the outcome of a row as the outcome of another row, at no cost."""
    line = outcome.output_line
    raw = {} if line is None else {"raw": msgspec.Raw(renamed(line, job, row))}
    return msgspec.structs.replace(outcome, row=row, usage=None, **raw)


def remember(book: str, keys: Keys, outcomes: Iterable[ResultLine], *, at: float) -> None:
    """Store the answers of the leaders. A failure to store them is ignored, so that no answer is lost."""
    answers = (
        (key, line)
        for outcome in outcomes
        if outcome.ok and (key := keys.leaders.get(outcome.row)) is not None and (line := outcome.output_line)
    )
    with contextlib.suppress(StoreUnavailable), AnswerCache.opened(Path(book)) as opened:
        opened.keep(answers, at=at)

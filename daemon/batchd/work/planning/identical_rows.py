"""Rows that ask the same as a row of another part: the first such row of the file is asked, the others follow it.

Rows of one part are compared while it is planned (`reuse`). Once all parts are planned, `compare` finds rows that
follow a row of another part, by the keys of their requests, and their parts are planned again without them. At the end,
`follow_others` gives them the outcomes of the rows that were asked.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from ...answers.joining import ResultLine
from ...files import replacing
from ...model import Usage
from ...store.answer_cache import RequestKeys
from ..kept_answers import whole_outcomes
from ..part_files import decode_results, requests_of, result_lines_of, write_results
from .repeats import read_prints, repeated
from .reuse import RECORD, copied, key_record, key_records, key_records_in

_PAIR = struct.Struct("<QQ")
KEYS_AT_ONCE = 250_000
"""Keys that are held in memory: about 45 MB. More are compared in several passes over the files."""


class Planned(Struct, frozen=True):
    """A planned part: its first row, its number of rows, the file with its keys, and the file for rows that follow.

    If there are `prints`, not all rows have a key there. The other keys are made from the `requests`.
    """

    first: int
    rows: int
    keys: str
    follows: str
    prints: str | None = None
    requests: str = ""


class CompareTask(Struct, frozen=True):
    """Compare the requests of these parts, in row order. `leaders` is the file with the keys of parts sent before.

    If `more` parts are planned later, new keys are added to it. `provider` and `endpoint` are those of the requests.
    """

    parts: Sequence[Planned]
    leaders: str
    more: bool = False
    provider: str = ""
    endpoint: str = ""


def compare(task: CompareTask, *, keys_at_once: int = KEYS_AT_ONCE) -> Sequence[int]:
    """Write which rows follow a row of another part. Return the first row of each part that has such rows."""
    before = Path(task.leaders)
    records = _keys_to_compare(task, keys_at_once)
    if records is None:
        return []
    keys = sum(map(len, records)) // RECORD + (before.stat().st_size // RECORD if before.exists() else 0)
    passes = min(256, max(1, -(-keys // keys_at_once)))
    follows: dict[int, bytearray] = defaultdict(bytearray)
    new = bytearray()
    for number in range(passes):
        leaders = {key: row for row, key in key_records(before) if key[0] * passes >> 8 == number}
        for part, each in enumerate(task.parts):
            for row, key in key_records_in(records[part]):
                if key[0] * passes >> 8 != number:
                    continue
                known = len(leaders)
                leader = leaders.setdefault(key, row)
                if len(leaders) > known:
                    if task.more:
                        new += key_record(row, key)
                elif not each.first <= leader < each.first + each.rows:
                    follows[part] += _PAIR.pack(row, leader)
    for part, pairs in follows.items():
        path = task.parts[part].follows
        write_follows(path, read_follows(path) | dict(_PAIR.iter_unpack(pairs)))
    if new:
        kept = before.read_bytes() if before.exists() else b""
        with replacing(before) as written:
            written.write(kept)
            written.write(new)
    return [task.parts[part].first for part in sorted(follows)]


def _keys_to_compare(task: CompareTask, at_once: int) -> Sequence[bytes] | None:
    """Return the keys of each part's rows that may ask the same as a row of another part; None if there are none."""
    prints = [read_prints(part.prints) for part in task.parts]
    told = [each for each in prints if each is not None]
    suspects: set[int] | None = None
    # Each row needs its key if rows were sent before or are planned later, or if prints cannot be compared.
    comparable = len({process for process, _ in told}) <= 1 and not any(
        each is None and Path(part.keys).exists() for part, each in zip(task.parts, prints, strict=True)
    )
    if comparable and not task.more and not Path(task.leaders).exists():
        suspects = repeated([each for _, each in told], at_once=2 * at_once)  # prints take less memory than keys
        if not suspects:
            return None
    keys = RequestKeys(task.provider, task.endpoint)
    own = [each[1] if each is not None else None for each in prints]
    return [_keys_of(part, each, suspects, keys) for part, each in zip(task.parts, own, strict=True)]


def _keys_of(part: Planned, prints: array[int] | None, suspects: set[int] | None, keys: RequestKeys) -> bytes:
    """Return the key records of a part, in row order: of the rows whose prints are `suspects`, of all rows if None."""
    if prints is None:
        return Path(part.keys).read_bytes() if Path(part.keys).exists() else b""
    rows = {row for row, each in enumerate(prints, start=part.first) if each and (suspects is None or each in suspects)}
    known = {row: key for row, key in key_records(Path(part.keys)) if row in rows}
    if len(known) < len(rows):
        asked = requests_of(Path(part.requests))
        known |= {row: keys.key(body) for row, body in asked if row in rows and row not in known}
    return b"".join(key_record(row, known[row]) for row in sorted(known))


def read_follows(path: str | None) -> dict[int, int]:
    """Return which row of another part each row of a part follows; empty if there is no file."""
    if path is None or not Path(path).exists():
        return {}
    return dict(_PAIR.iter_unpack(Path(path).read_bytes()))


def write_follows(path: str, follows: Mapping[int, int]) -> None:
    """Write which row each row follows, complete or not at all. If none follows another, delete the file."""
    if follows:
        with replacing(Path(path)) as file:
            file.writelines(_PAIR.pack(*pair) for pair in follows.items())
    else:
        Path(path).unlink(missing_ok=True)


class Outcomes(Struct, frozen=True):
    """The results file of a part, and which rows it is about."""

    first: int
    rows: int
    results: str


class FollowTask(Struct, frozen=True):
    """Give the rows of a part that follow others the outcomes of those. `settled` is its results file so far."""

    job: str
    follows: str
    settled: str | None
    results: str
    others: Sequence[Outcomes]


@dataclass(slots=True)
class FollowDone:
    """The rows of the part with an outcome. Of these, `reused` have now got the answer to a row of another part.

    `saved` are the tokens that were billed for these answers.
    """

    ok: int = 0
    failed: int = 0
    reused: int = 0
    saved: Usage = field(default_factory=Usage)


def follow_others(task: FollowTask) -> FollowDone:
    """Write the part's new results file. A row whose leader has no outcome gets none."""
    settled = decode_results(Path(task.settled)) if task.settled else {}
    follows = {row: leader for row, leader in read_follows(task.follows).items() if row not in settled}
    outcomes = _outcomes(sorted(set(follows.values())), task.others)
    done = FollowDone()

    def lines() -> Iterator[ResultLine]:
        # One at a time: a thousand copies of a long answer need not be in memory at once.
        for row in sorted([*settled, *follows]):
            line = settled.get(row)
            if line is None:
                leader = outcomes.get(follows[row])
                if leader is None:
                    continue
                line = copied(leader, task.job, row)
                done.reused += leader.ok
                done.saved += Usage(*leader.usage) if leader.ok and leader.usage else Usage()
            done.ok += line.ok
            done.failed += not line.ok and not line.empty
            yield line

    write_results(Path(task.results), lines())
    return done


def _outcomes(leaders: Sequence[int], others: Iterable[Outcomes]) -> dict[int, ResultLine]:
    found: dict[int, ResultLine] = {}
    for other in others:
        start, end = bisect_right(leaders, other.first - 1), bisect_right(leaders, other.first + other.rows - 1)
        if start < end:
            results = Path(other.results)
            lines = result_lines_of(results, set(leaders[start:end]))
            found.update((line.row, line) for line in whole_outcomes(results, lines))
    return found

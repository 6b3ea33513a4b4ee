"""Counts the requests and tokens of a file: reads and plans it as the daemon would, in a folder of its own."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from ...domain.routing import PluginSpec
from ...errors import FileRefused
from ...model import Body
from ...money import tokens
from ...money.estimating import Load
from ...money.sampling import PIECE, thin
from ...values import replace
from ..part_files import lines_of, read_results
from ..pictures import PictureFolder
from ..reading.read import ReadDone, ReadTask, read
from .plan import PlanTask, plan

LARGE = 32 * 1024 * 1024
"""Bytes: of a larger file, only a sample is counted. Counting this many takes seconds."""

SAMPLE = 8 * 1024 * 1024
"""Approximate bytes of rows in a sample."""

SOME = 200
"""Rows that are enough for an estimate of a later step, whose questions are not known yet."""

PART_ROWS, _SMALL_PART = 10_000, 1_000
_CELLS, _LINES = {".csv", ".tsv", ".tab"}, {".jsonl", ".ndjson"}
_SEED = 7


class CountTask(Struct, frozen=True, kw_only=True):
    """Count the requests of `source`. `folder` is an empty folder for temporary files.

    `models` has one model for each way to count; requests of more than `long` tokens are recorded one by one.
    """

    source: Path
    name: str
    folder: Path
    reader: PluginSpec
    builder: PluginSpec
    common: Body
    endpoint: str
    max_line_bytes: int | None
    models: Mapping[str, str]
    long: int | None = None
    formats: Sequence[str] | None = None
    large: int = LARGE
    sample: int = SAMPLE
    piece: int = PIECE
    part_rows: int = PART_ROWS
    pictures: PictureFolder | None = None
    skip_empty: bool = False
    max_file_bytes: int = 20_000_000


@dataclass(slots=True, kw_only=True)
class Counted:
    """The counts. Of `rows` rows, `looked_at` were read; `failed` counts those without a request by code, with one of
    the `examples` each, and `empty` those that are skipped, since they have nothing to ask about. `some` are rows as
    they were read, for the estimate of a later step.

    The keys of `loads` and of `same` are those of the task's `models`; `same` is the number of tokens that every
    request has in common.
    """

    rows: int
    looked_at: int
    requests: int = 0
    limits: int = 0
    unlimited: int = 0
    repeats: int = 0
    empty: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)
    same: dict[str, float | None] = field(default_factory=dict)
    columns: Sequence[str] = ()
    answer_columns: Sequence[str] = ()
    some: Sequence[bytes] = ()

    @property
    def share(self) -> float:
        """The share of the rows that was counted."""
        return self.looked_at / self.rows


def count(task: CountTask) -> Counted:
    """Count the file. Raises FileRefused if it cannot be processed."""
    reading, done, rows = _rows(task)
    parts = done.parts
    if reading.part_rows == _SMALL_PART:
        parts = _some(parts, task.sample)
    counted = Counted(rows=rows, looked_at=sum(part[1] for part in parts))
    counted.columns, counted.answer_columns = done.columns, done.answer_columns
    counted.some = list(islice(lines_of(Path(reading.target)), SOME))
    sums: Counter[str] = Counter()
    long: dict[str, list[int]] = {key: [] for key in task.models}
    seen: set[bytes] = set()
    requests = task.folder / "requests.jsonl"
    for first, _, offset, length in parts:
        planned = plan(_plan_task(task, reading, done, first, offset, length))
        counted.requests += planned.requests
        counted.limits += planned.output_tokens
        counted.unlimited += planned.unlimited
        counted.empty += planned.empty
        _note_failures(counted, task.folder / f"{first}.jsonl")
        # One counter for each part, as in planning, so that both give the same numbers.
        counters = {key: tokens.counter(model) for key, model in task.models.items()}
        for body in _bodies(requests):
            digest = blake2b(body, digest_size=12).digest()
            counted.repeats += digest in seen
            seen.add(digest)
            for key, counter in counters.items():
                number = counter(body)
                if task.long is not None and number > task.long:
                    long[key].append(number)
        for key, counter in counters.items():
            sums[key] += counter.total
            counted.same[key] = counted.same.get(key) or counter.same
    for key in task.models:
        counted.loads[key] = Load(counted.requests, sums[key], tuple(long[key]), counted.share)
    return counted


def _rows(task: CountTask) -> tuple[ReadTask, ReadDone, int]:
    """The rows, all of them or a sample from all over the file, and their total number."""
    source = task.source
    if source.stat().st_nlink > 1:
        # A file with several hard links is refused, as in the inbox, so count a copy of it.
        shutil.copyfile(source, source := task.folder / "copy")
    large = source.stat().st_size > task.large
    suffix = Path(task.name).suffix.lower()
    if large and suffix in _CELLS | _LINES:
        sample = task.folder / "sample"
        written = thin(source, sample, quoted=suffix in _CELLS, piece=task.piece)
        if written is not None:
            reading = _read_task(task, sample, task.part_rows)
            try:
                done = read(reading)
                return reading, done, max(done.rows, round(done.rows * source.stat().st_size / written))
            except FileRefused:
                pass  # the cut may have caused it; reading the whole file decides
    reading = _read_task(task, source, _SMALL_PART if large else task.part_rows)
    done = read(reading)
    return reading, done, done.rows


def _some(parts: Sequence[tuple[int, int, int, int]], sample: int) -> Sequence[tuple[int, int, int, int]]:
    """Parts from all over the file, up to the size of a sample."""
    size = sum(length for _, _, _, length in parts)
    number = max(1, min(len(parts), round(len(parts) * sample / size)))
    chance = random.Random(_SEED)
    step = len(parts) / number
    return [parts[int((each + chance.random()) * step)] for each in range(number)]


def _read_task(task: CountTask, source: Path, part_rows: int) -> ReadTask:
    target = task.folder / "rows.jsonl"
    return ReadTask(
        str(source),
        task.name,
        str(target),
        part_rows,
        task.reader,
        task.builder,
        formats=task.formats,
        max_file_bytes=task.max_file_bytes,
    )


def _plan_task(task: CountTask, reading: ReadTask, done: ReadDone, first: int, offset: int, length: int) -> PlanTask:
    return PlanTask(
        job="estimate",
        first=first,
        offset=offset,
        length=length,
        columns=done.columns,
        rows=reading.target,
        requests=str(task.folder / "requests.jsonl"),
        settled=None,
        failures=str(task.folder / f"{first}.jsonl"),
        builder=task.builder,
        common=task.common,
        endpoint=task.endpoint,
        max_line_bytes=task.max_line_bytes,
        model=next(iter(task.models.values())),
        pictures=_pictures(task),
        skip_empty=task.skip_empty,
    )


def _pictures(task: CountTask) -> PictureFolder | None:
    """Return where the pictures are. Those from the archive were put beside the rows."""
    came_with = task.folder / "pictures"
    if not came_with.exists():
        return task.pictures
    known = task.pictures or PictureFolder(None, task.max_file_bytes)
    return replace(known, copies=str(came_with))


def _note_failures(counted: Counted, results: Path) -> None:
    if not results.exists():
        return
    for line in read_results(results):
        if line.empty:
            continue
        code = line.code or "error"
        counted.failed[code] += 1
        counted.examples.setdefault(code, line.message or "")
    results.unlink()


def _bodies(requests: Path) -> Iterator[Any]:
    before = b',"body":'
    for line in lines_of(requests):
        yield line[line.index(before) + len(before) : -2]

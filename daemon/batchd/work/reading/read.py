"""Reads a dropped file into rows.jsonl."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from msgspec import Struct

from ...columns import free_names
from ...contracts import PromptBuilder, Reader, Source
from ...domain import rows
from ...domain.questions import NAME as QUESTION
from ...domain.routing import PluginSpec
from ...domain.words import matched, nearest, shown
from ...errors import FileRefused, PluginError
from ...files import replacing, sha256_of
from ...intake.plain_files import open_source, stamp_of
from ...model import BadRow, Dialect, Failure, Json
from ...requests.rules import duplicate_fault
from ...store.duplicate_finder import DuplicateFinder
from ...workers import worker_plugins
from ...workers.limits import READ_TIMEOUT, Progress, limited
from ..part_files import lines_of
from .opening import OpenedFile, opened
from .reader_faults import LEAST_ROW, broken, checked, names_of
from .results_again import ResultsAgain
from .unpacking import Pictures

MAX_COLUMNS = 16_384
"""Columns of a file: as many as a sheet of Excel has. With a million of them, two rows took 704 MiB."""


class ReadTask(Struct, frozen=True):
    """Read `source` into `target`. `name` is its name in the inbox, for its suffix and for messages.

    `among` is the number of workers for its parts: a small file is cut so that each gets a share. If the file has more
    than `pilot` rows, this many go into parts of their own: the first rows or, with `pilot_spread`, rows from all over
    the file. If it has more than `batch_rows` rows, its first part is short, so that few rows go ahead. `formats` are
    those that the route names. `steps` are the later steps of a chain, by their routes' names: the file is refused if
    one of them would miss a column. If the prompt may show pictures, those in an archive go to the folder `pictures`
    beside the target, up to `max_file_bytes` each.
    """

    source: str
    name: str
    target: str
    part_rows: int
    reader: PluginSpec
    builder: PluginSpec
    among: int = 1
    read_timeout: float = READ_TIMEOUT
    by_folder: bool = False
    pilot: int = 0
    pilot_spread: bool = False
    batch_rows: int | None = None
    formats: Sequence[str] | None = None
    steps: Sequence[tuple[str, PluginSpec]] = ()
    max_file_bytes: int = 20_000_000


class ReadDone(Struct, frozen=True):
    """The result of reading. `parts` are (first row, rows, offset, length); `stamp` is the file's after reading.

    `ahead` are the rows in parts of their own, which are asked before the others, if there are any.
    """

    columns: Sequence[str]
    answer_columns: Sequence[str]
    rows: int
    sha256: str
    description: Mapping[str, Json]
    dialect: Dialect | None
    parts: Sequence[tuple[int, int, int, int]]
    stamp: tuple[int, int, int, int]
    ahead: frozenset[int] = frozenset()


def read(task: ReadTask) -> ReadDone:
    """Read the whole file. Raises FileRefused if it cannot be processed, Hung if a plugin hangs."""
    with limited(task.read_timeout) as progress:
        path = Path(task.source)
        open_source(path).close()
        progress.ours = True  # unpacking a large file takes long
        folder = Path(task.target).with_name("unpacked")
        shows = task.builder.kind != "template" or bool(task.builder.settings.get("images"))
        pictures = Pictures(folder.with_name("pictures"), task.max_file_bytes) if shows else None
        with opened(Source(path, task.name), folder, task.reader, task.formats, pictures) as table:
            progress.ours = False
            return _read(task, path, table, progress)


def _read(task: ReadTask, path: Path, table: OpenedFile, progress: Progress) -> ReadDone:
    blocks = table.blocks
    columns = _columns(names_of(blocks, table.reader))
    builder = _builder(task)
    again = ResultsAgain.of(task.name, columns, builder.columns, builder.needs())
    if again is not None:
        whole = len(columns)
        blocks = (list(again.rows(checked(block, whole, table.reader))) for block in blocks)
        columns = again.columns
    named = matched(columns, builder.needs())
    _needed(named, columns, builder.needs(), table.describe())
    _needed_later(task.steps, columns, builder.columns)
    kept = _Filled(table, blocks, len(columns), progress)
    parts = _kept(kept, named, builder.unique, task)
    count = sum(part[1] for part in parts)
    if count == 0 and again is not None and again.left_out:
        raise FileRefused(
            "answered",
            "Every row of this file has its answer already, so nothing is left to ask. To ask a row again, empty its "
            "cell in the column of the status, and drop the file again.",
        )
    if count == 0:
        raise FileRefused("no_rows", "It has a header line but no rows below it. Add rows and drop it again.")
    ahead: frozenset[int] = frozenset()
    if 0 < task.pilot < count:
        ahead = rows.sample(count, task.pilot, spread=task.pilot_spread)
        parts = list(rows.cut_ahead(map(len, lines_of(Path(task.target))), {part[0] for part in parts}, ahead))
    elif task.batch_rows is not None and rows.FINEST_RUN < task.batch_rows < count:
        parts = [*rows.cut_short(lines_of(Path(task.target)), parts[0]), *parts[1:]]
    return ReadDone(
        columns=columns,
        answer_columns=list(builder.columns),
        rows=count,
        sha256=sha256_of(path),
        description={
            **table.describe(),
            **({"blank_rows": kept.blank} if kept.blank else {}),
            **({"answered_before": again.left_out} if again is not None else {}),
        },
        dialect=table.dialect(),
        parts=parts,
        stamp=stamp_of(path),
        ahead=ahead,
    )


def _builder(task: ReadTask) -> PromptBuilder[Any]:
    try:
        return worker_plugins.builder(task.builder)
    except PluginError as error:
        if not task.by_folder:
            raise
        # What the operator wrote was accepted with the configuration: the question is at fault.
        raise FileRefused("question", f"{QUESTION} cannot be asked: {str(error).partition(': ')[2] or error}") from None


_Record: TypeAlias = Sequence[Json] | BadRow


class _Filled:
    """Iterates over the records that are rows, in blocks: in any format, a record of only empty cells is no row."""

    def __init__(self, table: OpenedFile, blocks: Iterator[Sequence[_Record]], width: int, progress: Progress) -> None:
        self._table = table
        self._blocks = blocks
        self.width = width
        self._progress = progress
        self._room = table.most
        self.blank = 0

    def __iter__(self) -> Iterator[Sequence[_Record]]:
        number = 0
        for block in self._blocks:
            self._progress.at(number)
            number += len(block)
            if not _all_begin_with_text(block):
                filled = [record for record in checked(block, self.width, self.reader) if not rows.is_blank(record)]
                self.blank += len(block) - len(filled)
                self.written(LEAST_ROW * (1 + len(block) - len(filled)))
                block = filled
            yield block

    @property
    def reader(self) -> Reader[Any] | None:
        """The Reader that yields the records."""
        return self._table.reader

    def written(self, size: int) -> None:
        """Count bytes of rows, and refuse too many: a Reader that never ends would fill the disk, or never return."""
        self._room -= size
        if self._room < 0:
            raise broken(
                self.reader,
                f"has yielded more than {self._table.most:,} bytes, like one that never ends. If they are right, "
                "raise max_unpacked in the table [routes.NAME.reader].",
            )


def _all_begin_with_text(block: Sequence[_Record]) -> bool:
    """Whether all are rows that begin with a text, so that none is blank: the usual case, and quick to check."""
    if set(map(type, block)) != {list}:
        return False
    firsts = [record[0] for record in block if record]  # type: ignore[index]  # lists
    plain = len(firsts) == len(block) and set(map(type, firsts)) == {str} and all(firsts)
    return plain and not any(map(str.isspace, firsts))


def _columns(header: Sequence[str]) -> Sequence[str]:
    if not header:
        raise FileRefused("no_columns", "It has no columns. The first line must name them.")
    if len(header) > MAX_COLUMNS:
        raise FileRefused(
            "columns",
            f"The file has {len(header):,} columns, and batchd reads at most {MAX_COLUMNS:,}. Check that each row is "
            "on its own line, remove the columns that the question does not need, and drop the file again.",
        )
    if len(set(header)) != len(header):
        duplicate = next(name for name in header if header.count(name) > 1)
        raise FileRefused("header", f"Two columns are called “{duplicate}”. Rename one and drop it again.")
    return header


def _needed(named: Sequence[str], columns: Sequence[str], needed: Iterable[str], reading: Mapping[str, Json]) -> None:
    missing = [name for name in needed if name not in named]
    if missing:
        missing_names = ", ".join(f"“{shown(name)}”" for name in missing)
        known_names = ", ".join(f"“{shown(name)}”" for name in columns[:20])
        meant = nearest(missing[0], columns)
        hint = f"Did you mean “{shown(meant)}”? " if meant else ""
        others = ", ".join(f"“{shown(str(name))}”" for name in cast("list[Json]", reading.get("other_sheets") or []))
        if others:
            hint += (
                f"This is the sheet “{shown(str(reading.get('sheet')))}”, and there are others: {others}. "
                "If the table is in one of them, move that to the front. "
            )
        raise FileRefused(
            "columns",
            f"The question about each row needs the column {missing_names}, and this file does not have it. "
            f"Its columns are: {known_names}. {hint}Rename the column and drop the file again.\n"
            "For the operator: or change the column in the prompt of the route.",
        )


def _needed_later(steps: Sequence[tuple[str, PluginSpec]], columns: Sequence[str], answers: Sequence[str]) -> None:
    """Refuse a file that a later step of the chain could not ask about, before anything is paid."""
    known = [*columns, *free_names(columns, answers)]
    for name, spec in steps:
        step = worker_plugins.builder(spec)
        missing = [each for each in step.needs() if each not in matched(known, step.needs())]
        if missing:
            names = ", ".join(f"“{shown(each)}”" for each in missing)
            raise FileRefused(
                "columns",
                f"After this question the answers go on to another one, which needs the column {names}. Neither this "
                "file nor the answers have it. Rename or add the column and drop the file again.\n"
                f"For the operator: the prompt of the route {name} names it; a column of answers has the number of "
                "the next free name, such as answer (2), where the name is taken.",
            )
        known += free_names(known, step.columns)


def _kept(
    records: _Filled, columns: Sequence[str], unique: str | None, task: ReadTask
) -> Sequence[tuple[int, int, int, int]]:
    """Write rows.jsonl, where a row that repeats a value of the column `unique` is a BadRow. Returns its parts."""
    target = Path(task.target)
    cutter = rows.Cutter(task.part_rows, task.among)
    if unique is None or unique not in columns:
        with replacing(target) as file:
            _write(records, file, cutter)
        return cutter.parts()
    place = columns.index(unique)
    with DuplicateFinder(target.with_suffix(".names")) as names:

        def note(number: int, record: Sequence[Json]) -> None:
            if isinstance(record[place], str):
                names.add(number, record[place])

        with replacing(target) as file:
            _write(records, file, cutter, note)
        names.find()
        if next(names.duplicates(), None) is None:
            return cutter.parts()
        with replacing(target) as file:
            return list(rows.cut(_rewrite(target, names, unique, file), task.part_rows, task.among))


def _write(
    records: _Filled,
    file: IO[bytes],
    cutter: rows.Cutter,
    note: Callable[[int, Sequence[Json]], None] | None = None,
) -> None:
    """Write the records, and pass their lines to the cutter. Call `note` with every row that can be stored."""
    number = 0
    for block in records:
        at = 0
        while at < len(block):
            some = block[at : at + cutter.room]
            lines = _encoded(some, records.width) if note is None else None
            if lines is None:
                numbered = enumerate(checked(some, records.width, records.reader), start=number)
                lines = b"".join([_line(record, place, note, records.reader) for place, record in numbered])
            records.written(len(lines))
            file.write(lines)
            cutter.add(lines, len(some))
            at += len(some)
            number += len(some)


def _encoded(block: Sequence[_Record], width: int) -> bytes | None:
    """Return the lines of these rows; None if a record among them is no row, or cannot be stored."""
    if set(map(type, block)) != {list} or set(map(len, block)) != {width}:  # type: ignore[arg-type]  # lists
        return None
    try:
        return rows.encode_many(block)  # type: ignore[arg-type]  # lists
    except (TypeError, ValueError, OverflowError):
        return None


def _line(
    record: _Record,
    number: int,
    note: Callable[[int, Sequence[Json]], None] | None,
    reader: Reader[Any] | None,
) -> bytes:
    record = _bounded(record)
    try:
        line = rows.encode(record)
        if note is not None and not isinstance(record, BadRow):
            note(number, record)
    except TypeError as error:
        raise broken(reader, f"yields a value that JSON does not have ({error}).") from None
    except (ValueError, OverflowError) as error:
        line = rows.encode(_unkeepable(record, error))
    return line


def _bounded(record: Sequence[Json] | BadRow) -> Sequence[Json] | BadRow:
    if not isinstance(record, BadRow) or len(record.values) <= MAX_COLUMNS:
        return record
    message = f"{record.failure.message} Only its first {MAX_COLUMNS:,} cells are returned."
    return BadRow(record.values[:MAX_COLUMNS], Failure(record.failure.code, message))


def _rewrite(written: Path, names: DuplicateFinder, unique: str, file: IO[bytes]) -> Iterator[int]:
    """Write the rows once more, with each duplicate as a BadRow; yield the length of each line."""
    duplicates = names.duplicates()
    duplicate = next(duplicates, None)
    for number, line in enumerate(lines_of(written)):
        if duplicate is not None and duplicate.number == number:
            fault = duplicate_fault(duplicate.name, f"row {duplicate.first + 1:,} of this file", field=unique)
            record = rows.decode(line)
            values = record.values if isinstance(record, BadRow) else record
            line = rows.encode(BadRow(values, Failure(fault.code, fault.message)))
            duplicate = next(duplicates, None)
        file.write(line)
        yield len(line)


def _unkeepable(record: Sequence[Json] | BadRow, error: Exception) -> BadRow:
    """A BadRow for a record with a value that JSON cannot express, such as half of a surrogate pair."""
    values = record.values if isinstance(record, BadRow) else record
    texts = [str(value).encode("utf-8", "backslashreplace").decode() for value in values]
    reason = str(error).encode("utf-8", "backslashreplace").decode()
    return BadRow(texts, Failure("unreadable", f"This row has a value that cannot be stored: {reason}."))

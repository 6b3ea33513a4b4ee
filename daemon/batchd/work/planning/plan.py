"""Plans a part: turns its rows into request lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from ...answers.corrections import AnswerFault
from ...contracts import PromptBuilder
from ...domain import rows
from ...domain.words import matched
from ...errors import PluginError
from ...files import replacing
from ...model import BadRow, Body, Failure, Row
from ...store.answer_cache import RequestKeys
from ...workers import worker_plugins
from ...workers.limits import Progress, TimeIsUp, limited
from ..part_files import decode_results, lines_of, read_corrections, write_results
from ..pictures import NAMES_A_FILE, PictureFolder, with_pictures
from .identical_rows import read_follows
from .pattern import Pattern, RowBlock, RowBlocks, pattern_of
from .plan_task import EMPTY as EMPTY
from .plan_task import PlanDone as PlanDone
from .plan_task import PlanTask as PlanTask
from .repeats import Repeats
from .request_file import FRAME_BYTES, PartRequests
from .reuse import ahead_of, recalled


def plan(task: PlanTask) -> PlanDone:
    """Write the request file. A row without a request, or with a request that was answered before, is settled here."""
    settled = decode_results(Path(task.settled)) if task.settled else {}
    for path in (task.reuse.keys, task.reuse.prints) if task.reuse is not None else ():
        if path is not None:
            Path(path).unlink(missing_ok=True)  # from an earlier planning, with rows that are not asked now
    with ExitStack() as stack:
        file = stack.enter_context(replacing(Path(task.requests)))
        planned = PartRequests(task, file, stack)
        progress = stack.enter_context(limited(task.row_timeout))
        _plan(task, planned, settled.keys() | read_follows(task.follows).keys(), progress)
    if planned.outcomes:
        lines = sorted([*settled.values(), *planned.outcomes], key=lambda line: line.row)
        write_results(Path(task.failures), lines)
    return planned.finished()


def _plan(task: PlanTask, planned: PartRequests, left_out: Collection[int], progress: Progress) -> None:
    builder = worker_plugins.builder(task.builder)
    columns = matched(task.columns, builder.needs())
    about = _places(builder, columns) if task.skip_empty else None
    pattern = pattern_of(builder, columns, task.common, task.endpoint)
    corrections = read_corrections(task.corrections)
    if pattern is None:
        bodies = _bodies(task, builder, columns, about, left_out, progress)
        bodies = _with_pictures(bodies, task.pictures, progress)
    else:
        section = (Path(task.rows), task.offset, task.length, task.first)
        blocks = RowBlocks(*section, pattern.body.slots, about, left_out, task.given_up)
        if not corrections and (task.reuse is None or task.reuse.book is None):
            _plan_many(task, planned, blocks, pattern, builder, progress)
            return
        bodies = _of_blocks(blocks, pattern, progress)
    if corrections:
        bodies = _corrected(bodies, corrections, task.max_line_bytes)
    if task.reuse is None:
        for number, body in bodies:
            planned.add(number, body)
    else:
        for number, what in recalled(bodies, task.reuse, builder, job=task.job, endpoint=task.endpoint):
            planned.add(number, what)


def _plan_many(
    task: PlanTask,
    planned: PartRequests,
    blocks: Iterable[RowBlock],
    pattern: Pattern,
    builder: PromptBuilder[Any],
    progress: Progress,
) -> None:
    """Ask the rows of whole blocks, except those that were asked ahead."""
    reuse = task.reuse
    if reuse is None:
        repeats = None
    else:
        key_of = RequestKeys(reuse.provider, task.endpoint).key_of_ordered
        once = reuse.once(pattern.body.filled(dict.fromkeys(pattern.body.slots, b"")))
        prints = Path(reuse.prints) if reuse.prints is not None else None
        repeats = Repeats(task.first, task.length, pattern, key_of, prints=prints) if once else None
    with ahead_of(reuse, task.job, builder) as ahead:
        progress.ours = ahead is None  # `ahead` calls the builder, to read answers
        for block in blocks:
            if ahead is not None and block.numbers:
                progress.at(block.numbers[0])
                found = ahead.answers(block.numbers, map(key_of, block.bodies(pattern.ordered)), once=once)
                for row, answer in found.items():
                    planned.add(row, answer)
                kept = [place for place, row in enumerate(block.numbers) if row not in found]
                block = block.only(kept, block.others)
            planned.add_many(block, pattern, repeats)
    if repeats is not None and reuse is not None:
        repeats.write(Path(reuse.keys))


def _of_blocks(
    blocks: Iterable[RowBlock], pattern: Pattern, progress: Progress
) -> Iterator[tuple[int, bytes | Failure]]:
    """Yield the rows of the blocks one by one."""
    for block in blocks:
        yield from block.others
        for number, body in zip(block.numbers, block.bodies(pattern.body), strict=True):
            progress.at(number)
            yield number, body


def _bodies(
    task: PlanTask,
    builder: PromptBuilder[Any],
    columns: Sequence[str],
    about: Sequence[int] | None,
    left_out: Collection[int],
    progress: Progress,
) -> Iterator[tuple[int, bytes | Failure]]:
    """The body or the Failure of each row that is to be asked, in row order."""
    pulled: deque[tuple[int, Row | Failure]] = deque()
    trouble: list[BaseException] = []

    def askable() -> Iterator[Row]:
        try:
            lines = lines_of(Path(task.rows), task.offset, task.length)
            for number, line in enumerate(lines, start=task.first):
                if number in left_out:
                    continue
                record = rows.decode(line)
                if isinstance(record, BadRow):
                    pulled.append((number, record.failure))
                elif number in task.given_up:
                    pulled.append((number, task.given_up[number]))
                elif about is not None and all(rows.shows_nothing(record[place]) for place in about):
                    pulled.append((number, EMPTY))
                else:
                    progress.at(number)
                    row = Row(number, columns, record)
                    pulled.append((number, row))
                    yield row
        except Exception as error:
            trouble.append(error)
            raise

    waiting = askable()
    bodies = _encoded(builder, waiting, task.common)
    while True:
        try:
            body = next(bodies, None)
        except (Exception, SystemExit, TimeIsUp) as error:
            asked = sum(isinstance(what, Row) for _, what in pulled)
            if trouble or not asked or (asked == 1 and isinstance(error, TimeIsUp)):
                # No row caused it: the file cannot be read, or the builder fails before its first row. Or it is known
                # which row did: the builder hung on the only one.
                raise
            # Build the rows that it had pulled again, one by one, so that only the row at fault fails.
            for number, what in pulled:
                progress.at(number)
                yield number, what if isinstance(what, Failure) else _alone(builder, what, task.common)
            pulled.clear()
            bodies = _encoded(builder, waiting, task.common)
            continue
        # The builder pulls one row for each body that it yields; bad rows before that row were skipped.
        while pulled and isinstance(bad := pulled[0][1], Failure):
            yield pulled.popleft()[0], bad
        if body is None:
            break
        if not pulled or b"\n" in (body if isinstance(body, bytes) else b""):
            raise _broken(builder, "yields more bodies than it got rows" if not pulled else "yields several lines")
        yield pulled.popleft()[0], body
    if pulled:
        raise _broken(builder, "yields fewer bodies than it got rows")


def _places(builder: PromptBuilder[Any], columns: Sequence[str]) -> Sequence[int]:
    """Return the places of the columns that the question is about: all of them, if the builder does not say."""
    places = [columns.index(name) for name in builder.uses() or () if name in columns]
    return places or range(len(columns))


def _with_pictures(
    bodies: Iterator[tuple[int, bytes | Failure]], folder: PictureFolder | None, progress: Progress
) -> Iterator[tuple[int, bytes | Failure]]:
    """Yield the bodies with their picture files put in."""
    for row, body in bodies:
        if isinstance(body, bytes) and NAMES_A_FILE in body:
            progress.ours = True  # a slow share is no fault of the prompt
            try:
                yield row, with_pictures(body, folder)
            finally:
                progress.ours = False
        else:
            yield row, body


def _corrected(
    bodies: Iterator[tuple[int, bytes | Failure]], corrections: Mapping[int, AnswerFault], most: int | None
) -> Iterator[tuple[int, bytes | Failure]]:
    """Yield the bodies with their corrections added, except where the request would become too long."""
    for row, body in bodies:
        if row in corrections and isinstance(body, bytes):
            longer = corrections[row].added_to(body)
            yield row, longer if most is None or len(longer) + FRAME_BYTES <= most else body
        else:
            yield row, body


def _encoded(builder: PromptBuilder[Any], rows: Iterator[Row], common: Body) -> Iterator[bytes | Failure]:
    """Yield the bodies that the builder makes. Calls `encode` only when iterated, in case it is no generator."""
    yield from builder.encode(rows, common)


def _alone(builder: PromptBuilder[Any], row: Row, common: Body) -> bytes | Failure:
    try:
        body = builder.build(row)
        return body if isinstance(body, Failure) else msgspec.json.encode({**common, **body})
    except (Exception, SystemExit) as error:  # noqa: BLE001  # any exception of a plugin fails this row alone
        kind = type(builder).__name__
        return Failure("build", f"The request could not be made by {kind}: {type(error).__name__}: {error}")


def _broken(builder: PromptBuilder[Any], how: str) -> PluginError:
    return PluginError(f"The prompt builder {type(builder).__name__} breaks its contract: its `encode` {how}.")

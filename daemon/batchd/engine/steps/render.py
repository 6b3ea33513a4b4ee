"""Publishes through a sink that writes files: workers make its lines, a part each, and they are put together here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ...columns import free_names
from ...contracts import Outbox
from ...domain.records import Job, Part
from ...domain.routing import PluginSpec
from ...file_sink import FileSink, Shape, put_encoded
from ...work.collecting.render import RenderTask, render
from ...work.collecting.summary import SummaryTask
from ...work.joined import RowsDoNotAddUp
from ..context import Configured, Context
from ..retry_later import RetryLater

WHOLE_FILE_TIMEOUT = 600.0
"""Seconds for a row, or for the end, of a file that is made in one piece: a workbook is packed at its end."""

USUAL = frozenset(",;\t|")
"""Delimiters that every program recognizes."""


def shape_of(job: Job) -> Shape:
    """What the job's rows have in common."""
    return Shape(job.id, list(job.columns), free_names(job.columns, job.answer_columns), job.dialect)


def render_tasks(context: Context, configured: Configured, job: Job, part: Part, version: int) -> list[RenderTask]:
    """How to make the part's lines for each file sink of the job, once its results have this version."""
    tasks = []
    for number, spec in _made_by_parts(configured, job):
        target = context.spool.piece(part, number, version, generation=configured.generation)
        tasks.append(_task(context, job, [part], spec, target))
    return tasks


def table_for_people(configured: Configured, job: Job) -> PluginSpec:
    """How to write a table that people open: with a byte order mark, for Excel, and with the delimiter of their file.

    If the route has a sink for CSV, the settings of that sink apply.
    """
    specs = (configured.file_sinks.get(name) for name in job.route.sinks)
    settings = next((spec.settings for spec in specs if spec is not None and spec.kind == "csv"), None)
    if settings is None:
        came = job.dialect
        settings = (
            {"delimiter": came.delimiter} if came is not None and came.is_text and came.delimiter in USUAL else {}
        )
    return PluginSpec("csv", {**settings, "bom": True})


def summary_task(context: Context, job: Job, part: Part, version: int) -> SummaryTask:
    """How to summarize the part's results of this version."""
    results = str(context.spool.results(part, version)) if version else None
    return SummaryTask(results, len(job.answer_columns), str(context.spool.summary(part, version)))


def note_rendered(
    context: Context,
    configured: Configured,
    job: Job,
    part: Part,
    version: int,
    rendered: Sequence[Mapping[str, int]],
) -> None:
    """Remember what the workers made, in memory: after a restart it is made again."""
    for (number, _), suffixes in zip(_made_by_parts(configured, job), rendered, strict=False):
        context.pieces.setdefault(job.id, {})[part.first, version, number, configured.generation] = suffixes


async def publish_files(
    context: Context,
    configured: Configured,
    job: Job,
    parts: Sequence[Part],
    name: str,
    outbox: Outbox,
    *,
    are_there: Callable[[], bool],
) -> None:
    """Publish the job's files, whole or not at all, by one configuration. Do nothing if they `are_there`."""
    sink = configured.sinks[name]
    assert isinstance(sink, FileSink), "asked only of sinks that are"
    expected = 0
    for part in parts:
        if part.first != expected:
            break
        expected += part.rows
    if expected != job.rows:
        raise RowsDoNotAddUp(
            f"Job {job.id} came in with {job.rows} rows and would go out with {expected}; nothing is delivered."
        )
    number = list(job.route.sinks).index(name)
    shape = shape_of(job)
    runs = [parts] if sink.in_one_piece(shape) else [[part] for part in parts]
    made = await asyncio.gather(*(_piece(context, configured, job, run, number) for run in runs))
    if context.configured is not configured:
        # Workers that began after the reload may have loaded another version of the plugin than the one for the head.
        raise RetryLater(0.0)
    heads, encoders = sink.heads(shape), sink.encoders(shape)
    # Shielded: if it was cancelled here, its thread would go on writing the same drafts as the next delivery.
    writing = asyncio.ensure_future(asyncio.to_thread(_put_together, outbox, heads, encoders, made, are_there))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        writing.exception()
        raise


def forget_pieces(context: Context, job: Job) -> None:
    """Forget what was kept in memory of a job that is published, or is a later step that has ended."""
    context.hung.pop(job.id, None)
    context.last_tries.discard(job.id)
    context.pieces.pop(job.id, None)


def remove_pieces(context: Context, job: Job) -> None:
    """Remove the files of the job's pieces. A piece that is needed again is made again."""
    with contextlib.suppress(OSError):
        for piece in context.spool.pieces(job.id):
            piece.unlink(missing_ok=True)


async def _piece(
    context: Context, configured: Configured, job: Job, parts: Sequence[Part], number: int
) -> tuple[str, Mapping[str, int]]:
    """Where the piece of these parts is, and its sizes by suffix. A piece that is gone or changed is made again."""
    [first, *more] = parts
    key = (first.first, first.results, number, configured.generation)
    target = context.spool.piece(first, number, first.results, generation=configured.generation)
    made = context.pieces.get(job.id, {}).get(key)
    if made is None or not await context.in_spool(partial(_are_whole, target, made)):
        spec = _spec(configured, job.route.sinks[number])
        assert spec is not None, "asked only of sinks that have one"
        made = await context.executor.run(render, _task(context, job, parts, spec, target))
        if not more:
            # Only for one part: the key does not change with the results of the others.
            context.pieces.setdefault(job.id, {})[key] = made
    return target, made


def _task(context: Context, job: Job, parts: Sequence[Part], spec: PluginSpec, target: str) -> RenderTask:
    run, *more = (context.spool.run(job, part) for part in parts)
    seconds = max(context.time_limits.row, WHOLE_FILE_TIMEOUT) if more else context.time_limits.row
    return RenderTask(run, shape_of(job), spec, target, seconds, more)


def _are_whole(target: str, made: Mapping[str, int]) -> bool:
    try:
        return all(os.stat(f"{target}{suffix}").st_size == size for suffix, size in made.items())
    except FileNotFoundError:
        return False


def _put_together(
    outbox: Outbox,
    heads: Mapping[str, bytes],
    encoders: Mapping[str, Callable[[str], bytes]],
    pieces: Sequence[tuple[str, Mapping[str, int]]],
    are_there: Callable[[], bool],
) -> None:
    if are_there():
        return
    for suffix, head in heads.items():
        mine = [Path(f"{path}{suffix}") for path, suffixes in pieces if suffix in suffixes]
        if not mine:
            continue
        if suffix in encoders:
            put_encoded(outbox, suffix, head, mine, encoders[suffix])
            continue
        with outbox.publishing(suffix) as file:
            file.write(head)
            for piece in mine:
                with piece.open("rb") as lines:
                    shutil.copyfileobj(lines, file)


def _made_by_parts(configured: Configured, job: Job) -> list[tuple[int, PluginSpec]]:
    """The sinks of the job whose files are put together from pieces, each with its number."""
    found = []
    for number, name in enumerate(job.route.sinks):
        spec, sink = _spec(configured, name), configured.sinks.get(name)
        if spec is not None and isinstance(sink, FileSink) and not sink.in_one_piece(shape_of(job)):
            found.append((number, spec))
    return found


def _spec(configured: Configured, name: str) -> PluginSpec | None:
    spec = configured.file_sinks.get(name)
    return configured.spec_here(spec) if spec is not None else None

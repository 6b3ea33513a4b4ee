"""Publishing through a sink that writes files: its lines are made by workers, a part each, and put together here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...answers.joining import answer_columns
from ...contracts import Outbox
from ...domain.records import Job, Part
from ...domain.routing import PluginSpec
from ...file_sink import FileSink, Shape
from ...work.joined import RowsDoNotAddUp
from ...work.render import RenderTask, render
from ..context import Context


def shape_of(job: Job) -> Shape:
    """What the job's rows have in common."""
    return Shape(job.id, list(job.columns), answer_columns(job.columns, job.answer_columns))


def render_tasks(context: Context, job: Job, part: Part, version: int) -> list[RenderTask]:
    """How to make the part's lines for each file sink of the job, once its results have this version."""
    tasks = []
    for number, name in enumerate(job.route.sinks):
        recipe = _recipe(context, name)
        if recipe is not None:
            run = context.spool.run(job, part)
            tasks.append(RenderTask(run, shape_of(job), recipe, context.spool.piece(part, number, version)))
    return tasks


def note_rendered(context: Context, job: Job, part: Part, version: int, rendered: Sequence[Mapping[str, int]]) -> None:
    """Remember what the workers made. Forgotten with the process: then it is made again."""
    numbers = [number for number, name in enumerate(job.route.sinks) if _recipe(context, name) is not None]
    for number, suffixes in zip(numbers, rendered, strict=False):
        context.pieces[job.id, part.first, version, number] = suffixes


async def publish_files(
    context: Context, job: Job, parts: Sequence[Part], name: str, sink: FileSink[Any], outbox: Outbox
) -> None:
    """Publish the job's files, whole or not at all."""
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
    made = await asyncio.gather(*(_piece(context, job, part, name, number) for part in parts))
    pieces = [(context.spool.piece(part, number), suffixes) for part, suffixes in zip(parts, made, strict=True)]
    heads = sink.heads(shape_of(job))
    # Shielded: were it cut off here, its thread would go on, beside the next delivery and over the same drafts.
    writing = asyncio.ensure_future(asyncio.to_thread(_put_together, outbox, heads, pieces))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        writing.exception()
        raise


def forget_pieces(context: Context, job: Job) -> None:
    """The job is published: what was made for that is not needed any more."""
    for key in [key for key in context.pieces if key[0] == job.id]:
        del context.pieces[key]
    with contextlib.suppress(OSError):
        for piece in context.spool.pieces(job.id):
            piece.unlink(missing_ok=True)


async def _piece(context: Context, job: Job, part: Part, name: str, number: int) -> Mapping[str, int]:
    """The suffixes of a part's pieces. What is not there any more as it was made is made again."""
    key = (job.id, part.first, part.results, number)
    made, target = context.pieces.get(key), context.spool.piece(part, number)
    if made is None or not await asyncio.to_thread(_are_whole, target, made):
        recipe = _recipe(context, name)
        assert recipe is not None, "asked only of sinks that have one"
        task = RenderTask(context.spool.run(job, part), shape_of(job), recipe, target)
        made = context.pieces[key] = await context.executor.run(render, task)
    return made


def _are_whole(target: str, made: Mapping[str, int]) -> bool:
    try:
        return all(os.stat(f"{target}{suffix}").st_size == size for suffix, size in made.items())
    except FileNotFoundError:
        return False


def _put_together(outbox: Outbox, heads: Mapping[str, bytes], pieces: Sequence[tuple[str, Mapping[str, int]]]) -> None:
    for suffix, head in heads.items():
        mine = [Path(f"{path}{suffix}") for path, suffixes in pieces if suffix in suffixes]
        if not mine:
            continue
        with outbox.publishing(suffix) as file:
            file.write(head)
            for piece in mine:
                with piece.open("rb") as lines:
                    shutil.copyfileobj(lines, file)


def _recipe(context: Context, name: str) -> PluginSpec | None:
    spec = context.file_sinks.get(name)
    return context.here(spec) if spec is not None else None

"""The lines of a file sink, made a part at a time: put together, they are what the sink would publish by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchd import ResultRows
from batchd.answers.joining import ResultLine
from batchd.domain.routing import PluginSpec
from batchd.domain.rows import Run
from batchd.file_sink import Shape
from batchd.testing.outbox import MemoryOutbox, sample_job
from batchd.work.collecting.collect import CollectTask, collect
from batchd.work.collecting.render import RenderTask, render
from batchd.work.joined import RowsDoNotAddUp, joined
from batchd.work.part_files import blocks_of, write_results
from batchd.workers.worker_plugins import file_sink

from .conftest import Desk
from .test_collect import answered, collecting

ROWS = [["1", "fine"], ["2", 'a "quoted" one'], ["3", "late\nand broken"], ["4", "=1+1"]]
SHAPE = Shape("job", ["id", "text"], ["answer"])


def run(provider: Desk, outcomes: list[ResultLine], *, first: int = 0, number: int = 4, cancelled: bool = False) -> Run:
    """These rows of the four, with these outcomes."""
    lines = [msgspec.json.encode(row) + b"\n" for row in ROWS]
    rows = provider.write("rows.jsonl", b"".join(lines))
    results = provider.folder / f"{first}.results.jsonl"
    write_results(results, outcomes)
    offset, length = sum(map(len, lines[:first])), sum(map(len, lines[first : first + number]))
    return Run(rows, offset, length, first, number, ["id", "text"], str(results), cancelled)


def settled(*rows: int) -> list[ResultLine]:
    """Row 2 failed, all others are answered."""
    return [
        ResultLine(row, False, code="late", message="Too late.") if row == 2 else ResultLine(row, True, [f"re {row}"])
        for row in rows
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_pieces_put_together_are_what_the_sink_publishes(provider: Desk, kind: str) -> None:
    whole = run(provider, settled(0, 1, 2, 3))

    class Rows(ResultRows):
        columns, answer_columns = SHAPE.columns, SHAPE.answer_columns

        def __iter__(self) -> Any:
            return joined(whole)

        async def __aiter__(self) -> Any:
            raise AssertionError("files are written in a thread")
            yield

    outbox = MemoryOutbox()
    sink = file_sink(PluginSpec(kind))
    asyncio.run(sink.publish(sample_job(outbox), Rows()))
    heads = sink.heads(SHAPE)
    together = dict.fromkeys(outbox.files, b"")
    for first in (0, 3):
        number = 3 if first == 0 else 1
        part = run(provider, settled(*range(first, first + number)), first=first, number=number)
        for suffix in render(RenderTask(part, SHAPE, PluginSpec(kind), provider.path(f"piece.{first}"))):
            together[suffix] = (together[suffix] or heads[suffix]) + provider.read(f"piece.{first}{suffix}")
    assert together == outbox.files
    assert len(together) == 2


def test_a_row_without_an_outcome_is_not_delivered(provider: Desk) -> None:
    task = RenderTask(run(provider, settled(0, 1, 3)), SHAPE, PluginSpec("csv"), provider.path("piece"))
    with pytest.raises(RowsDoNotAddUp, match="Row 2 "):
        render(task)


@pytest.mark.parametrize("outcomes", [settled(0, 1, 2, 3, 7), settled(0, 1, 2)])
def test_rows_that_are_not_the_parts_are_not_delivered(provider: Desk, outcomes: list[ResultLine]) -> None:
    with pytest.raises(RowsDoNotAddUp):
        list(joined(run(provider, outcomes)))


def test_fewer_rows_than_came_in_are_not_delivered(provider: Desk) -> None:
    cut = run(provider, settled(0, 1))
    short = Run(cut.rows, 0, len(msgspec.json.encode(ROWS[0])) + 1, 0, 2, cut.columns, cut.results, False)
    with pytest.raises(RowsDoNotAddUp, match="should hold 2 rows"):
        list(joined(short))


def test_rows_of_a_cancelled_job_are_skipped(provider: Desk) -> None:
    statuses = [row.status for row in joined(run(provider, settled(0), cancelled=True))]
    assert statuses == ["ok", "skipped", "skipped", "skipped"]


def collecting_two(provider: Desk, sink: str) -> CollectTask:
    """Collect the first two rows, with a piece for this sink made on the way."""
    lines = [answered(f"job-{row}") for row in range(2)]
    renders = [RenderTask(run(provider, [], number=2), SHAPE, PluginSpec(sink), provider.path("early"))]
    return collecting(provider, lines, first=0, rows=2, results=provider.path("collected.jsonl"), renders=renders)


def test_a_piece_is_made_while_the_outcomes_are_at_hand(provider: Desk) -> None:
    done = collect(collecting_two(provider, "csv"))
    assert (done.ok, list(done.rendered)) == (2, [{".results.csv": 44}])
    assert provider.read("early.results.csv") == b'1,fine,yes,ok,\n2,"a ""quoted"" one",yes,ok,\n'


def test_a_sink_that_fails_keeps_no_outcome_from_being_collected(provider: Desk) -> None:
    done = collect(collecting_two(provider, "no_such_sink"))
    assert (done.ok, list(done.rendered)) == (2, [])


def test_rows_are_whole_however_they_lie_in_blocks(tmp_path: Path) -> None:
    lines = [b"[%d]\n" % (10 ** (number % 19)) * 3 for number in range(9_000)]
    lines[77] = b'["%b"]\n' % (b"x" * 200_000)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(lines))
    start, end = sum(map(len, lines[:5])), sum(map(len, lines[:8_000]))
    blocks = list(blocks_of(path, start, end - start))
    assert b"".join(blocks) == b"".join(lines[5:8_000])
    assert all(block.endswith(b"\n") for block in blocks)
    assert len(blocks) > 3
    path.write_bytes(b'["a"]\n["no line end"]')
    assert list(blocks_of(path, 6, 99)) == [b'["no line end"]']

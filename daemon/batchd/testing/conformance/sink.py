"""The tests of a Sink."""

from __future__ import annotations

import asyncio
import errno
import tempfile
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from ...contracts import Sink
from ...file_sink import FileSink, Shape
from ...model import RowStatus
from ...plugin_base import overrides_last
from ...receipts import Receipt
from ..outbox import CountingOutbox, FakeRows, MemoryOutbox, many_rows, sample_job, sample_rows
from .memory import Looks, grows, homes_of
from .plugin import PATIENCE, PluginConformance, explained, passes_cancellation, sentences


class SinkConformance(PluginConformance):
    """Inherit it and write `make`, and `seen` for a sink that writes elsewhere than into the outbox.

    class TestMySink(SinkConformance):
        def make(self) -> MySink:
            return MySink(MySink.Settings(path=str(self.folder / "results.db")))

        def seen(self) -> Any:
            return read_the_whole_of(self.folder / "results.db")
    """

    def make(self) -> Sink[Any]:
        raise NotImplementedError("Write make(self): it returns a new sink.")

    def seen(self) -> Any:
        """What the sink published outside the outbox, as a value that compares equal if nothing has changed."""
        return None

    async def test_rows_of_every_kind_are_published(self, sink: Sink[Any]) -> None:
        """Failed, skipped, too long, with empty cells, formulas, line breaks, numbers, lists; and no rows at all."""
        with explained(
            "Publishing rows as people drop them raised",
            ". Values are anything that JSON can say; `original` may be shorter or longer than `columns`; `answer` is "
            "empty unless the status is ok.",
        ):
            await sink.publish(sample_job(MemoryOutbox()), sample_rows())
        nothing = FakeRows(["id"], ["answer"], lambda: iter(()))
        counts = dict.fromkeys(RowStatus, 0)
        await sink.publish(sample_job(MemoryOutbox(), job="empty", counts=counts), nothing)

    def test_answered_rows_are_written_as_each_is(self) -> None:
        """For answered rows, `answered` of a `FileSink` gives the same lines as `lines`, or None."""
        sink = self.make()
        if not isinstance(sink, FileSink) or not overrides_last(sink, "answered", "lines"):
            return
        for rows in (sample_rows(), many_rows(300)):
            shape = Shape("job", rows.columns, rows.answer_columns)
            answered = [row for row in rows if row.status is RowStatus.OK]
            quick = sink.answered(shape, ((row.values, row.answer) for row in answered))
            if quick is not None:
                expected, got = _files(sink.lines(shape, answered)), _files(quick)
                assert got == expected, f"answered() writes {got!r}, and lines() {expected!r}, of the same rows."

    async def test_publishing_again_does_not_differ(self, sink: Sink[Any]) -> None:
        """The daemon may be killed before it has stored that the job was published."""
        for make in (_plain_rows, sample_rows):
            outbox = MemoryOutbox()
            try:
                await sink.publish(sample_job(outbox), make())
            except Exception:  # noqa: BLE001, S112  # whether it takes all rows is the question of another test
                continue
            first = (dict(outbox.files), self.seen())
            try:
                await sink.publish(sample_job(outbox), make())
            except FileExistsError as error:
                raise AssertionError(
                    f"Published again, the same job came out with other bytes ({error}). What is written must "
                    "depend on the job and its rows alone: no clock, no chance, no counter."
                ) from error
            assert (outbox.files, self.seen()) == first, "Published again, the same job can be seen to differ."

    async def test_what_it_returns_is_a_receipt_or_nothing(self, sink: Sink[Any]) -> None:
        """A `Receipt` says where the rows are; anything else says nothing to the daemon."""
        receipt = await sink.publish(sample_job(MemoryOutbox()), _plain_rows())
        assert receipt is None or isinstance(receipt, Receipt), (
            f"publish() returned {receipt!r}. Return a Receipt, or nothing if the files in the outbox are all."
        )
        assert receipt is None or (receipt.where and "@" not in receipt.where), (
            f"The receipt says {receipt.where!r}, which people see. Name the place, without user and password."
        )

    def test_publishing_after_a_crash_gives_what_it_always_gives(self) -> None:
        """After a crash half-way through the rows, a new object begins again."""
        whole = self.folder
        published = []
        for crashes in (False, True):
            outbox = MemoryOutbox()
            self.folder = whole / ("crashed" if crashes else "undisturbed")
            self.folder.mkdir()
            if crashes:
                self._ask(partial(_crash, outbox))
            self._ask(partial(_publish_after_a_crash, outbox))
            published.append((outbox.files, self.seen()))
        self.folder = whole
        assert published[0] == published[1], (
            "After a crash half-way through the rows, the job came out with something else than it always does. Begin "
            "from the beginning: what a first try has left must be taken back, not added to or taken for the whole."
        )

    async def test_a_fault_is_not_hidden(self, sink: Sink[Any]) -> None:
        """`publish` raises if it cannot read or write; else the job would count as delivered."""
        outbox = MemoryOutbox()
        outbox.on_write = _disk_full
        [fault] = await asyncio.gather(sink.publish(sample_job(outbox), _plain_rows()), return_exceptions=True)
        hidden = fault is None and outbox.begun
        assert not hidden, "The disk was full, and publish() ended well. Let OSError out: it is tried again later."
        reached = threading.Event()

        def fail(number: int) -> None:
            if number == 2:
                reached.set()
                raise OSError(errno.EIO, "Input/output error")

        publishing = sink.publish(sample_job(MemoryOutbox()), _plain_rows(fail))
        [fault] = await asyncio.gather(publishing, return_exceptions=True)
        hidden = fault is None and reached.is_set()
        assert not hidden, "A row could not be read, and publish() ended well. Let what it raises out."

    async def test_the_event_loop_does_not_stand_still(self, sink: Sink[Any]) -> None:
        """The sink iterates the rows in a thread, or by `async for`."""
        rows = _plain_rows()
        await sink.publish(sample_job(MemoryOutbox()), rows)
        assert rows.on_loop == 0, (
            "publish() iterates the rows by a plain `for` on the event loop, and everything else in the daemon "
            "stands still meanwhile. Use `async for`, or do the work in `asyncio.to_thread`."
        )

    def test_memory_does_not_grow_with_the_job(self) -> None:
        """Ten times the rows take no more memory."""
        whole = self.folder

        def run(rows: int, looks: Looks) -> None:
            self.folder = Path(tempfile.mkdtemp(dir=whole))

            async def question(sink: Sink[Any]) -> None:
                counts = dict.fromkeys(RowStatus, 0) | {RowStatus.OK: rows}
                job = sample_job(CountingOutbox(on_write=looks.chunk), counts=counts)
                await sink.publish(job, many_rows(rows, before=looks.row))

            # Every allocation is traced meanwhile, which takes long.
            self._ask(question, within=10 * PATIENCE)

        much = grows(run, *self.rows_to_compare, homes_of(type(self.make()), type(self)))
        self.folder = whole
        assert much is None, f"Memory grows with the job: {much}. Write each row as it comes; keep none."

    async def test_two_jobs_at_a_time_do_not_mix(self, sink: Sink[Any]) -> None:
        """One object publishes several jobs at a time."""
        alone, first, second = MemoryOutbox(), MemoryOutbox(), MemoryOutbox()
        another = self.make()
        await another.publish(sample_job(alone, job="alone"), _plain_rows())
        await another.aclose()
        few = many_rows(2)
        counts = dict.fromkeys(RowStatus, 0) | {RowStatus.OK: 2}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sink.publish(sample_job(first, job="alone"), _plain_rows()))
            tasks.create_task(sink.publish(sample_job(second, job="other", counts=counts), few))
        assert first.files == alone.files, (
            "Published beside another, a job came out differently. Keep what belongs to a job out of `self`."
        )

    async def test_a_cancellation_passes_through(self, sink: Sink[Any]) -> None:
        """The daemon cancels running calls when it stops."""
        reached, gate = threading.Event(), threading.Event()

        def wait(number: int) -> None:
            if number == 3:
                reached.set()
                gate.wait(PATIENCE)

        publishing = asyncio.ensure_future(sink.publish(sample_job(MemoryOutbox()), _plain_rows(wait)))
        arriving = asyncio.ensure_future(asyncio.to_thread(reached.wait, PATIENCE))
        await asyncio.wait([publishing, arriving], return_when=asyncio.FIRST_COMPLETED)
        try:
            if not publishing.done():
                await passes_cancellation(publishing, "publish()", release=gate.set)
        finally:
            reached.set()
            gate.set()
            await arriving

    async def test_a_check_says_what_is_wrong_in_sentences(self, sink: Sink[Any]) -> None:
        """`check` returns a list, empty if all is well."""
        sentences(await sink.check(), "check()")


def _files(lines: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for suffix, some in lines:
        files[suffix] = files.get(suffix, b"") + some
    return files


def _plain_rows(before: Callable[[int], None] = lambda _: None) -> FakeRows:
    """Plain rows, which any sink can write. `before` is that of FakeRows."""
    return many_rows(7, before=before)


async def _crash(outbox: MemoryOutbox, sink: Sink[Any]) -> None:
    def crash(number: int) -> None:
        if number == 3:
            raise OSError(errno.EIO, "Input/output error")

    # Another test checks whether the sink lets the fault out.
    await asyncio.gather(sink.publish(sample_job(outbox), _plain_rows(crash)), return_exceptions=True)


async def _publish_after_a_crash(outbox: MemoryOutbox, sink: Sink[Any]) -> None:
    try:
        await sink.publish(sample_job(outbox), _plain_rows())
    except FileExistsError as error:
        raise AssertionError(f"After a crash half-way, the job came out with other bytes ({error}).") from error


def _disk_full(_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")

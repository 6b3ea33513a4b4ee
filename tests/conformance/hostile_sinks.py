"""Sinks and observers that break one promise each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from batchd import DeliveryJob, Event, FileSink, Json, Receipt, ResultRow, ResultRows, Settings, Shape

from .good_plugins import Lines, Notebook, Table


class Literal(Lines):
    """Expects text in every cell."""

    fails = "test_rows_of_every_kind_are_published"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        with job.outbox.publishing(".texts") as file:
            async for row in rows:
                file.write(" ".join(row.values).encode())


class Careless(FileSink[Settings]):
    """Leaves out the answer where it writes many rows."""

    fails = "test_answered_rows_are_written_as_each_is"

    def heads(self, shape: Shape) -> Mapping[str, bytes]:
        return {".txt": b""}

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        return ((".txt", f"{[*row.values, *row.answer]!r}\n".encode()) for row in rows)

    def answered(
        self, shape: Shape, rows: Iterable[tuple[Sequence[Json], Sequence[Json]]]
    ) -> Iterator[tuple[str, bytes]]:
        return ((".txt", f"{values!r}\n".encode()) for values, _ in rows)


class Timed(Lines):
    """Writes how often it was called."""

    fails = "test_publishing_again_does_not_differ"

    times = 0

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        self.times += 1
        with job.outbox.publishing(".times") as file:
            file.write(b"%d" % self.times)
        await super().publish(job, rows)


class Chatty(Lines):
    """Returns words."""

    fails = "test_what_it_returns_is_a_receipt_or_nothing"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        await super().publish(job, rows)
        return "done"  # type: ignore[return-value]


class Telling(Lines):
    """Tells its password."""

    fails = "test_what_it_returns_is_a_receipt_or_nothing"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt:  # type: ignore[override]
        await super().publish(job, rows)
        return Receipt("postgresql://user:password@db/shop")


class Believing(Table):
    """Records in a file that a job is done before it is."""

    fails = "test_publishing_after_a_crash_gives_what_it_always_gives"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        note = Path(f"{self.settings.path}.{job.id}.begun")  # type: ignore[attr-defined]
        if not note.exists():
            note.touch()
            await super().publish(job, rows)


class Smiling(Lines):
    """Hides that it could not write."""

    fails = "test_a_fault_is_not_hidden"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        try:
            await super().publish(job, rows)
        except OSError:
            pass


class Blocking(Lines):
    """Iterates over the rows on the event loop."""

    fails = "test_the_event_loop_does_not_stand_still"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        for _ in rows:
            break
        await super().publish(job, rows)


class Hoarding(Lines):
    """Loads all rows before it writes the first."""

    fails = "test_memory_does_not_grow_with_the_job"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        everything = [row async for row in rows]
        with job.outbox.publishing(".lines") as file:
            file.writelines(f"{row.number}\n".encode() for row in everything)


class Muddling(Lines):
    """Keeps the current job on the object."""

    fails = "test_two_jobs_at_a_time_do_not_mix"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        self.job = job
        await asyncio.to_thread(int)
        with job.outbox.publishing(".job") as file:
            file.write(self.job.id.encode())
        await super().publish(job, rows)


class Heedless(Lines):
    """Returns normally when it is cancelled."""

    fails = "test_a_cancellation_passes_through"

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        try:
            await super().publish(job, rows)
        except asyncio.CancelledError:
            return


class Curt(Lines):
    fails = "test_a_check_says_what_is_wrong_in_sentences"

    async def check(self) -> Sequence[str]:
        return "The disk is full."


# --- observers -------------------------------------------------------------------------------------------------


class Picky(Notebook):
    """Expects a job in every event."""

    fails = "test_it_can_be_told_of_every_event"

    async def notice(self, event: Event) -> None:
        await super().notice(event)
        if event.kind.startswith("Condition"):
            assert event.job is not None, "no job"


class Knowing(Notebook):
    """Expects only the events of this version."""

    fails = "test_it_passes_over_events_that_it_does_not_know"

    async def notice(self, event: Event) -> None:
        from batchd import events

        getattr(events, event.kind)
        await super().notice(event)


class Forgetful(Notebook):
    """Takes an event that comes again for an error."""

    fails = "test_an_event_that_comes_again_changes_nothing"

    async def notice(self, event: Event) -> None:
        if event.id in self.sentences:
            raise KeyError(event.id)
        await super().notice(event)


class Doubling(Notebook):
    """Writes an event that comes again a second time."""

    fails = "test_an_event_that_comes_again_changes_nothing"

    async def notice(self, event: Event) -> None:
        await asyncio.sleep(0)
        self.sentences[len(self.sentences)] = event.sentence


class Curtain(Notebook):
    """Can be closed only once it was opened."""

    fails = "test_it_can_be_closed_without_being_opened"

    async def aclose(self) -> None:
        assert self.is_open, "not open"
        await super().aclose()


class Stubborn(Notebook):
    fails = "test_a_cancellation_passes_through"

    async def notice(self, event: Event) -> None:
        try:
            await super().notice(event)
        except asyncio.CancelledError:
            self.sentences[event.id] = "no"


class Deathless(Notebook):
    """Its background work cannot be ended."""

    fails = "test_background_work_ends_when_it_is_cancelled"

    async def background(self) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return

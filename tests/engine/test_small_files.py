"""What a small file costs the main process, counted where a clock would tell of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from batchd.domain.lifecycle import Pack
from batchd.domain.records import QueuedPart
from batchd.engine.looks.look import Outlook
from batchd.events import JobPlanned
from batchd.values import replace

from .conftest import MakeHousehold, csv_of

FILES = 10
MOST_TRIPS = 7
"""To threads and back, of a file in one part: one each to claim, collect, close, deliver and finish it, and its share of the batch's."""


class Counting(ThreadPoolExecutor):
    """Counts what it is given."""

    trips = 0

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.trips += 1
        return super().submit(call, *args, **kwargs)


async def test_a_small_file_makes_few_trips_to_threads(make_household: MakeHousehold) -> None:
    household = make_household()
    counting = Counting()
    asyncio.get_running_loop().set_default_executor(counting)
    for number in range(FILES):
        household.drop(f"reviews/{number}.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        before = counting.trips
        await daemon.drain()
        trips = counting.trips - before
    assert len(household.outbox()) == 2 * FILES
    assert trips <= FILES * MOST_TRIPS, trips


async def test_what_waits_is_read_anew_once_it_has_changed(make_household: MakeHousehold) -> None:
    household = make_household()
    for number in range(4):
        household.drop(f"reviews/{number}.csv", csv_of([f"review {number}"]))
    async with household.living() as daemon:
        provider = daemon.context.configured.providers["fake"]
        daemon.reconfigure(providers={"fake": replace(provider, linger=60.0)})
        await daemon.take_in()
        while sum(isinstance(event, JobPlanned) for event in household.events) < 4:
            await daemon.step()
        await daemon.engine.look()
        daemon.reconfigure(providers={"fake": provider})
        assert [len(batch) for batch in packed(await daemon.engine.look())] == [4]
        # A part that was refused gets a batch of its own.
        await daemon.context.store.database.write(lambda tx: tx.update("parts", {"state": "planned"}, suspect=1))
        assert [len(batch) for batch in packed(await daemon.engine.look())] == [1]


def packed(outlook: Outlook) -> Sequence[Sequence[QueuedPart]]:
    """The batches that a look finds to be made."""
    [pack] = [due.action for due in outlook.due if isinstance(due.action, Pack)]
    return pack.batches

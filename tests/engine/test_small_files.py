"""What a small file costs the main process, counted where a clock would tell of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

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

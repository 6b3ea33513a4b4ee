"""What is remembered of a batch, so that it is not tried too often, is forgotten with it: batches become ever more."""

from __future__ import annotations

from batchd.contracts import Submission
from batchd.domain.lifecycle import Poll, Upload
from batchd.domain.records import Batch, BatchState
from batchd.errors import TransientError
from batchd.testing.fakes import FakeProvider, FakeService

from .conftest import MakeHousehold, csv_of
from .test_faults import order


async def test_a_batch_that_has_ended_has_no_next_poll(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("reviews/may.csv", csv_of(["one", "two", "three", "four"]))
    async with household.at_rest() as daemon:
        batches = await daemon.batches(BatchState.DONE)
        assert batches
        assert [daemon.engine.retry_clock.until(Poll(batch.key)) for batch in batches] == [0.0] * len(batches)


async def test_one_that_is_given_up_leaves_no_failures_behind(make_household: MakeHousehold) -> None:
    class Down(FakeProvider):
        async def upload(self, submission: Submission) -> str:
            raise TransientError("Connection refused.")

    service = FakeService()
    household = make_household(service=service, provider=Down(service))
    household.drop("reviews/may.csv", csv_of(["one", "two"]))
    async with household.living() as daemon:
        await daemon.take_in()
        clock = daemon.engine.retry_clock
        batches: list[Batch] = []
        while not any(clock.failures(Upload(batch.key)) for batch in batches):
            await daemon.step()
            batches = await daemon.batches()
        [job] = await daemon.context.store.jobs.ids()
        await order(daemon, "cancel", job)
        await daemon.drain()
        assert [batch.key for batch in await daemon.batches(BatchState.RETURNED)] == [batch.key for batch in batches]
        assert [clock.failures(Upload(batch.key)) for batch in batches] == [0] * len(batches)

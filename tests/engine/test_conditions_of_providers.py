"""A provider's condition goes once nothing waits for the provider: nothing tries it then, so no success would end it."""

from __future__ import annotations

import math

import pytest

from batchd.contracts import Submission
from batchd.domain.records import JobState
from batchd.domain.subjects import Subject
from batchd.errors import BatchdError, RejectedError, TransientError
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import Household, Living

from .conftest import MakeHousehold, csv_of
from .test_faults import order, statuses

FAKE = Subject.provider("fake")


class Failing(FakeProvider):
    """Fails each upload up to number `fails_until`."""

    def __init__(self, service: FakeService, error: BatchdError) -> None:
        super().__init__(service)
        self.error = error
        self.uploads = 0
        self.fails_until = math.inf

    async def upload(self, submission: Submission) -> str:
        self.uploads += 1
        if self.uploads <= self.fails_until:
            raise self.error
        return await super().upload(submission)


def house(make_household: MakeHousehold, error: BatchdError) -> tuple[Household, Failing]:
    service = FakeService()
    provider = Failing(service, error)
    return make_household(service=service, provider=provider), provider


async def conditions(daemon: Living) -> dict[Subject, str]:
    return await daemon.context.store.event_log.conditions()


async def until_in_trouble(household: Household, daemon: Living, name: str) -> None:
    """Drop a file, and work until people are told of the provider."""
    household.drop(f"reviews/{name}.csv", csv_of(["one", "two"]))
    await daemon.take_in()
    for _ in range(100):
        await daemon.engine.look()
        if FAKE in await conditions(daemon):
            return
        await daemon.step()
    raise AssertionError("People are told of nothing.")


async def only_job(daemon: Living) -> str:
    [job] = await daemon.context.store.jobs.ids()
    return job


@pytest.mark.parametrize("error", [TransientError("Connection refused."), RejectedError("The key is refused.")])
async def test_it_goes_with_the_last_job_that_waits(make_household: MakeHousehold, error: BatchdError) -> None:
    household, provider = house(make_household, error)
    async with household.living() as daemon:
        await until_in_trouble(household, daemon, "may")
        [text] = (await conditions(daemon)).values()
        assert text.startswith(str(error))
        await order(daemon, "cancel", await only_job(daemon))
        await daemon.drain()
        assert await conditions(daemon) == {}
    tries = provider.uploads
    async with household.living() as daemon:
        # What comes next is tried at once, and people are told again.
        await until_in_trouble(household, daemon, "june")
        assert provider.uploads > tries
        provider.fails_until = 0
        await daemon.drain()
        assert await conditions(daemon) == {}
    assert statuses(household, "reviews/june.results.csv") == ["ok", "ok"]


async def test_it_goes_where_the_provider_is_not_configured(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        daemon.reconfigure(providers={})
        await until_in_trouble(household, daemon, "may")
        await order(daemon, "cancel", await only_job(daemon))
        await daemon.drain()
        assert await conditions(daemon) == {}


async def test_one_of_an_earlier_life_goes_at_the_first_look(make_household: MakeHousehold) -> None:
    household = make_household()
    async with household.living() as daemon:
        await daemon.engine.conditions.say(FAKE, "Connection refused. Trying again until it works; jobs wait.")
    async with household.living() as daemon:
        await daemon.engine.look()
        assert await conditions(daemon) == {}


@pytest.mark.parametrize("fails", [2, 3])
async def test_faults_of_before_do_not_count_for_what_comes_after(make_household: MakeHousehold, fails: int) -> None:
    household, provider = house(make_household, TransientError("Connection refused."))
    clock = household.clock
    async with household.living() as daemon:
        await until_in_trouble(household, daemon, "may")
        while daemon.engine.retry_clock.until(FAKE) < clock.steady() + 200:
            await daemon.step()
        await order(daemon, "cancel", await only_job(daemon))
        await daemon.drain()
        told, began = len(household.events), clock.steady()
        provider.fails_until = provider.uploads + fails
        household.drop("reviews/june.csv", csv_of(["one"]))
        await daemon.work()
        assert clock.steady() < began + 60, "it waited some seconds, as after the first faults"
        assert ("ConditionRaised" in {event.kind for event in household.events[told:]}) is (fails == 3)
    assert statuses(household, "reviews/june.results.csv") == ["ok"]


async def test_it_stays_while_a_job_waits_or_a_batch_is_under_way(make_household: MakeHousehold) -> None:
    household = make_household(poll=1.0)
    household.drop("reviews/may.csv", csv_of(["one", "two", "three", "four"]))
    states: set[tuple[str, bool]] = set()
    async with household.living() as daemon:
        await daemon.take_in()
        job = await only_job(daemon)
        # Of each state on the way, whether it is there after a look.
        while (state := (await daemon.context.store.jobs.get(job)).state) is not JobState.DELIVERING:
            await daemon.engine.conditions.say(FAKE, "It fails now and then.")
            await daemon.engine.look()
            if FAKE in await conditions(daemon):
                states.add((str(state), bool(await daemon.batches())))
            await daemon.step()
    assert states == {("planning", False), ("running", False), ("running", True)}

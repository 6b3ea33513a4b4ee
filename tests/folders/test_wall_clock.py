"""The wall clock jumps by an hour or a day, either way, at any moment: nothing comes sooner, later or twice."""

from __future__ import annotations

from typing import IO

import pytest

from batchd.contracts import RemoteBatch
from batchd.domain.lifecycle import Poll, Submit
from batchd.errors import RemoteMissing
from batchd.model import BatchStatus
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import Household, Living

from ..cases import pairs
from ..engine.conftest import MakeHousehold, csv_of
from ..engine.conftest import make_household as make_household

pytestmark = pytest.mark.slow

HOUR, DAY = 3_600.0, 86_400.0
JUMPS = [DAY, -DAY, HOUR, -HOUR]
NINE = [f"review {number}" for number in range(9)]
STEP = 0.1
SETTLE = 1.0  # of Living


async def settle_by_small_steps(daemon: Living, household: Household, jumps: list[float]) -> float:
    """Look every tenth of a second, with a jump before each look; seconds from the last write to the claim."""
    begun = household.clock.steady()
    for number in range(1_000):
        if jumps:
            household.clock.wall += jumps[number % len(jumps)]
        if (await daemon.intake.look()).claimed:
            return household.clock.steady() - begun
        household.clock.advance(STEP)
    raise AssertionError("It never settles.")


@pytest.mark.parametrize("jumps", [[], *([jump] for jump in JUMPS), [DAY, -DAY], [-HOUR, DAY, HOUR, -DAY]], ids=str)
async def test_settling_takes_as_long_as_it_says(make_household: MakeHousehold, jumps: list[float]) -> None:
    household = make_household()
    async with household.living() as daemon:
        household.drop("reviews/may.csv", csv_of(NINE))
        took = await settle_by_small_steps(daemon, household, jumps)
    assert SETTLE <= took < SETTLE + 2 * STEP


async def story(household: Household, jump: float, every: int) -> tuple[list[str], list[float]]:
    """All actions of a life with jumps of the wall clock, and when polls and creations were, by the steady one."""
    household.drop("reviews/may.csv", csv_of(NINE))
    actions, times = [], []
    async with household.living() as daemon:
        await daemon.take_in()
        for number in range(10_000):
            if jump and number % every == 0:
                household.clock.wall += jump * (-1 if (number // every) % 2 else 1)
            action = await daemon.step()
            if action is None:
                return actions, times
            actions.append(type(action).__name__)
            if isinstance(action, Poll | Submit):
                times.append(household.clock.steady())
    raise AssertionError("It never ends.")


@pytest.mark.parametrize(("jump", "every"), pairs(JUMPS, [1, 3]))
async def test_nothing_is_submitted_or_asked_sooner_or_twice(
    make_household: MakeHousehold, jump: float, every: int
) -> None:
    undisturbed, disturbed = make_household(), make_household()
    for household in (undisturbed, disturbed):
        household.service.polls = 6
    actions, times = await story(undisturbed, 0.0, 1)
    jumped, jumped_times = await story(disturbed, jump, every)
    assert jumped == actions
    assert jumped.count("Submit") == disturbed.service.creates == 1
    assert disturbed.service.executed.total() == len(NINE)
    # Each poll within a second of when it would have come.
    pairs = zip(jumped_times, times, strict=True)
    assert [abs(ours - theirs) < 1.0 for ours, theirs in pairs] == [True] * len(times), (jumped_times, times)
    results = "reviews/may.results.csv"
    assert disturbed.outbox()[results] == undisturbed.outbox()[results]


@pytest.mark.parametrize("jump", JUMPS)
async def test_an_unknown_outcome_is_waited_out_by_a_clock_that_does_not_jump(
    make_household: MakeHousehold, jump: float
) -> None:
    """Looking for a batch too soon, and not finding it, would be paying twice."""
    household = make_household()
    cut = True

    def step(name: str) -> None:
        nonlocal cut
        if name == "create: after" and cut:
            cut = False
            raise TimeoutError("cut")
        if name == "find":
            looked.append(household.clock.steady())

    looked: list[float] = []
    household.service.step = step
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        asked = None
        for _ in range(1_000):
            action = await daemon.step()
            if action is None:
                break
            if isinstance(action, Submit):
                asked = asked or household.clock.steady()
                household.clock.wall += jump
    assert asked is not None
    # Three times the create_timeout of ten seconds.
    assert looked
    assert 29.0 < looked[0] - asked < 32.0
    assert household.service.creates == 1


async def test_a_batch_that_is_missing_for_a_moment_is_not_given_up_by_a_jump(make_household: MakeHousehold) -> None:
    class Blinking(FakeProvider):
        missing = 4

        async def poll(self, batch: RemoteBatch) -> BatchStatus:
            if self.missing:
                self.missing -= 1
                household.clock.wall += DAY
                raise RemoteMissing("No such batch.")
            return await super().poll(batch)

        async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
            if not self.missing:
                await super().download(batch, target)

    service = FakeService()
    household = make_household(service=service, provider=Blinking(service))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    assert household.report("reviews/may.report.json")["rows"]["ok"] == len(NINE)
    assert service.creates == 1, "given up, asked again and paid twice"


async def test_answers_that_are_not_there_yet_are_not_given_up_by_a_jump(make_household: MakeHousehold) -> None:
    """Services have been seen to say that a batch is completed minutes before its answers can be had."""

    class Late(FakeProvider):
        missing = 4

        async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
            if self.missing:
                self.missing -= 1
                household.clock.wall += DAY
                raise RemoteMissing("No such file.")
            await super().download(batch, target)

    service = FakeService()
    household = make_household(service=service, provider=Late(service))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    assert household.report("reviews/may.report.json")["rows"]["ok"] == len(NINE)
    assert service.creates == 1, "given up, asked again and paid twice"

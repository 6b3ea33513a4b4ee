"""Creates whose outcome is not known, and a list that does not show them: how often such a create is made."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from batchd.contracts import Submission
from batchd.engine.steps.find import MAX_UNLISTED
from batchd.errors import TransientError
from batchd.testing.fakes import FakeProvider, FakeService

from .conftest import MakeHousehold, csv_of

pytestmark = pytest.mark.field("creates of unknown outcome")


class Forgetful(FakeProvider):
    """Its list is empty, whatever was made."""

    async def find(self, submission: Submission) -> Sequence[str]:
        return []


async def test_a_list_that_shows_nothing_is_not_believed_again_and_again(make_household: MakeHousehold) -> None:
    service = FakeService()
    household = make_household(service=service, provider=Forgetful(service))

    def lost(step: str) -> None:
        if step == "create: after":
            raise TransientError("The answer was an HTML page.")

    service.step = lost
    household.drop("reviews/may.csv", csv_of(["one"]))
    await household.work()
    assert service.creates == MAX_UNLISTED
    [held] = [event for event in household.events if event.kind == "BatchHeld"]
    assert "its list of batches shows none of them" in held.sentence
    assert f"batchd resolve {held.batch} --absent" in held.sentence


async def test_a_list_that_shows_another_batch_of_ours_is_believed(make_household: MakeHousehold) -> None:
    service = FakeService()
    household = make_household(service=service)
    refused = 0

    def down(step: str) -> None:
        nonlocal refused
        if step == "create: before" and service.creates and refused < 2 * MAX_UNLISTED:
            refused += 1
            raise TransientError("It answered with status 500.")

    service.step = down
    async with household.living() as daemon:
        for name in ("may", "june"):
            household.drop(f"reviews/{name}.csv", csv_of([name]))
            await daemon.work()
    assert refused == 2 * MAX_UNLISTED
    assert set(service.executed.values()) == {1}
    assert "reviews/june.results.csv" in household.outbox()

"""The input of a batch of one part is the part's own file, under another name."""

from __future__ import annotations

from batchd import TransientError
from batchd.domain.lifecycle import Upload
from batchd.model import Limits

from .conftest import MakeHousehold, csv_of, route
from .test_kept_answers import REVIEWS


async def test_what_is_uploaded_again_has_the_same_bytes(make_household: MakeHousehold) -> None:
    household = make_household(limits=Limits(max_requests=3), routes=(route(),))
    faults = iter([True])

    def lost(what: str) -> None:
        if what == "upload: after" and next(faults, False):
            raise TransientError("The answer was lost.")

    household.service.step = lost
    household.drop("reviews/may.csv", csv_of(REVIEWS))
    async with household.living() as daemon:
        await daemon.take_in()
        action = await daemon.step()
        while not isinstance(action, Upload):
            action = await daemon.step()
            assert action is not None
        spool = daemon.context.spool
        [part] = await daemon.context.store.batches.parts(action.batch)
        assert spool.batch_input(action.batch).samefile(spool.requests(part))
    async with household.living() as daemon:
        await daemon.drain()
    first, *others = household.service.files.values()
    assert first in others
    assert household.service.executed.total() == len(REVIEWS)
    assert not list((household.folder / "state" / "batches").iterdir())

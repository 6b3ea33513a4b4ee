"""Without a limit a job is admitted by its own cost; what others reserve is added up only where it decides something."""

from __future__ import annotations

from typing import Any

from batchd.domain.records import JobState, PartState
from batchd.store.tables.money import SMALL, account_of
from batchd.values import replace

from .conftest import NOW, ROUTE, Opened, job, part


async def test_what_others_reserve_is_left_out_only_where_it_decides_nothing(store: Opened) -> None:
    others = [job(JobState.RUNNING, name=f"other {number}") for number in range(3)]
    mine = job(JobState.PLANNING)
    await store.put(mine, *others, part(state=PartState.PLANNED, reserved=7, unlimited=2, requests=10))
    await store.put(*(part(job=each.id, state=PartState.PLANNED, reserved=1_000) for each in others))

    async def account(asked: Any, *, limited: bool) -> Any:
        return await store.database.read(lambda tx: account_of(tx, asked, "USD", limited=limited))

    whole, alone = await account(mine, limited=True), await account(mine, limited=False)
    assert (whole.reserved, alone.reserved) == (3_000, 0)
    assert (whole.whole, whole.own, whole.unlimited, whole.open_parts) == (
        alone.whole,
        alone.own,
        alone.unlimited,
        alone.open_parts,
    )
    assert alone.at == NOW
    chained = replace(mine, route=replace(ROUTE, then="next"))
    assert (await account(chained, limited=False)).reserved == 3_000, "its later steps count"
    await store.set("parts", {"job": "job"}, reserved=SMALL)
    assert (await account(mine, limited=False)).reserved == 3_000, "sums may become too large to count"

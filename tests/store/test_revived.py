"""Jobs that a person lets go on: all of a chain or none, and the caller is told which."""

from __future__ import annotations

from batchd.domain.records import JobState, PartState
from batchd.events import JobRetried
from batchd.store.tables.chains import Revived
from batchd.values import replace

from .conftest import Opened, job, part

FIRST, LATER = job(JobState.DONE, "first"), job(JobState.DONE, "later", family="first", parent="first")
PARTS = [part(0, PartState.COLLECTED, each.id, ok=6, failed=4) for each in (FIRST, LATER)]
FAMILY = [
    Revived(each, [replace(own, state=PartState.UNPLANNED, attempt=2)], {"retry_round": 2})
    for each, own in zip((FIRST, LATER), PARTS, strict=True)
]
EVENT = JobRetried(job="first", rows=4)
PUBLISHED = {"sink": "csv", "files": "[]", "delivered_at": 5.0}


async def test_a_chain_is_asked_again_as_a_whole_or_not_at_all(store: Opened) -> None:
    await store.put(FIRST, LATER, *PARTS)
    await store.database.write(lambda tx: tx.insert("deliveries", [{"job": "first", **PUBLISHED}]))
    await store.set("jobs", {"id": "later"}, state=JobState.PLANNING)
    before = store.everything()
    assert not await store.chains.revived(FAMILY, EVENT)
    assert (store.everything(), store.told) == (before, [])
    await store.set("jobs", {"id": "later"}, state=JobState.DONE)
    assert await store.chains.revived(FAMILY, EVENT)
    assert [(await store.jobs.get(each)).state for each in ("first", "later")] == [JobState.PLANNING] * 2
    assert [(await store.jobs.part(each, 0)).attempt for each in ("first", "later")] == [2, 2]
    assert await store.deliveries.of_job("first") == {}
    assert store.told == [EVENT]


async def test_a_chain_of_which_a_job_is_gone_is_not_asked_again(store: Opened) -> None:
    await store.put(FIRST, PARTS[0])
    before = store.everything()
    assert not await store.chains.revived(FAMILY, EVENT)
    assert (store.everything(), store.told) == (before, [])


async def test_whether_a_stopped_job_goes_on_is_told(store: Opened) -> None:
    await store.put(job(JobState.RUNNING))
    failed = job(JobState.FAILED)
    assert not await store.jobs.revive(failed, state=JobState.RUNNING, event=EVENT)
    await store.set("jobs", {"id": "job"}, state=JobState.FAILED)
    assert await store.jobs.revive(failed, state=JobState.RUNNING, event=EVENT)

"""`batchd purge`: what is kept of a job, here and at the provider, is deleted; what could not be is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchd.domain.lifecycle import Erase
from batchd.orders.values import Purge, Retry
from batchd.store.tables.orders import Door, answer_to, leave
from batchd.testing.household import Living
from batchd.values import replace

from ..engine.conftest import csv_of, route
from .conftest import NINE, MakePair, Pair
from .test_accounts import ACCOUNTS, Keys, keys, order

__all__ = ["keys"]

pytestmark = [pytest.mark.slow, pytest.mark.field("people's data")]

REUSING = (replace(route(), reuse=30 * 86_400.0),)
SECRET = "Anna Meier born 1970"


async def finished(pair: Pair, daemon: Living, name: str = "may") -> str:
    """The id of a job that is done."""
    pair.household.drop(f"reviews/{name}.csv", csv_of([*NINE, f"{SECRET} {name}"]))
    await daemon.take_in()
    await pair.drain(daemon)
    return max(await daemon.context.store.jobs.ids())


async def purged(pair: Pair, daemon: Living, job: str, *, at: float = 1.0) -> str:
    """Order it, and wait for the answer."""
    state = pair.household.folder / "state"
    number = leave(state, "purge", job, {}, at=at, who="anna", door=Door.COMMAND_LINE)
    for _ in range(10):
        await daemon.step()
        if (answer := answer_to(state, number)) is not None:
            return answer.text
    raise AssertionError(str(await daemon.context.store.event_log.conditions()) or "There is no answer.")


def kept_of(state: Path, text: str) -> list[str]:
    """The files of the state folder that hold this text."""
    return [
        str(path.relative_to(state))
        for path in state.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def files_left(ledger: dict[str, Any]) -> int:
    return sum(not upload["deleted"] for upload in ledger["uploads"])


async def test_nothing_is_left_but_what_is_the_persons_own(make_pair: MakePair) -> None:
    pair = await make_pair(routes=REUSING)
    state = pair.household.folder / "state"
    async with pair.household.living() as daemon:
        job = await finished(pair, daemon)
        assert kept_of(state, SECRET)
        assert [file async for file in pair.sandbox.client.files.list()]
        said = await purged(pair, daemon, job)
        assert "10 remembered answers, 1 file at the provider" in said
        assert "These are yours, and stay: " in said
        assert str(pair.household.folders.outbox / "reviews/may.results.csv") in said
        assert str(pair.household.folders.archive / "reviews/may.csv") in said
        assert "Could not" not in said
        assert [file async for file in pair.sandbox.client.files.list()] == []
        assert "was purged: nothing is kept of it" in await order(pair, daemon, Retry(job))
    assert kept_of(state, SECRET) == []
    assert not (state / "jobs" / job).exists()
    assert pair.statuses() == ["ok"] * 10


@pytest.mark.parametrize("stopped_after", range(1, 6))
async def test_killed_in_between_it_goes_on(
    make_pair: MakePair, stopped_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await make_pair("delete:503:count=always" if stopped_after == 5 else "delete:slow:delay=1ms", routes=REUSING)
    state = pair.household.folder / "state"
    async with pair.household.living() as daemon:
        job = await finished(pair, daemon)
    number = leave(state, "purge", job, {}, at=1.0, who="anna", door=Door.COMMAND_LINE)
    calls = 0

    class Killed(BaseException):
        pass

    class Killing:
        """The provider; the process dies at its n-th use."""

        def __getattr__(self, name: str) -> Any:
            nonlocal calls
            calls += 1
            if calls == stopped_after:
                raise Killed
            return getattr(pair.provider, name)

    with pytest.raises(Killed):  # it dies somewhere in there
        async with pair.household.living() as daemon:
            old = daemon.context.configured.providers["fake"]
            daemon.reconfigure(providers={"fake": replace(old, plugin=Killing())})
            for _ in range(5):
                await daemon.step()
            raise Killed
    await pair.sandbox.lift()
    async with pair.household.living() as daemon:
        done = await daemon.drain()
        assert Erase(job) in done or answer_to(state, number) is not None
    answer = answer_to(state, number)
    assert answer is not None
    assert not answer.refused
    assert kept_of(state, SECRET) == []


async def test_what_the_service_does_not_delete_is_said(make_pair: MakePair) -> None:
    pair = await make_pair()
    async with pair.household.living() as daemon:
        job = await finished(pair, daemon)
        await pair.sandbox.order("delete:500:count=always")
        said = await purged(pair, daemon, job)
        assert "Could not be deleted: files of batch" in said
        assert "answered with status 500" in said
        await pair.sandbox.lift()
        assert "Could not" not in await purged(pair, daemon, job, at=2.0)
        assert [file async for file in pair.sandbox.client.files.list()] == []


async def test_files_that_another_account_does_not_know_are_not_called_deleted(
    make_pair: MakePair,
    keys: Keys,
) -> None:
    pair = await make_pair(provider=keys.settings, sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        job = await finished(pair, daemon)
        keys.put("sk-other.1")
        assert "are not known there, but the API key changed since" in await purged(pair, daemon, job)
        keys.put("sk-acme.1")
        assert "1 file at the provider" in await purged(pair, daemon, job, at=2.0)


async def test_the_note_beside_a_rejected_file_is_the_persons_own(make_pair: MakePair) -> None:
    pair = await make_pair()
    pair.household.drop("reviews/empty.csv", "")
    async with pair.household.living() as daemon:
        await daemon.take_in()
        await pair.drain(daemon)
        [job] = await daemon.context.store.jobs.ids()
        said = await purged(pair, daemon, job)
    rejected = pair.household.folders.rejected / "reviews"
    assert said.endswith(f"These are yours, and stay: {rejected / 'empty.csv'}, {rejected / 'empty.csv.why.txt'}.")


async def test_a_job_under_way_is_not_purged(make_pair: MakePair) -> None:
    pair = await make_pair("batch:stuck")
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    async with pair.household.living() as daemon:
        await daemon.take_in()
        for _ in range(6):
            await pair.step(daemon)
        [job] = await daemon.context.store.jobs.ids()
        assert "only a finished job can be purged" in await order(pair, daemon, Purge(job))


async def test_other_jobs_keep_their_remembered_answers(make_pair: MakePair) -> None:
    pair = await make_pair(routes=REUSING)
    state = pair.household.folder / "state"
    async with pair.household.living() as daemon:
        await finished(pair, daemon, "may")
        other = await finished(pair, daemon, "june")
        await purged(pair, daemon, other)
    assert kept_of(state, f"{SECRET} june") == []
    assert "answers.db" in " ".join(kept_of(state, f"{SECRET} may")) or kept_of(state, f"{SECRET} may")

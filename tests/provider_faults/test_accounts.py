"""Another account's key is put in while batches are under way: what the old account answered is not paid again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.lifecycle import Recheck
from batchd.domain.records import BatchState
from batchd.orders.values import Order, Resolve
from batchd.store.tables.orders import Door, answer_to, leave
from batchd.testing.household import Living
from batchd.values import replace
from batchd_openai.provider import OpenAIProvider

from ..engine.conftest import csv_of
from ..sandbox.sandbox_kit import Running, running
from .conftest import KEY, NINE, MakePair, Pair, told

pytestmark = [pytest.mark.slow, pytest.mark.field("money")]

HOUR = 3_600.0
ACCOUNTS = {"accounts": True, "latency": 0.05}


class Keys:
    """A key in a file, which counts from the next call on."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "key"
        self.put("sk-acme.1")

    def put(self, key: str) -> None:
        self.file.write_text(key)

    @property
    def settings(self) -> dict[str, Any]:
        return {"api_key": f"file:{self.file}"}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


async def under_way(pair: Pair, daemon: Living, *, kind: str = "BatchSubmitted") -> None:
    """A file whose rows are at the provider."""
    pair.household.drop("reviews/may.csv", csv_of(NINE))
    await daemon.take_in()
    await pair.until(daemon, lambda: told(pair, kind))


async def for_hours(pair: Pair, daemon: Living, hours: float = 5) -> None:
    """Look again and again, as a daemon does."""
    for _ in range(int(hours * 6)):
        await pair.drain(daemon)
        pair.household.clock.advance(600)


async def held(daemon: Living) -> str:
    """Why the one batch is held."""
    [batch] = await daemon.batches(BatchState.HELD)
    assert batch.reason is not None
    return batch.reason


async def order(pair: Pair, daemon: Living, order: Order) -> str:
    """Leave an order, have it carried out, and say what the answer was."""
    state = pair.household.folder / "state"
    number = leave(state, order.kind, order.target, order.data(), at=0.0, who="anna", door=Door.COMMAND_LINE)
    await daemon.engine.look()
    answer = answer_to(state, number)
    assert answer is not None
    return answer.text


async def created(sandbox: Running) -> int:
    return int((await sandbox.ledger())["create_calls"])


async def test_a_key_of_another_account_holds_its_batches_until_the_old_one_is_back(
    make_pair: MakePair, keys: Keys
) -> None:
    pair = await make_pair(provider=keys.settings, sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        keys.put("sk-other.1")
        await for_hours(pair, daemon)
        assert await created(pair.sandbox) == 1, "nothing is asked again"
        said = await held(daemon)
        assert "the API key of [providers.fake] is not the one that it was sent with" in said
        assert "Put the old API key back, and it goes on by itself" in said
        keys.put("sk-acme.1")
        await for_hours(pair, daemon, 1)
    rows = pair.statuses()
    assert rows == ["ok"] * 9
    ledger = await pair.sandbox.ledger()
    assert (ledger["create_calls"], ledger["requests_executed"]) == (1, 9)


async def test_a_rotated_key_of_the_same_account_changes_nothing(make_pair: MakePair, keys: Keys) -> None:
    pair = await make_pair(provider=keys.settings, sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        keys.put("sk-acme.2")
        await pair.drain(daemon)
    await pair.all_well()


async def test_a_batch_that_really_vanishes_is_asked_again_after_a_rotation(make_pair: MakePair, keys: Keys) -> None:
    """The service knew it under the new key, so that the account is the same: the old rule holds."""
    pair = await make_pair(provider=keys.settings, sandbox={"accounts": True, "latency": 3600})
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        keys.put("sk-acme.2")
        [before] = await daemon.batches()

        async def known_by_the_new_key() -> bool:
            [now] = await daemon.batches()
            return now.fingerprint != before.fingerprint

        await pair.until(daemon, known_by_the_new_key)
        await pair.sandbox.order("retrieve:404:count=always")
        await pair.until(daemon, lambda: told(pair, "BatchEnded"))
    assert "BatchHeld" not in pair.told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"organization": "org-b"}, "the organization of"),
        ({"project": "proj-b"}, "the project of"),
        ({"organization": "org-b", "project": "proj-b"}, "the organization and project of"),
        ({"headers": {"OpenAI-Project": "proj-b"}}, "the headers or query of"),
    ],
    ids=str,
)
async def test_another_organization_or_project_is_another_account(
    make_pair: MakePair, change: dict[str, Any], words: str
) -> None:
    pair = await make_pair(sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        async with using(daemon, {"base_url": pair.sandbox.url, "api_key": KEY, **change}):
            await for_hours(pair, daemon, 2)
            assert words in await held(daemon)
            assert await created(pair.sandbox) == 1
        await pair.drain(daemon)
    assert pair.statuses() == ["ok"] * 9
    assert await created(pair.sandbox) == 1


async def test_another_address_is_another_account(make_pair: MakePair, tmp_path: Path) -> None:
    pair = await make_pair(sandbox={"latency": 0.05})
    async with running(tmp_path / "second") as second, pair.household.living() as daemon:
        await under_way(pair, daemon)
        async with using(daemon, {"base_url": second.url, "api_key": KEY}):
            await for_hours(pair, daemon, 2)
            assert "the address of" in await held(daemon)
            assert await created(second) == 0


@asynccontextmanager
async def using(daemon: Living, settings: dict[str, Any]) -> AsyncIterator[None]:
    """Work with these settings of the provider in the block."""
    provider = OpenAIProvider(OpenAIProvider.Settings.model_validate(settings))
    old = daemon.context.configured.providers["fake"]
    daemon.reconfigure(providers={"fake": replace(old, plugin=provider)})
    try:
        yield
    finally:
        daemon.reconfigure(providers={"fake": old})
        await provider.aclose()


async def test_a_create_of_unknown_outcome_is_not_made_again_in_another_account(
    make_pair: MakePair, keys: Keys
) -> None:
    pair = await make_pair("create:cut-after", provider=keys.settings, sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon, kind="BatchOutcomeUnknown")
        keys.put("sk-other.1")
        await for_hours(pair, daemon)
        assert await created(pair.sandbox) == 1
        assert "it is not known whether fake has created it" in await held(daemon)
        keys.put("sk-acme.1")
        await for_hours(pair, daemon, 1)
    assert pair.statuses() == ["ok"] * 9
    assert await created(pair.sandbox) == 1


async def test_answers_whose_files_another_account_does_not_know_are_held(make_pair: MakePair, keys: Keys) -> None:
    pair = await make_pair(provider=keys.settings, sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon, kind="BatchEnded")
        keys.put("sk-other.1")
        await for_hours(pair, daemon)
        assert await created(pair.sandbox) == 1
        assert "fake does not know batch_" in await held(daemon)
        keys.put("sk-acme.1")
        await for_hours(pair, daemon, 1)
    assert pair.statuses() == ["ok"] * 9


async def test_a_person_can_have_the_rows_asked_again(make_pair: MakePair, keys: Keys) -> None:
    pair = await make_pair(provider=keys.settings, sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        keys.put("sk-other.1")
        await for_hours(pair, daemon, 1)
        [batch] = await daemon.batches(BatchState.HELD)
        assert "are asked again" in await order(pair, daemon, Resolve(batch.key, None))
        await for_hours(pair, daemon, 1)
    assert pair.statuses() == ["ok"] * 9
    assert await created(pair.sandbox) == 2


async def test_a_held_batch_keeps_no_run_waiting(make_pair: MakePair, keys: Keys) -> None:
    pair = await make_pair(provider=keys.settings, sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        keys.put("sk-other.1")
        await pair.drain(daemon)
        assert isinstance(pair.done[-1], Recheck)
        assert (await daemon.engine.look()).again_at is None


async def test_no_secret_stands_in_the_state_folder(make_pair: MakePair, keys: Keys) -> None:
    pair = await make_pair(provider=keys.settings, sandbox=ACCOUNTS)
    async with pair.household.living() as daemon:
        await under_way(pair, daemon)
        await pair.drain(daemon)
        state = pair.household.folder / "state"
        assert (state / "fingerprint.key").stat().st_mode & 0o777 == 0o600
        assert len((state / "fingerprint.key").read_bytes()) == 32
        for file in state.rglob("*"):
            assert not file.is_file() or b"sk-acme" not in file.read_bytes(), file
    [batch] = pair.household.report("reviews/may.report.json")["batches"]
    assert len(batch["account"]) == 16

"""A daemon in a folder and a sandbox that it asks over real HTTP: what went wrong, what came of it, what was paid.

The clock is the daemon's own and jumps, so that hours pass in a moment; the sandbox lives by the real one.
"""

from __future__ import annotations

import asyncio
import csv
import io
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from batchd.domain.lifecycle import Action, Poll, Submit
from batchd.domain.routing import Route
from batchd.testing.household import Household, Living
from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider

from ..engine.conftest import ASKING, csv_of, route
from ..loopback import trust as trust
from ..sandbox.sandbox_kit import Running, running, until

KEY = "sk-any-key-will-do"
NINE = [f"review {number}" for number in range(9)]
PERSON = {"BatchHeld", "JobFailed", "JobRejected"}
"""Events after which somebody has to do something."""


@dataclass
class Pair:
    """A household and its sandbox."""

    household: Household
    sandbox: Running
    provider: OpenAIProvider
    done: list[Action] = field(default_factory=list)
    waits_for: str = ""

    @property
    def told(self) -> list[str]:
        """The kinds of all events, in order."""
        return [event.kind for event in self.household.events]

    async def step(self, daemon: Living) -> Action | None:
        """One action. Time jumps for the daemon only, so the sandbox gets a moment where it has something to do."""
        action = await daemon.step()
        if isinstance(action, Poll | Submit):
            await asyncio.sleep(0.01)
        if action is not None:
            self.done.append(action)
        return action

    async def drain(self, daemon: Living) -> None:
        """Everything that is left to do."""
        async with asyncio.timeout(60):
            while await self.step(daemon):
                pass

    async def until(self, daemon: Living, condition: Callable[[], Awaitable[Any]]) -> None:
        """Work until this is so."""
        async with asyncio.timeout(60):
            while not await condition():
                assert await self.step(daemon) is not None, "there is nothing left to do"

    async def ask(self, reviews: Sequence[str] = NINE, *, name: str = "may") -> None:
        """Drop a file and work until nothing is left."""
        self.household.drop(f"reviews/{name}.csv", csv_of(list(reviews)))
        async with self.household.living() as daemon:
            await daemon.take_in()
            await self.drain(daemon)
            assert await daemon.context.store.event_log.conditions() == {}

    async def at_work(self, *batches: tuple[str, int]) -> None:
        """Wait until the sandbox, which lives by the real clock, has each batch in this state with so many executed."""

        async def caught_up() -> bool:
            there = (await self.sandbox.ledger())["batches"]
            return [(batch["status"], batch["executed"]) for batch in there] == list(batches)

        await until(caught_up, 60)

    def rows(self, name: str = "may") -> list[dict[str, str]]:
        """The delivered rows of a file."""
        text = self.household.outbox()[f"reviews/{name}.results.csv"].decode()
        return list(csv.DictReader(io.StringIO(text)))

    def statuses(self, name: str = "may") -> list[str]:
        """What became of each row."""
        return [row["status"] for row in self.rows(name)]

    async def paid(self, *, twice: Sequence[str] = ()) -> dict[str, Any]:
        """The sandbox's own count, in which nothing is executed twice; and nobody had to do anything."""
        ledger = await self.sandbox.ledger()
        assert ledger["executed_twice"] == list(twice)
        assert not PERSON & set(self.told), self.told
        return ledger

    async def all_well(self, rows: int = 9, *, name: str = "may") -> dict[str, Any]:
        """Every row is delivered with its answer and was executed once. The ledger, for more questions."""
        ledger = await self.paid()
        assert Counter(self.statuses(name)) == {"ok": rows}
        report = self.household.report(f"reviews/{name}.report.json")["rows"]
        assert report == {"total": rows, "ok": rows, "failed": 0, "skipped": 0, "reused": 0}
        assert all(row["answer"] for row in self.rows(name))
        assert (ledger["requests_executed"], ledger["distinct"]) == (rows, rows)
        return ledger


async def told(pair: Pair, kind: str) -> bool:
    """Whether such an event has happened; for `until`."""
    return kind in pair.told


MakePair = Callable[..., Awaitable[Pair]]


@pytest.fixture
async def make_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trust: ssl.SSLContext) -> AsyncIterator[MakePair]:
    """Make pairs: settings of the provider as a dict, of the sandbox by name, the rest for the household."""
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda **_: trust)
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    (plugins / "asking.py").write_text(ASKING)
    async with AsyncExitStack() as leaving:

        async def make(
            *faults: str,
            routes: Sequence[Route] | None = None,
            provider: dict[str, Any] | None = None,
            sandbox: dict[str, Any] | None = None,
            **household: Any,
        ) -> Pair:
            server = await leaving.enter_async_context(running(tmp_path / "sandbox", **(sandbox or {})))
            settings = {"base_url": server.url, "api_key": KEY, "request_timeout": 20, **(provider or {})}
            ours = OpenAIProvider(
                OpenAIProvider.Settings.model_validate(settings), pacing=OpenAIPacing(first_pause=0.002)
            )
            leaving.push_async_callback(ours.aclose)
            house = Household(
                tmp_path / "house",
                provider=ours,
                routes=routes or (route(),),
                plugin_dir=plugins,
                **household,
            )
            if faults:
                await server.order(*faults)
            return Pair(house, server, ours)

        yield make

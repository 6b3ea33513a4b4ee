"""A daemon's folders with jobs in every state, and ways to call the command line on them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from batchd.cli import ending
from batchd.contracts import RemoteBatch
from batchd.domain.lifecycle import Claim
from batchd.domain.routing import PluginSpec, Route
from batchd.errors import CannotFind, TransientError
from batchd.model import BatchPhase, BatchStatus, Failure, Problem
from batchd.money.budget import SpendingLimits
from batchd.money.pricing import Price
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import Household, Living
from batchd.values import replace

from ..durability.rig import shared_nursery

CONFIG = """\
[folders]
state = "state"

[budget]
currency = "EUR"

[providers.fake]
plugin = "fake"

[providers.fake.prices.small]
input = 1000
output = 3000
batch_discount = 0.5

[routes.reviews]
match = ["reviews/**"]
provider = "fake"
model = "small"

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{ review }}"
"""

ROUTE = Route(
    name="reviews",
    match=("reviews/**",),
    provider="fake",
    model="small",
    prompt=PluginSpec("template", {"user": "Review: {{ review }}"}),
    part_rows=3,
    attempts=2,
)


PRICES = {"small": Price(Decimal(1000), Decimal(3000), batch_discount=Decimal("0.5"))}
"""Those of the config."""


class NeverFinds(FakeProvider):
    """A provider that cannot look a batch up."""

    async def find(self, submission: Any) -> Sequence[str]:
        raise CannotFind("This provider cannot look up a batch.")


class House(Household):
    """A household with a config for the command line."""

    def __init__(self, folder: Path, **options: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        terms = {"prices": PRICES, "budget": SpendingLimits(currency="EUR")}
        super().__init__(folder, **{"routes": (ROUTE,), **terms, **options})
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG)
        # A little in the past, so that ages are ages.
        self.clock.wall = time.time() - 7_200

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def live(self, what: Callable[[Living], Awaitable[None]]) -> None:
        """Let a daemon live for as long as this takes."""

        async def go() -> None:
            async with self.living() as living:
                await what(living)

        asyncio.run(go())

    def run(self, name: str, rows: Sequence[str], *, until: Callable[[object], bool] = lambda _: False) -> str:
        """Drop a file of reviews and work on everything until nothing is left, or after this action. The job's id."""
        self.drop(name, "id,review\n" + "".join(f"{number},{review}\n" for number, review in enumerate(rows)))
        found = ""

        async def go(living: Living) -> None:
            nonlocal found
            before = await living.context.store.jobs.ids()
            await living.take_in()
            [found] = await living.context.store.jobs.ids() - before
            await drain(living, until)

        self.live(go)
        return found


async def drain(living: Living, until: Callable[[object], bool] = lambda _: False) -> None:
    """Everything that is left to do, or up to and with this action."""
    for _ in range(1_000):
        action = await living.step()
        if action is None or until(action):
            return
    raise AssertionError("The daemon has not come to an end.")


def after(kind: type[object]) -> Callable[[object], bool]:
    """An action of this kind."""
    return lambda action: isinstance(action, kind)


def reviews_service() -> FakeService:
    """Answers what it is asked, but for the review `bad`, which fails."""

    def answer(body: Mapping[str, Any]) -> str | Failure:
        text = str(body["messages"][-1]["content"])
        return Failure("refused", "The model declined.") if text.endswith("bad") else f"re: {text}"

    return FakeService(answer)


def finished_house(folder: Path) -> tuple[House, str]:
    """One job that is done, with a failed row among five."""
    house = House(folder, service=reviews_service())
    return house, house.run("reviews/may.csv", ["good", "fine", "bad", "well", "so so"])


class Thirds(FakeProvider):
    """A provider that has always answered a third of each batch, and never more."""

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        requests = len(self._batch(batch).lines)
        return BatchStatus(BatchPhase.IN_PROGRESS, requests, requests // 3, 0)


def half_way(folder: Path, *names: str, rows: int = 9) -> tuple[House, list[str]]:
    """Jobs whose batches the provider has answered by a third."""
    service = reviews_service()
    house = House(folder, service=service, provider=Thirds(service), routes=(replace(ROUTE, part_rows=1_000),))
    reviews = [f"review {number}" for number in range(rows)]
    jobs = [house.run(name, [name, *reviews[1:]], until=after(Claim)) for name in names]

    async def until_all_are_polled(living: Living) -> None:
        batches = living.context.store.batches
        while not all([any(batch.completed for batch in await batches.of_job(job)) for job in jobs]):
            await living.step()

    house.live(until_all_are_polled)
    return house, jobs


def stuck(house: House, name: str = "reviews/stuck.csv") -> str:
    """A job that the provider refuses for good."""
    house.service.refuse = lambda _: (Problem("model_not_found", "The model small does not exist."),)
    job = house.run(name, ["good", "fine"])
    house.service.refuse = lambda _: ()
    return job


def held(folder: Path) -> tuple[House, str, str]:
    """A job whose batch a person must say something about: the house, the job, the batch."""
    service = reviews_service()
    house = House(folder, service=service, provider=NeverFinds(service))

    def cut(step: str) -> None:
        if step == "create: after":
            raise TransientError("the connection was cut")

    service.step = cut
    job = house.run("reviews/held.csv", ["good"])
    keys: list[str] = []

    async def look(living: Living) -> None:
        keys.extend(batch.key for batch in await living.context.store.batches.of_job(job))

    house.live(look)
    service.step = lambda _: None
    return house, job, keys[0]


# --- calling -------------------------------------------------------------------------------------------------------


class Said:
    """What a call of the command line came to."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.status}\n--- out\n{self.out}--- err\n{self.err}"


def environment(**more: str) -> dict[str, str]:
    """The environment without anything that would change what is tested."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("BATCHD_", "NO_COLOR", "FORCE_"))}
    return {**kept, "COLUMNS": "100", "TERM": "xterm", **more}


def process(*arguments: str | Path, cwd: Path | None = None, **more: str) -> Said:
    """A real process, forked where everything is imported already: most of a short life would be its imports."""
    words = list(map(str, arguments))
    done = shared_nursery().run(words, folder=cwd or Path.cwd(), environment=environment(**more), timeout=120)
    return Said(done.returncode, done.stdout, done.stderr)


def here(*arguments: str | Path, config: Path | None = None, **more: str) -> Said:
    """The same in this process, through click's runner, with the endings that the real one has."""
    whole = [*(["--config", str(config)] if config else []), *map(str, arguments)]
    runner = CliRunner(env={key: "" for key in os.environ if key.startswith("BATCHD_")} | more)
    with runner.isolation() as (out, err, _):
        status = ending.run(whole)
        sys.stdout.flush()
        return Said(status, out.getvalue().decode(), err.getvalue().decode())

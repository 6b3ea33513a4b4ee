"""Whatever is done while the configuration is read again is done by the old one or by the new one, never by both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from batchd.app.daemon import Daemon, daemon
from batchd.app.reload import reload
from batchd.domain.lifecycle import Action, Admit, Deliver
from batchd.domain.records import JobState
from batchd.engine.looks.look import Due
from batchd.testing.fakes import InlineExecutor
from batchd.work.collecting.render import render

from .conftest import prepared

pytestmark = pytest.mark.slow

T = TypeVar("T")

PLUGINS = """
import asyncio

from batchd import Observer, hookimpl
from batchd.testing.fakes import FakeProvider, FakeService


class Quick(FakeProvider):
    def __init__(self, settings):
        super().__init__(FakeService(lambda body: "fine"))


class Slow(Observer):
    async def notice(self, event):
        await asyncio.Event().wait()


@hookimpl
def register_providers(register):
    register("quick", Quick)


@hookimpl
def register_observers(register):
    register("slow", Slow)
"""
OLD = """
plugin_dir = "plugins.d"

[intake]
settle = "1ms"

[budget]
per_job = 100.0

[providers.quick]
linger = "0s"
poll = "1ms"

[providers.quick.prices.small]
input = 1.0
output = 1.0

[observers.slow]

[sinks.csv]
delimiter = ";"

[routes.reviews]
provider = "quick"
model = "small"
part_rows = 1
params = { max_tokens = 10 }

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{ review }}"
"""
NEW = OLD.replace('delimiter = ";"', 'delimiter = "|"').replace("per_job = 100.0", "per_job = 0.000001")
FILES = 6


class Stepwise(Awaitable[T]):
    """A coroutine that lets something else be done each time it would wait."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], between: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._coroutine = coroutine
        self._between = between
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            while True:
                future = self._coroutine.send(None)
                self.waits += 1
                # A task takes a future from whom it runs only with this mark, and only once; the other waits first.
                if future is not None:
                    future._asyncio_future_blocking = False  # noqa: SLF001 - what asyncio itself reads
                yield from self._between().__await__()
                if future is not None and not future.done():
                    future._asyncio_future_blocking = True  # noqa: SLF001 - what asyncio itself reads
                    yield future
        except StopIteration as end:
            result: T = end.value
            return result


class OneByOne(InlineExecutor):
    """Runs one task at a time, here; `before_rendering` is awaited before each that renders lines of results."""

    def __init__(self) -> None:
        self.before_rendering: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._free = asyncio.Lock()

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        """As Executor."""
        async with self._free:
            if function is render and self.before_rendering is not None:
                await self.before_rendering()
            return function(task)


class House:
    """A daemon on folders, in which nothing runs but what a test lets run."""

    def __init__(self, folder: Path, ours: Daemon) -> None:
        self.folder = folder
        self.ours = ours
        self.executor = OneByOne()
        ours.context.executor = ours.context.local = self.executor

    async def take_in(self) -> None:
        """Let a job be made of each file in the inbox."""
        async with asyncio.timeout(60):
            while len(await self.ours.context.store.jobs.ids()) < FILES:
                await self.ours.supervisor.intake.look()

    async def work_until(self, kind: type[Action]) -> list[Due]:
        """Carry out everything but actions of this kind, until one of these is due for each job."""
        async with asyncio.timeout(60):
            while True:
                outlook = await self.ours.engine.look()
                others = [due for due in outlook.due if not isinstance(due.action, kind)]
                if not others and len(outlook.due) == FILES:
                    return list(outlook.due)
                for due in others:
                    await self.ours.engine.perform(due)

    async def reload(self, config: str) -> None:
        """Put this configuration in force."""
        (self.folder / "config.toml").write_text(config)
        await reload(self.ours)

    async def state(self, due: Due) -> JobState:
        """The state of the job that the action is about."""
        job: Any = due.action
        return (await self.ours.context.store.jobs.get(job.job)).state

    async def deliver(self, due: Due) -> str:
        """The delimiters of the results, once they are delivered."""
        async with asyncio.timeout(60):
            while await self.state(due) is JobState.DELIVERING and not self._results():
                await self.ours.engine.perform(due)
        return self.delimiters()

    def delimiters(self) -> str:
        """The delimiters in the one file of results; it is taken away."""
        [file] = self._results()
        signs = {sign for sign in file.read_text("utf-8-sig") if sign in ";|"}
        file.unlink()
        return "".join(sorted(signs))

    def _results(self) -> Sequence[Path]:
        return list((self.folder / "outbox").rglob("*.csv"))


@asynccontextmanager
async def house_in(folder: Path) -> AsyncIterator[House]:
    """A daemon with files in its inbox."""
    config, catalogue = prepared(folder, OLD, PLUGINS)
    for number in range(FILES):
        (folder / "inbox" / "reviews" / f"f{number}.csv").write_text(f"id,review\n{number},good\n2,bad\n3,so\n")
    async with daemon(config, catalogue, workers=1, watch=False) as ours:
        house = House(folder, ours)
        await house.take_in()
        yield house


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """As `house_in`, in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    async with house_in(tmp_path) as made:
        yield made


async def test_a_delivery_at_each_await_of_a_reload(house: House) -> None:
    waiting = await house.work_until(Deliver)
    (house.folder / "config.toml").write_text(NEW)
    found: list[str] = []

    async def deliver() -> None:
        found.append(await house.deliver(waiting.pop()))

    await Stepwise(reload(house.ours), deliver)
    found.append(await house.deliver(waiting.pop()))
    assert len(found) >= 3, "the reload waits for the file, and for the observers"
    assert set(found) == {";", "|"}
    assert found == sorted(found, key=";|".index), "the old one first"


async def test_a_job_is_admitted_by_the_budget_that_its_results_are_delivered_by(house: House) -> None:
    """At each await of a reload: the budget and the dialect in force are of one configuration."""
    waiting = await house.work_until(Admit)
    (house.folder / "config.toml").write_text(NEW)
    found: list[tuple[str, JobState]] = []

    async def admit() -> None:
        due = waiting.pop()
        await house.ours.engine.perform(due)
        sink: Any = house.ours.context.configured.sinks["csv"]
        found.append((sink.settings.delimiter, await house.state(due)))

    await Stepwise(reload(house.ours), admit)
    await admit()
    assert len(found) >= 3
    assert set(found) == {(";", JobState.RUNNING), ("|", JobState.HELD)}


async def test_a_reload_at_each_await_of_a_delivery(house: House) -> None:
    """Another reload at the first await of one delivery, at the second of the next, and so on."""
    waiting = await house.work_until(Deliver)
    found = []
    for turn, due in enumerate(waiting):
        seen = 0

        async def reload_once(turn: int = turn) -> None:
            nonlocal seen
            if seen == turn:
                await house.reload(NEW if turn % 2 == 0 else OLD)
            seen += 1

        await Stepwise(house.ours.engine.perform(due), reload_once)
        found.append(await house.deliver(due))
        if seen <= turn:
            break  # it has no more awaits
    assert len(found) > 3
    assert set(found) <= {";", "|"}


async def test_a_reload_between_two_parts_of_a_delivery(house: House) -> None:
    """Workers that begin after it have the new plugins, and nobody knows which those before it had: all is made anew."""
    waiting = await house.work_until(Deliver)
    house.ours.context.pieces.clear()  # as after a restart: the lines are made when they are delivered
    rendered = 0

    async def reload_at_the_second() -> None:
        nonlocal rendered
        rendered += 1
        if rendered == 2:
            await house.reload(NEW)

    house.executor.before_rendering = reload_at_the_second
    assert await house.deliver(waiting[0]) == "|"
    assert rendered == 3 + 3, "each part by the old one, then each by the new one"


async def test_reloads_come_one_after_the_other(house: House) -> None:
    """And none waits for an observer that does not return."""
    await house.work_until(Deliver)
    context = house.ours.context
    (house.folder / "config.toml").write_text(NEW)
    first, second = (asyncio.create_task(reload(house.ours)) for _ in range(2))
    async with asyncio.timeout(60):
        await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
        assert (first.done(), second.done(), context.configured.generation) == (True, False, 1)
        await second
    sink: Any = context.configured.sinks["csv"]
    assert (context.configured.generation, sink.settings.delimiter) == (2, "|")

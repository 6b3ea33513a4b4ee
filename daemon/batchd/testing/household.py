"""A whole daemon in a temporary folder, one action at a time: for tests of crashes, plugins and routes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, InitVar, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..contracts import BatchProvider, Limits, LiveProvider, Sink
from ..domain.lifecycle import Action
from ..domain.records import Batch, BatchState
from ..domain.routing import PluginSpec, Route
from ..engine.context import Configured, ConfiguredProvider, Context, PeopleFolders, TimeLimits
from ..engine.looks.inbox_look import InboxLook
from ..engine.scheduler import Engine
from ..events import Event
from ..executor import Executor
from ..file_sink import FileSink
from ..intake.lease import held_open_for_writing
from ..live.lanes import Lanes, LiveTerms
from ..live.provider import LiveBatchProvider
from ..money.budget import SpendingLimits
from ..money.lanes import Lane
from ..money.price_list import PriceList
from ..money.pricing import Price
from ..people.language import ENGLISH, Language
from ..plugin.catalogue import Catalogue
from ..plugin_base import give_state_folder
from ..store.database import Database
from ..store.spool import Spool
from ..store.store import Store
from ..store.tables.jobs import Duplicates
from ..values import replace
from .empty_database import put_empty_database
from .fakes import FakeClock, FakeProvider, FakeService, InlineExecutor

REVIEWS = Route(
    name="reviews",
    match=("reviews/**",),
    provider="fake",
    model="small",
    prompt=PluginSpec("template", {"user": "Review: {{ review }}"}),
)


_RESTING = (BatchState.DONE, BatchState.RETURNED, BatchState.HELD)


@dataclass(eq=False)
class Household:
    """Folders in a temporary place, and the daemons that work on them, one after another.

    `drop` puts a file into the inbox; `living` runs a daemon on the folders. Leaving its block kills the daemon: only
    its database is closed. Without a `provider`, the daemon has a FakeProvider of the `service`.

    With `live`, the provider is asked by live calls; with `find_lane`, in the lane that it is found to take. With
    `batches_first` it is asked in batches, as with `mode = "batch"`: live calls are for what is late. `backup` is a
    second provider, named `backup`, that is asked by live calls.
    """

    folder: Path
    _: KW_ONLY
    service: FakeService = field(default_factory=FakeService)
    provider: Any = None
    routes: Sequence[Route] = (REVIEWS,)
    limits: Limits = field(default_factory=Limits)
    sinks: Mapping[str, Sink[Any]] = field(default_factory=dict)
    plugin_dir: Path | None = None
    duplicates: Duplicates = "redeliver"
    prices: Mapping[str, Price] = field(default_factory=dict)
    budget: SpendingLimits = field(default_factory=SpendingLimits)
    approve_in_folder: bool = False
    page_for: Language | None = None
    executor: Executor[Any] = field(default_factory=InlineExecutor)
    shared: Path | None = None
    create_timeout: float = 10.0
    call_timeout: float = 60.0
    time_limits: TimeLimits = field(default_factory=TimeLimits)
    poll: float = 1.0
    live: InitVar[LiveTerms | None] = None
    find_lane: bool = False
    batches_first: bool = False
    backup: LiveProvider[Any] | None = None
    held_open: Callable[[Path], object] = held_open_for_writing
    clock: FakeClock = field(default_factory=FakeClock)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self, live: LiveTerms | None) -> None:
        self.live_terms = live
        self.provider = self.provider or FakeProvider(self.service)
        give_state_folder(self.provider, self.folder / "state" / "plugins" / "providers" / "fake")
        folders = [self.folder / name for name in ("inbox", "outbox", "archive", "rejected", "held")]
        for each in folders:
            each.mkdir(parents=True, exist_ok=True)
        inbox, outbox, archive, rejected, held = folders
        self.folders = PeopleFolders(inbox, outbox, archive, rejected, held)
        catalogue = Catalogue.load(self.plugin_dir) if self.plugin_dir else _installed_plugins()
        self.suffixes = frozenset(catalogue.table_suffixes())
        named = {sink for route in self.routes for sink in route.sinks}
        self.sinks = {**{name: catalogue.create("sink", name, {}) for name in named - self.sinks.keys()}, **self.sinks}

    def drop(self, path: str, content: str | bytes) -> Path:
        target = self.folders.inbox / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    @asynccontextmanager
    async def living(self) -> AsyncIterator[Living]:
        spool = Spool(self.folder / "state", self.shared)
        with spool.locked():
            put_empty_database(spool.database)
            database = await Database.open(spool.database, now=self.clock.now, on_event=self.events.append)
            lanes = Lanes(spool, self.clock)
            try:
                yield Living(self, self._context(Store(database), spool, lanes))
            finally:
                await lanes.stop(within=0.0)
                await database.close()

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[Living]:
        """Run a daemon that has taken in the files in the inbox and has nothing left to do."""
        async with self.living() as living:
            await living.work()
            yield living

    async def work(self) -> list[Action]:
        """Run a daemon until it has taken in the files in the inbox and has nothing left to do."""
        async with self.living() as living:
            return await living.work()

    def _context(self, store: Store, spool: Spool, lanes: Lanes) -> Context:
        used = {"backup": (self.backup, self.live_terms or LiveTerms())} if self.backup is not None else {}
        if self.live_terms is not None:
            used["fake"] = (self.provider, self.live_terms)
        lanes.use(used)
        live = None if self.live_terms is None else LiveBatchProvider("fake", self.provider, lanes, poll_waits=0.2)
        plugin = self.provider if isinstance(self.provider, BatchProvider) else live
        assert plugin is not None, "a provider of live calls alone needs `live`"
        provider = ConfiguredProvider(
            "fake",
            plugin,
            self.limits,
            linger=0.0,
            poll=self.poll,
            create_timeout=self.create_timeout,
            call_timeout=self.call_timeout,
            prices=PriceList(self.prices, currency=self.budget.currency),
            live=live,
            mode=None if self.find_lane else Lane.BATCH if live is None or self.batches_first else Lane.LIVE,
        )
        providers = {"fake": provider}
        if self.backup is not None:
            backup = LiveBatchProvider("backup", self.backup, lanes, poll_waits=0.2)
            providers["backup"] = replace(provider, name="backup", plugin=backup, live=backup, mode=Lane.LIVE)
        return Context(
            store=store,
            spool=spool,
            executor=self.executor,
            local=self.executor,
            clock=self.clock,
            folders=self.folders,
            configured=Configured(
                providers=providers,
                sinks=self.sinks,
                routes=tuple(self.routes),
                file_sinks={name: PluginSpec(name) for name, sink in self.sinks.items() if isinstance(sink, FileSink)},
                plugin_dir=str(self.plugin_dir) if self.plugin_dir else None,
                suffixes=self.suffixes,
                budget=self.budget,
                approve_in_folder=self.approve_in_folder,
                page_for=self.page_for,
                people=self.page_for or ENGLISH,
            ),
            duplicates=self.duplicates,
            time_limits=self.time_limits,
        )

    def outbox(self) -> dict[str, bytes]:
        """Every visible file in the outbox by its path there."""
        return {
            str(path.relative_to(self.folders.outbox)): path.read_bytes()
            for path in sorted(self.folders.outbox.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }

    def results(self, name: str = "reviews/may.results.csv") -> list[dict[str, str]]:
        """The rows of a results file, by column."""
        return list(csv.DictReader(io.StringIO(self.outbox()[name].decode("utf-8-sig"))))

    def asked(self) -> list[str]:
        """The text of each request that was uploaded, in order."""
        return [each["body"]["messages"][-1]["content"] for lines in self.service.files.values() for each in lines]

    def report(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.folders.outbox / name).read_bytes()))


class Living:
    def __init__(self, household: Household, context: Context) -> None:
        self.household = household
        self.context = context
        self.engine = Engine(context, workers=2)
        self.intake = InboxLook(context, settle=1.0, held_open=household.held_open)

    def reconfigure(self, **changes: Any) -> None:
        """Change these fields of `Configured`, as a reload of the configuration does."""
        configured = self.context.configured
        self.context.configured = replace(configured, **changes, generation=configured.generation + 1)
        self.engine.retry_clock.reset()

    async def batches(self, *states: BatchState) -> list[Batch]:
        """Return the batches in these states; without states, those that are not done, returned or held."""
        store = self.context.store
        found = {batch.key: batch for job in await store.jobs.ids() for batch in await store.batches.of_job(job)}
        wanted = [each for each in found.values() if (each.state in states if states else each.state not in _RESTING)]
        return sorted(wanted, key=lambda each: (each.created_at, each.key))

    async def take_in(self) -> None:
        """Look at the inbox until its files have settled and are about to be claimed."""
        await self.intake.look()
        self.household.clock.advance(1.5)
        await self.intake.look()

    async def step(self) -> Action | None:
        """Carry out the next action and return it, None if there is none. Advance the clock until one is due."""
        for _ in range(1_000):
            outlook = await self.engine.look()
            if outlook.due:
                due = outlook.due[0]
                await self.engine.perform(due)
                return due.action
            if outlook.again_at is None:
                return None
            self.household.clock.advance(max(0.01, outlook.again_at - self.household.clock.steady()))
        raise AssertionError("The daemon waits without end.")

    async def steps(self, most: int) -> int:
        """Carry out at most this many actions. Return how many there were."""
        for number in range(most):
            if await self.step() is None:
                return number
        return most

    async def drain(self, *, most: int = 10_000) -> list[Action]:
        """Carry out everything that is left to do, one action at a time. Return the actions."""
        done: list[Action] = []
        for _ in range(most):
            action = await self.step()
            if action is None:
                return done
            done.append(action)
        raise AssertionError(f"The daemon is not done after {most} actions; the last was {done[-1]}.")

    async def work(self) -> list[Action]:
        """Take in the files in the inbox, and carry out everything that is left to do."""
        await self.take_in()
        return await self.drain()


@cache
def _installed_plugins() -> Catalogue:
    """Load the installed plugins once per process: that takes longer than the rest of a household."""
    return Catalogue.load()

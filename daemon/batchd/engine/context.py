"""What every action needs. `app/` makes it once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from ..contracts import BatchProvider, Limits, Sink
from ..delivery.held_notes import HeldNotes
from ..delivery.waiting_notes import WaitingNotes
from ..domain.records import Asked, Job, Moment, Part
from ..domain.routing import PluginSpec, Route
from ..domain.subjects import Subject
from ..executor import Executor
from ..files import Rights
from ..model import Failure
from ..money.budget import SpendingLimits
from ..money.lanes import Lane
from ..money.price_list import PriceList
from ..money.pricing import Terms
from ..people.language import ENGLISH, Language
from ..plugin.absent import PluginOff
from ..sending.accounts import Accounts
from ..sending.outside_hours import Outside
from ..sending.quota import Quotas
from ..store.spool import Spool
from ..store.store import Store
from ..store.tables.jobs import Duplicates
from ..store.tables.pauses import Paused
from ..system.clock import Clock
from ..values import replace
from ..workers.limits import READ_TIMEOUT, ROW_TIMEOUT

T = TypeVar("T")

MAX_HUNG = 20
"""Rows of a part over which a plugin may hang. After these the rest of the part fails without being tried."""

PieceKey: TypeAlias = tuple[int, int, int, int]
"""First row of the part, version of its results, number of the sink, generation of the configuration."""


class PeopleFolders(Struct, frozen=True):
    """The folders that people see. `mounted` are those that had a file system of their own when we started."""

    inbox: Path
    outbox: Path
    archive: Path
    rejected: Path
    held: Path
    mounted: frozenset[Path] = frozenset()


@dataclass(slots=True)
class FoundLane:
    """How a provider can be asked, as far as is known. `until` is the steady time of the next look."""

    lane: Lane | None = None
    until: float = 0.0
    no_at: float | None = None
    """When the provider first said that it has no batches."""
    refused_at: float | None = None
    """When it first said so to an upload or a create, though it was believed to have batches."""
    words: str = ""
    """What people are told while the lane is not known."""


class ConfiguredProvider(Struct, frozen=True):
    """One configured provider: the plugin's object, and the operator's terms for it. Times are in seconds.

    `live` makes live calls behind the same interface; None if the plugin cannot. `mode` is the configured lane, None if
    batchd is to find it out; `found` is what it has found. `rpm` is how many live calls a minute it takes, if known.
    """

    name: str
    plugin: BatchProvider[Any]
    limits: Limits
    poll: float = 30.0
    create_timeout: float = 60.0
    call_timeout: float = 60.0
    linger: float = 5.0
    prices: PriceList = msgspec.field(default_factory=lambda: PriceList({}))
    live: BatchProvider[Any] | None = None
    mode: Lane | None = Lane.BATCH
    found: FoundLane = msgspec.field(default_factory=FoundLane)
    rpm: int | None = None

    @property
    def lane(self) -> Lane | None:
        """How jobs are asked; None while that is not known."""
        return self.mode or self.found.lane

    def lane_for(self, *, late: bool) -> Lane | None:
        """How a job is asked: a `late` one by live calls, if the provider has them."""
        return Lane.LIVE if late and self.live is not None else self.lane

    def plugin_for(self, lane: Lane) -> BatchProvider[Any]:
        """The plugin object for batches of this lane."""
        return self.live if lane is Lane.LIVE and self.live is not None else self.plugin

    def create_takes(self, lane: Lane) -> float:
        """Seconds in which a create call of unknown outcome may still take effect; 0 for live batches, made here."""
        return 0.0 if lane is Lane.LIVE else self.create_timeout


class Configured(Struct, frozen=True):
    """All that a reload of the configuration changes. A reload replaces the whole value in one assignment.

    So a step that reads `context.configured` once, at its beginning, works by one configuration to its end, however
    long it waits in between. `generation` counts the configurations.

    `opening` has a task for each provider that makes itself ready; no call is made to the provider before. `file_sinks`
    says how a worker makes the sinks that write files. `kept_off` has the providers and sinks whose plugin has blocked
    the loop, or whose key this process does not have, with what to do. `absent` has the prompts and readers of plugins
    that block or die when they are loaded; `not_loaded` names those plugins. `suffixes` are the suffixes of files that
    some reader takes, `ignore` the patterns of files in the inbox that are left alone. `page_for` is the language of
    the report for people, `waiting_in` that of the notes about files in work; None if these are not written. `people`
    is the language of other notes.
    """

    providers: Mapping[str, ConfiguredProvider]
    sinks: Mapping[str, Sink[Any]]
    routes: tuple[Route, ...]
    file_sinks: Mapping[str, PluginSpec] = msgspec.field(default_factory=dict)
    opening: Mapping[str, asyncio.Task[None]] = msgspec.field(default_factory=dict)
    plugin_dir: str | None = None
    disabled: frozenset[str] = frozenset()
    suffixes: frozenset[str] = frozenset()
    ignore: tuple[str, ...] = ()
    kept_off: Mapping[Subject, str] = msgspec.field(default_factory=dict)
    absent: Mapping[str, str] = msgspec.field(default_factory=dict)
    not_loaded: tuple[str, ...] = ()
    publish_timeouts: Mapping[str, float] = msgspec.field(default_factory=dict)
    budget: SpendingLimits = msgspec.field(default_factory=SpendingLimits)
    approve_in_folder: bool = False
    page_for: Language | None = None
    waiting_in: Language | None = None
    people: Language = ENGLISH
    reuse_bytes: int = 1_000_000_000
    retention: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Seconds that files stay in a folder of people after their job has ended, by folder. Else they stay for good."""
    generation: int = 0

    def spec_here(self, spec: PluginSpec) -> PluginSpec:
        """The spec with what worker processes need to load the same plugins as the daemon.

        Raises PluginOff if its plugin could not be loaded.
        """
        if (why := self.absent.get(spec.kind)) is not None:
            raise PluginOff(why)
        return replace(spec, plugin_dir=self.plugin_dir, disabled=self.disabled)

    def lane(self, job: Job) -> Lane:
        """How the job's requests are asked, and so paid. While that is not known: live calls, which cost more."""
        provider = self.providers.get(job.route.provider)
        return (provider.lane_for(late=job.late_at is not None) or Lane.LIVE) if provider is not None else Lane.BATCH

    def fallback(self, job: Job) -> Asked | None:
        """The fallback that is configured now for the job; None if there is none, or the job has moved already."""
        route = self.route(job.route.name)
        if route is None or route.fallback not in self.providers or job.before_fallback is not None:
            return None
        return Asked(str(route.fallback), route.fallback_model or job.route.model)

    def route(self, name: str) -> Route | None:
        """The route of this name as it is configured now."""
        return next((route for route in self.routes if route.name == name), None)

    def priority(self, route: str) -> int:
        """How many turns the jobs of a route get for each turn of other jobs."""
        return next((each.priority for each in self.routes if each.name == route), 1)

    def rights(self, job: Job) -> Rights | None:
        """Who may read the job's files in the folders of people; None leaves that to the folders."""
        route = self.route(job.route.name)
        if route is not None:
            return route.rights
        if job.route.name and any(each.rights is not None for each in self.routes):
            # The route is not configured any more, so it is not known who may read its results.
            return Rights(mode=0o600)
        return None

    def terms(self, job: Job, at: float) -> Terms | None:
        """What the job's model costs at its provider, None if that is not known. Call it in a thread."""
        provider = self.providers.get(job.route.provider)
        return provider.prices.terms(job.route.model, at, job.route.params) if provider is not None else None


class TimeLimits(Struct, frozen=True):
    """Seconds that the code of plugins may take in workers: for a row, and between two rows that a reader reads."""

    row: float = ROW_TIMEOUT
    read: float = READ_TIMEOUT


@dataclass(slots=True)
class Context:
    """The engine's surroundings. A reload changes `configured`, and nothing else.

    `executor` is the configured one. `local` is that of this machine, maybe the same; what reads or writes one stream
    runs there. `pieces` has what workers have made for each part of a job, by configuration (see
    `engine/steps/render.py`). `hung` has for each job the rows over which a plugin hung, with their failures.
    `publishing` has the time limit of each delivery under way, by job and sink; `last_tries` the jobs that were
    cancelled when only sinks were left. `proven` has the recipes of routes that have brought an answer.
    `looked_for_copies` has the providers that were asked, since the start, whether this state is an older copy (see
    `engine/restored.py`); `failed_looks` counts how often each did not answer that, and `not_found_in_a_row` how many
    new batches of a restored state each did not have. `only` has the jobs to work on; None for all.
    """

    store: Store
    spool: Spool
    executor: Executor[Any]
    local: Executor[Any]
    clock: Clock
    folders: PeopleFolders
    configured: Configured
    pieces: dict[str, dict[PieceKey, Mapping[str, int]]] = field(default_factory=dict)
    quotas: Quotas = field(default_factory=Quotas)
    accounts: Accounts = field(default_factory=Accounts)
    proven: set[str] = field(default_factory=set)
    duplicates: Duplicates = "process"
    keep: float = 7 * 86_400.0
    time_limits: TimeLimits = field(default_factory=TimeLimits)
    hung: dict[str, dict[int, Failure]] = field(default_factory=dict)
    publishing: dict[tuple[str, str], asyncio.Timeout] = field(default_factory=dict)
    last_tries: set[str] = field(default_factory=set)
    looked_for_copies: set[str] = field(default_factory=set)
    not_known_yet: set[str] = field(default_factory=set)
    """The batches of which the provider could not say, at the last look, whether they exist."""
    failed_looks: Counter[str] = field(default_factory=Counter)
    not_found_in_a_row: Counter[str] = field(default_factory=Counter)
    paused: Paused = field(default_factory=Paused)
    """What people have paused."""
    outside: Outside = field(default_factory=Outside)
    """What waits for the hours in which its route sends."""
    only: frozenset[str] | None = None
    waiting_notes: WaitingNotes = field(init=False)

    def __post_init__(self) -> None:
        self.waiting_notes = WaitingNotes(self.folders.outbox, mounted=self.folders.mounted)

    def now(self) -> Moment:
        """The current time by each clock: wall, steady, and that of the boot."""
        return Moment(at=self.clock.now(), steady=self.clock.steady(), boot=self.clock.boot())

    def given_up(self, part: Part) -> Mapping[int, Failure]:
        """The rows of the part that are not tried again, since a plugin hung over them, or over MAX_HUNG others."""
        hung = self.hung.get(part.job, {})
        mine = {row: hung[row] for row in sorted(hung) if part.first <= row < part.first + part.rows}
        if len(mine) < MAX_HUNG:
            return mine
        last = list(mine.values())[-1]
        rest = Failure(
            last.code,
            f"This row was not tried, because {len(mine)} rows before it failed in the same way: {last.message}",
        )
        return dict.fromkeys(range(part.first, part.first + part.rows), rest) | mine

    async def executor_for(self, job: Job) -> Executor[Any]:
        """The executor for the job's parts: the local one, if they need databases or pictures of this machine.

        Raises OSError if the spool is missing. Call it once the task is made: the task may have looked for files there.
        """
        here = (
            job.route.reuse is not None
            or job.route.files is not None
            or job.trial is not None
            or job.parent is not None
            or await self.in_spool(lambda: self._has_pictures(job))
        )
        return self.local if here else self.executor

    async def in_spool(self, look: Callable[[], T]) -> T:
        """Look for files of the spool: in a thread if it may be a network share, which can hang.

        The state folder is on a disk of this machine: looking there takes less time than a trip to a thread.
        """
        return look() if self.spool.root == self.spool.state else await asyncio.to_thread(look)

    def _has_pictures(self, job: Job) -> bool:
        self.spool.require()
        return self.spool.pictures(job.id).exists()

    @property
    def notes(self) -> HeldNotes:
        """The notes about held jobs."""
        return HeldNotes(self.folders.held, mounted=self.folders.mounted)

    def settled_file(self, part: Part) -> str | None:
        """The part's valid results file, None if there is none yet."""
        return str(self.spool.results(part)) if part.results else None

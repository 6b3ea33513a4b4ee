"""Asks a few rows of a file now, with several models, for a person to look at.

Each model is a job of its own, so that nothing is lost or paid twice, whichever process is killed. A running daemon
works on these jobs; without one, this process does, and leaves all other jobs alone.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from ...config.load import Config
from ...contracts import LiveProvider
from ...domain import rows
from ...domain.routing import PluginSpec, Route
from ...errors import FileRefused, StateLocked
from ...files import make_folder, replacing
from ...model import BadRow, Json
from ...orders.leaving import Sender, leave_orders
from ...orders.values import Cancel, Order, Try
from ...plugin.catalogue import Catalogue, Role
from ...status.daemon import running
from ...store.reading.tries import TryRecord, tries, troubles
from ...store.spool import Spool
from ...store.tables.orders import answer_to
from ...system.clock import Clock
from ...values import replace
from ...work.part_files import lines_of, read_results
from ...work.reading.read import ReadDone, ReadTask, read
from ..daemon import daemon
from ..dropping import NotClear, route_of
from ..signals import handle_signals
from .estimate import Estimate, Estimating

LOOK_EVERY = 0.1
ENDING_TAKES = 5.0
"""Seconds to wait for the end of a try that is given up."""


class Column(Struct, frozen=True):
    """What one model is asked: its job, its route, and whether the rows wait for a batch."""

    job: str
    route: Route
    batch_only: bool

    @property
    def name(self) -> str:
        return f"{self.route.provider}/{self.route.model}"


@dataclass(frozen=True, slots=True)
class TryPlan:
    """What will be asked: `rows` are the numbers of the rows in the file, with their `cells`.

    `needed` are the columns that the question needs.
    """

    file: Path
    route: Route
    estimate: Estimate
    columns: Sequence[Column]
    names: Sequence[str]
    answer_names: Sequence[str]
    needed: Sequence[str]
    rows: Sequence[int]
    cells: Sequence[Sequence[Json]]
    lines: Sequence[bytes] = field(repr=False, default=())

    @property
    def batch_only(self) -> Sequence[Column]:
        return [each for each in self.columns if each.batch_only]


class RowAnswer(Struct, frozen=True):
    """The answer to one row: by column, or why there is none. An `empty` row is skipped."""

    answer: Mapping[str, Json] | None
    error: str | None = None
    empty: bool = False


class Tried(Struct, frozen=True):
    """The outcome of one column. `trouble` says what kept it from being asked."""

    column: Column
    record: TryRecord | None
    outcomes: Sequence[RowAnswer]
    trouble: str | None = None


@dataclass(slots=True)
class Trying:
    config: Config
    catalogue: Catalogue
    clock: Clock = field(default_factory=Clock)
    interrupted: bool = False
    _numbers: dict[str, int] = field(default_factory=dict)
    _since: float = math.inf
    """When our own daemon began, in seconds since 1970; 0 if one that was there before asks."""

    def plan(
        self,
        file: Path,
        wanted: str | None,
        models: Sequence[str],
        *,
        number: int,
        spread: bool = False,
        prompt: Path | None = None,
    ) -> TryPlan:
        """Return what to ask; give no order yet. Raise FileRefused, NotClear or another error that says why not."""
        route = route_of(file, self.config.folders.inbox, self.config.routes, wanted)
        if prompt is not None:
            route = self._asking(route, prompt)
        estimating = Estimating(self.config, self.catalogue)
        estimate = estimating.of_file(file, route, models, everything=False, expected=None)
        pairs = [estimating.pair(word, [route.provider]) for word in models] or [(route.provider, route.model)]
        columns = [self._column(route, *pair) for pair in dict.fromkeys(pairs)]
        try:
            jobs = [column.job for column in columns]
            done, names, lines, chosen = self._read(file, route, number, jobs, spread=spread)
        except FileRefused as refused:
            raise FileRefused(refused.code, f"{file.name} would be rejected. {refused}") from None
        builder = self.catalogue.create(Role.PROMPT_BUILDER, route.prompt.kind, route.prompt.settings)
        records = [rows.decode(line) for line in lines]
        return TryPlan(
            file=file,
            route=route,
            estimate=estimate,
            columns=columns,
            names=names,
            answer_names=done.answer_columns,
            needed=list(builder.needs()),
            rows=chosen,
            cells=[
                rows.fitted(record.values if isinstance(record, BadRow) else record, len(names)) for record in records
            ],
            lines=lines,
        )

    async def run(self, plan: TryPlan, *, say: Callable[[str], None] = lambda _: None) -> list[Tried]:
        """Ask, and wait for the answers. Cancel a job that is given up, after a signal or since it cannot be asked."""
        orders = [self._order(plan, column) for column in plan.columns]
        jobs = frozenset(column.job for column in plan.columns)
        given_up: dict[str, str] = {}
        waiting = asyncio.create_task(self._over(plan, given_up, say))

        def stop() -> None:
            self.interrupted = True

        try:
            with handle_signals(stop):
                while not waiting.done():
                    try:
                        self._since = self.clock.now()
                        async with daemon(self.config, self.catalogue, watch=False, only=jobs) as ours:
                            self._leave(orders)
                            work = asyncio.create_task(ours.supervisor.work())
                            await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
                            ours.supervisor.stop()
                            await work
                    except StateLocked:
                        self._since = 0.0
                        self._leave(orders)
                        # Once the other process leaves the state folder, the rows are ours to ask.
                        while not waiting.done() and running(self.config.folders.state) is not None:
                            await asyncio.wait({waiting}, timeout=LOOK_EVERY)
            await waiting
        finally:
            waiting.cancel()
        records = tries(self.config.folders.state, sorted(jobs))
        return [self._tried(plan, column, records.get(column.job), given_up) for column in plan.columns]

    # --- what to ask ---------------------------------------------------------------------------------------------

    def _asking(self, route: Route, prompt: Path) -> Route:
        if "user" not in route.prompt.settings:
            raise NotClear(f"--prompt is for prompts of the kind template, and the route {route.name} has another.")
        try:
            text = prompt.read_text("utf-8-sig")
        except UnicodeDecodeError:
            raise NotClear(f"{prompt} is not text in UTF-8.") from None
        spec = PluginSpec(route.prompt.kind, {**route.prompt.settings, "user": text})
        self.catalogue.create(Role.PROMPT_BUILDER, spec.kind, spec.settings)  # raises what is wrong
        return replace(route, prompt=spec)

    def _column(self, route: Route, provider: str, model: str) -> Column:
        factory = self.catalogue.factory("provider", self.config.providers[provider].plugin)
        live = isinstance(factory, type) and issubclass(factory, LiveProvider)
        asked = replace(route, provider=provider, model=model, sinks=(), then=None, part_rows=max(route.part_rows, 1))
        return Column(self.clock.new_id(), asked, batch_only=not live)

    def _read(
        self, file: Path, route: Route, number: int, jobs: Sequence[str], *, spread: bool
    ) -> tuple[ReadDone, list[str], list[bytes], list[int]]:
        with tempfile.TemporaryDirectory(prefix="batchd-try-") as folder:
            target = Path(folder) / "rows.jsonl"
            done = read(
                ReadTask(
                    source=str(file.resolve()),
                    name=file.name,
                    target=str(target),
                    part_rows=route.part_rows,
                    reader=self.config.here(route.reader or PluginSpec("")),
                    builder=self.config.here(route.prompt),
                    read_timeout=self.config.workers.read_timeout,
                    formats=route.formats,
                    max_file_bytes=route.max_file_bytes,
                )
            )
            came_with = target.with_name("pictures")
            for job in jobs if came_with.exists() else ():
                ahead = Spool(self.config.folders.state, self.config.folders.spool).pictures_ahead(job)
                make_folder(ahead.parent, mode=0o700)
                shutil.copytree(came_with, ahead)
            chosen = rows.sample(done.rows, number, spread=spread)
            last = max(chosen)
            lines = []
            for place, line in enumerate(lines_of(target)):
                if place in chosen:
                    lines.append(line)
                if place == last:
                    break
        return done, list(done.columns), lines, sorted(chosen)

    def _order(self, plan: TryPlan, column: Column) -> Order:
        """Put the rows where the daemon takes them from; return the order to ask them."""
        place = Spool(self.config.folders.state, self.config.folders.spool).asked_ahead(column.job)
        make_folder(place.parent, mode=0o700)
        with replacing(place, mode=0o600) as file:
            file.writelines(plan.lines)
        asked = {
            "source": plan.file.name,
            "route": column.route.to_json(),
            "rows": len(plan.lines),
            "columns": list(plan.names),
            "answer_columns": list(plan.answer_names),
            "live": True,
        }
        return Try(column.job, asked)

    # --- asking --------------------------------------------------------------------------------------------------

    def _leave(self, orders: Sequence[Order]) -> None:
        """Leave the orders, once."""
        if not self._numbers:
            left = leave_orders(self.config.folders.state, orders, Sender.on_the_command_line(), answer_within=0.0)
            self._numbers = {each.order.target: each.number for each in left}

    def _refusal(self, job: str) -> str | None:
        """Why the daemon has not begun the job, if it has refused to."""
        answer = answer_to(self.config.folders.state, self._numbers[job]) if job in self._numbers else None
        return answer.text if answer is not None and answer.refused else None

    async def _over(self, plan: TryPlan, given_up: dict[str, str], say: Callable[[str], None]) -> None:
        """Wait until every column has ended, or is given up."""
        state, by_job = self.config.folders.state, {column.job: column for column in plan.columns}
        orders_left = False
        until = float("inf")
        said: set[str] = set()
        refused: dict[str, str] = {}
        while time.monotonic() < until:
            await asyncio.sleep(LOOK_EVERY)
            records = await asyncio.to_thread(tries, state, sorted(by_job))
            for job in by_job.keys() - records.keys():
                if (refusal := await asyncio.to_thread(self._refusal, job)) is not None:
                    refused[job] = refusal
            open_jobs = {job for job in by_job if job not in refused and not (job in records and records[job].over)}
            given_up.update(refused)
            if not open_jobs:
                return
            providers = {job: by_job[job].route.provider for job in open_jobs}
            trouble = await asyncio.to_thread(troubles, state, providers, since=self._since)
            for job, text in trouble.items():
                if not by_job[job].batch_only:
                    given_up.setdefault(job, text)
                elif text not in said:
                    said.add(text)
                    say(text)
            if orders_left or not (self.interrupted or open_jobs <= given_up.keys()):
                continue
            orders_left, until = True, time.monotonic() + ENDING_TAKES
            leave_orders(
                state, [Cancel(job) for job in sorted(open_jobs)], Sender.on_the_command_line(), answer_within=0
            )

    def _tried(self, plan: TryPlan, column: Column, record: TryRecord | None, given_up: Mapping[str, str]) -> Tried:
        found: dict[int, RowAnswer] = {}
        if record is not None and record.results:
            folder = Spool(self.config.folders.state, self.config.folders.spool).job(column.job) / "parts"
            for line in read_results(folder / f"0.results.{record.results}.jsonl"):
                failure = line.failure()
                found[line.row] = (
                    RowAnswer(dict(zip(plan.answer_names, line.answer, strict=False)))
                    if failure is None
                    else RowAnswer(None, failure.message, line.empty)
                )
        why = (record.reason if record is not None else None) or given_up.get(column.job)
        if why is not None:
            # The daemon tries a job again, but a try is over.
            for said in (" Trying again until it works; jobs wait.", " Jobs wait; nothing is lost."):
                why = why.removesuffix(said)
        missing = RowAnswer(None)
        return Tried(column, record, [found.get(row, missing) for row in range(len(plan.rows))], why)

"""Drops, kills, restarts, cancels, retries and provider faults in any order: nothing lost, nothing paid twice."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from batchd.contracts import Limits
from batchd.model import Failure, Json
from batchd.testing.fakes import FakeService
from batchd.testing.household import Household, Living

from .conftest import ASKING, EVERY_CASE, csv_of, route
from .test_faults import order

pytestmark = pytest.mark.slow

# The create call costs money, so it is where most goes wrong here.
STEPS = ("create: after", "create: before", "create: after", "upload: after", "find", "poll", "results: before")


KINDS = st.lists(st.sampled_from(["fine", "busy", "refused", "unaskable"]), min_size=1, max_size=7)


class Killed(BaseException):
    """kill -9, in the middle of a call."""


class Crashes(RuleBasedStateMachine):
    """A person, a provider and a daemon that is killed again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        plugins = self.folder / "plugins.d"
        plugins.mkdir()
        (plugins / "asking.py").write_text(ASKING)
        self.refusals: Counter[str] = Counter()
        service = FakeService(self.answer)
        self.household = Household(
            self.folder / "house",
            service=service,
            routes=(route(part_rows=2),),
            limits=Limits(max_requests=3),
            plugin_dir=plugins,
        )
        service.step = self.at
        self.armed: dict[str, type[BaseException]] = {}
        self.dropped: dict[str, int] = {}
        self.life: AbstractAsyncContextManager[Living] | None = None
        self.daemon: Living | None = None

    def answer(self, body: dict[str, Json]) -> str | Failure:
        text = body["messages"][-1]["content"]
        if text.startswith("busy") and not self.refusals[text]:
            self.refusals[text] += 1
            return Failure("server_error", "Busy.", transient=True)
        return Failure("refused", "No.") if text.startswith("refused") else f"about {text}"

    def at(self, step: str) -> None:
        fault = self.armed.pop(step, None)
        if fault is not None:
            raise fault(step)

    @initialize()
    def begin(self) -> None:
        self.live()
        self.drop(["fine", "busy", "fine"])

    @rule(kinds=KINDS)
    def drop_another(self, kinds: list[str]) -> None:
        self.drop(kinds)

    def drop(self, kinds: list[str]) -> None:
        name = f"file{len(self.dropped)}"
        rows = [kind if kind == "unaskable" else f"{kind} {name} {row}" for row, kind in enumerate(kinds)]
        self.household.drop(f"reviews/{name}.csv", csv_of(rows))
        self.dropped[name] = len(kinds)
        self.run(self.daemon_now.take_in())

    @rule(number=st.integers(1, 20))
    def work(self, number: int) -> None:
        for _ in range(number):
            self.run(self.daemon_now.step())

    @rule(step=st.sampled_from(STEPS), fault=st.sampled_from([Killed, ConnectionResetError, TimeoutError]))
    def arm(self, step: str, fault: type[BaseException]) -> None:
        self.armed[step] = fault

    @rule()
    def kill(self) -> None:
        self.die()
        self.live()

    @rule(kind=st.sampled_from(["cancel", "retry"]), which=st.integers(0, 5))
    def command(self, kind: str, which: int) -> None:
        ids = sorted(self.runner.run(self.daemon_now.context.store.jobs.ids()))
        if ids:
            self.run(order(self.daemon_now, kind, ids[which % len(ids)]))

    def teardown(self) -> None:
        try:
            # Faults that are armed still strike, so most runs meet some; each strikes once.
            for _ in range(len(self.armed) + 1):
                self.kill()
                self.run(self.daemon_now.take_in())
                self.run(self.daemon_now.drain())
            self.die()
            self.check()
        finally:
            self.runner.close()
            shutil.rmtree(self.folder)

    def check(self) -> None:
        service = self.household.service
        twice = {custom_id: times for custom_id, times in service.executed.items() if times > 1}
        assert not twice, f"paid twice: {twice}"
        rejected = {path.name for path in (self.household.folders.rejected / "reviews").glob("*.csv")}
        for name, rows in self.dropped.items():
            if f"{name}.csv" in rejected:
                continue  # cancelled before it was read
            statuses = Counter(row["status"] for row in self.household.results(f"reviews/{name}.results.csv"))
            assert statuses.total() == rows, f"{name}: {rows} rows in, {statuses} out"
            report = self.household.report(f"reviews/{name}.report.json")
            told = {key: number for key, number in report["rows"].items() if key in {"ok", "failed", "skipped"}}
            assert told == {key: statuses[key] for key in told}
        assert list(self.household.folders.inbox.rglob("*.csv")) == []

    @property
    def daemon_now(self) -> Living:
        assert self.daemon is not None
        return self.daemon

    def live(self) -> None:
        self.life = self.household.living()
        self.daemon = self.runner.run(self.life.__aenter__())

    def die(self) -> None:
        assert self.life is not None
        self.runner.run(self.life.__aexit__(None, None, None))

    def run(self, doing: object) -> None:
        """Let the daemon do something; killed in the middle of it, it begins a new life."""
        try:
            self.runner.run(doing)  # type: ignore[arg-type]
        except Killed:
            self.die()
            self.live()


Crashes.TestCase.settings = settings(
    max_examples=15 if EVERY_CASE else 6,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestCrashes = Crashes.TestCase

"""The conformance classes for the good plugins. The hostile plugins use them too, with another `plugin`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batchd import Body, Row
from batchd.testing.conformance import (
    BatchProviderConformance,
    CommandConformance,
    ExecutorConformance,
    LiveProviderConformance,
    ObserverConformance,
    PromptBuilderConformance,
    ReaderConformance,
    SinkConformance,
)

from . import good_plugins as good


def made(self: Any) -> Any:
    """One without settings."""
    return self.plugin(self.plugin.Settings())


class OfReader(ReaderConformance):
    """Files with tabs."""

    plugin: type[Any] = good.TabReader

    make = made

    def samples(self) -> Mapping[str, bytes]:
        return {
            "two.tab": "id\treview\n1\tGood.\r\n2\tĐẹp\u2028 \x85 👍🏽\n".encode(),
            "one bad.TAB": b"id\treview\n1\tGood.\n2\n3\tFine.\n",
        }

    def broken(self) -> Mapping[str, bytes]:
        return {"ragged.tab": b"id\treview\n1\n2\tGood.\n3\tToo\tmany\n"}

    def refused(self) -> Mapping[str, bytes]:
        return {"duplicate.tab": b"id\tid\n1\t2\n", "latin.tab": b"id\treview\n1\t\xe9\n"}

    def large(self, rows: int) -> tuple[str, Iterator[bytes]]:
        def lines() -> Iterator[bytes]:
            yield b"id\treview\n"
            for number in range(rows):
                yield f"{number}\tReview number {number}, as long as reviews of such things usually are.\n".encode()

        return "large.tab", lines()


class OfPromptBuilder(PromptBuilderConformance):
    """Reviews."""

    plugin: type[Any] = good.Label

    make = made

    def rows(self) -> Sequence[Row]:
        return [Row(0, ["id", "review"], ["1", "Good."]), Row(5, ["id", "review"], ["2", "Đẹp\u2028👍🏽"])]


class OfBatchProvider(BatchProviderConformance):
    """A service that is a dict."""

    plugin: type[Any] = good.Shop
    pause = 0.0

    make = made


class OfLiveProvider(LiveProviderConformance):
    """A service that echoes."""

    plugin: type[Any] = good.Echo

    make = made

    def refused(self) -> Body:
        return {"model": "small"}


class OfSink(SinkConformance):
    """A sink for the outbox."""

    plugin: type[Any] = good.Lines

    make = made


class OfTable(SinkConformance):
    """A sink for a database elsewhere."""

    plugin: type[Any] = good.Table

    def make(self) -> Any:
        return self.plugin(self.plugin.Settings(path=str(self.folder / "results.db")))

    def seen(self) -> Any:
        database = sqlite3.connect(self.folder / "results.db")
        try:
            return database.execute("SELECT * FROM results ORDER BY job, number").fetchall()
        finally:
            database.close()


class OfObserver(ObserverConformance):
    """An observer of all events."""

    plugin: type[Any] = good.Notebook

    def make(self) -> Any:
        self.made = self.plugin(self.plugin.Settings())
        return self.made

    def seen(self) -> Any:
        return dict(self.made.sentences)


class OfExecutor(ExecutorConformance):
    """A process for each task."""

    plugin: type[Any] = good.Pool

    make = made


class OfCommand(CommandConformance):
    """A command that counts."""

    plugin: type[Any] = good.Count

    def make(self) -> Any:
        return self.plugin.make

"""The conformance kit: tests of a plugin's contract, to inherit; one class for each role.

In a test module of your plugin, derive a class from the one for its role, give it a name that begins with `Test`, and
write the one or two methods that it needs. pytest does the rest; you need to install nothing else.

    from batchd.testing.conformance import SinkConformance

    class TestWarehouse(SinkConformance):
        def make(self) -> WarehouseSink:
            return WarehouseSink(WarehouseSink.Settings(path=str(self.folder / "results.db")))

Each test checks one promise in `batchd.contracts`; its failure says what to do.
`self.folder` is a fresh folder for every test.
"""

from __future__ import annotations

from .command import CommandConformance
from .executor import ExecutorConformance
from .live import LiveProviderConformance
from .observer import ObserverConformance, sample_events
from .prompt import PromptBuilderConformance
from .provider import BatchProviderConformance
from .reader import ReaderConformance
from .sink import SinkConformance

__all__ = [
    "BatchProviderConformance",
    "CommandConformance",
    "ExecutorConformance",
    "LiveProviderConformance",
    "ObserverConformance",
    "PromptBuilderConformance",
    "ReaderConformance",
    "SinkConformance",
    "sample_events",
]

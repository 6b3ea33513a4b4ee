"""The conformance kit: tests of a plugin's contract, to inherit; one class for each role.

In a test module of your plugin, derive a class from that of its role, with a name that begins with `Test`, and write
the one or two methods that it needs. pytest does the rest; you need to install nothing else.

    from batchd.testing.conformance import SinkConformance

    class TestWarehouse(SinkConformance):
        def make(self) -> WarehouseSink:
            return WarehouseSink(WarehouseSink.Settings(path=str(self.folder / "results.db")))

Each test checks one promise in `batchd.contracts`; its failure says what to do.
`self.folder` is a fresh folder for every test.
"""

from __future__ import annotations

from .conformance_command import CommandConformance
from .conformance_executor import ExecutorConformance
from .conformance_live import LiveProviderConformance
from .conformance_observer import ObserverConformance, sample_events
from .conformance_prompt import PromptBuilderConformance
from .conformance_provider import BatchProviderConformance
from .conformance_reader import ReaderConformance
from .conformance_sink import SinkConformance

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

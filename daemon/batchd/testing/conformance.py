"""What batchd expects of a plugin, as tests to inherit: one class for each role.

In a test module of your plugin's, inherit the class of its role under a name that begins with `Test`, and write the
one or two methods that it asks for. pytest does the rest; nothing else needs to be installed.

    from batchd.testing.conformance import SinkConformance

    class TestWarehouse(SinkConformance):
        def make(self):
            return WarehouseSink(WarehouseSink.Settings(path=str(self.folder / "results.db")))

Each test asks one thing that `batchd.contracts` promises on the plugin's behalf, and says what to do if it is not so.
`self.folder` is a fresh folder for every test.
"""

from __future__ import annotations

from .conformance_executor import ExecutorConformance
from .conformance_live import LiveProviderConformance
from .conformance_observer import ObserverConformance, sample_events
from .conformance_prompt import PromptBuilderConformance
from .conformance_provider import BatchProviderConformance
from .conformance_reader import ReaderConformance
from .conformance_sink import SinkConformance

__all__ = [
    "BatchProviderConformance",
    "ExecutorConformance",
    "LiveProviderConformance",
    "ObserverConformance",
    "PromptBuilderConformance",
    "ReaderConformance",
    "SinkConformance",
    "sample_events",
]

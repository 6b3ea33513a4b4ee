from echo import EchoProvider

from batchd import Settings
from batchd.testing.conformance import BatchProviderConformance


class TestEcho(BatchProviderConformance):
    def make(self) -> EchoProvider:
        return EchoProvider(Settings())

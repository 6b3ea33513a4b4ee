from program import ProgramProvider, ProgramSettings

from batchd import Body
from batchd.testing.conformance import LiveProviderConformance


class TestProgram(LiveProviderConformance):
    def make(self) -> ProgramProvider:
        return ProgramProvider(ProgramSettings(run=["cat"]))

    def refused(self) -> Body:
        return {"model": "small"}

import pytest
from finished import FinishedNotes

from batchd import Settings
from batchd.testing.conformance import ObserverConformance


class TestFinished(ObserverConformance):
    @pytest.fixture(autouse=True)
    def elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(self.folder)  # it writes where the process is

    def make(self) -> FinishedNotes:
        return FinishedNotes(Settings())

"""A fake installation for tests of commands: it reports what the test gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BatchdError, ConfigError
from ..installation import Installation
from ..model import Json
from ..plugin_base import SettingsT


class FakeInstallation(Installation):
    """An Installation with these jobs, in the form of `batchd status --json`. `asked` counts how often it is read."""

    def __init__(
        self,
        folder: Path,
        *,
        jobs: Sequence[Mapping[str, Json]] = (),
        settings: Mapping[str, Json] | None = None,
        config: Mapping[str, Json] | None = None,
    ) -> None:
        self.asked = 0
        self._folder = folder
        self._jobs = list(jobs)
        self._settings = dict(settings or {})
        self._config = config

    @property
    def config_path(self) -> Path:
        self.config()
        return self._folder / "config.toml"

    def config(self) -> Mapping[str, Json]:
        self.asked += 1
        if self._config is None:
            raise ConfigError("There is no configuration.")
        return self._config

    def settings(self, model: type[SettingsT]) -> SettingsT:
        self.asked += 1
        return model.model_validate(self._settings)

    def status(self) -> Mapping[str, Json]:
        self.asked += 1
        return {"jobs": self._jobs, "conditions": [], "totals": None}

    def job(self, word: str) -> Mapping[str, Json]:
        self.asked += 1
        found = [job for job in self._jobs if word in {job.get("id"), job.get("source")}]
        if len(found) != 1:
            raise BatchdError(f"There is no job {word}.")
        return {"job": found[0]}

    @property
    def state_folder(self) -> Path:
        self.asked += 1
        folder = self._folder / "state-of-the-command"
        folder.mkdir(exist_ok=True)
        return folder

"""What a plugin's command gets: the configuration, the status and a state folder of the batchd it is called for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..installation import Installation
from ..plugin_base import SettingsT, state_folder_of
from .call import Call


class Installed(Installation):
    def __init__(self, command: str, call: Call) -> None:
        self._command = command
        self._call = call

    @property
    def config_path(self) -> Path:
        return self._call.config_path

    def config(self) -> Mapping[str, Any]:
        from ..config.edit import whole

        written: Mapping[str, Any] = whole(self.config_path)
        return written

    def settings(self, model: type[SettingsT]) -> SettingsT:
        from ..config import toml as toml_text
        from ..plugin.validation import check

        path = self.config_path
        tables = toml_text.read(path).data.get("commands")
        table = tables.get(self._command, {}) if isinstance(tables, dict) else {}
        checked, faults = check(model, table)
        if checked is None:
            wrong = "\n".join(f"{path}: [commands.{self._command}] {fault.in_table}" for fault in faults)
            raise ConfigError(wrong)
        return checked

    def status(self) -> Mapping[str, Any]:
        from ..status.overview import JobFilter, Overview

        return Overview.take(self._call.places(), wanted=JobFilter(finished=-1)).record()

    def job(self, word: str) -> Mapping[str, Any]:
        from ..status.finding import find_jobs
        from ..status.overview import JobDetails

        places = self._call.places()
        [found] = find_jobs(places.state, [word])
        return JobDetails.take(places, found.id).record()

    @property
    def state_folder(self) -> Path:
        folder = state_folder_of(self._call.places().state, "command", self._command)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

"""What the command of a plugin gets: the configuration, the jobs, and a folder of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from .model import Json
from .plugin_base import SettingsT


class Installation(ABC):
    """The installation of batchd that a command works on. Changes nothing there, and needs no running daemon.

    Use it when the command runs, not when it is made: `batchd --help` makes every command, even without a
    configuration.
    """

    @property
    @abstractmethod
    def config_path(self) -> Path:
        """The path of the configuration. Raises ConfigError if there is none."""

    @abstractmethod
    def config(self) -> Mapping[str, Json]:
        """The whole configuration as it is written, with the secrets in it covered."""

    @abstractmethod
    def settings(self, model: type[SettingsT]) -> SettingsT:
        """The command's own table, `[commands.NAME]`, checked. Raises ConfigError if it is wrong."""

    @abstractmethod
    def status(self) -> Mapping[str, Json]:
        """What `batchd status --all --json` prints: the totals, every job, what keeps batchd waiting."""

    @abstractmethod
    def job(self, word: str) -> Mapping[str, Json]:
        """What `batchd status JOB --json` prints. Raises BatchdError if `word` fits no job, or more than one."""

    @property
    @abstractmethod
    def state_folder(self) -> Path:
        """A folder for this command alone, made on first use."""

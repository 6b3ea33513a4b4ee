"""What a command of a plugin is given: the configuration, what is where, and a folder of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from .model import Json
from .plugin_base import SettingsT


class Installation(ABC):
    """The batchd that a command is called for. It changes nothing there, and needs no running daemon.

    Look when the command runs, not when it is made: `batchd --help` makes every command, also without a configuration.
    """

    @property
    @abstractmethod
    def config_path(self) -> Path:
        """The configuration. Raises ConfigError, in words, if there is none."""

    @abstractmethod
    def config(self) -> Mapping[str, Json]:
        """The whole configuration as it is written, with the secrets in it covered."""

    @abstractmethod
    def settings(self, model: type[SettingsT]) -> SettingsT:
        """The command's own table, `[commands.NAME]`, checked. Raises ConfigError, in words, if it is wrong."""

    @abstractmethod
    def status(self) -> Mapping[str, Json]:
        """What `batchd status --all --json` prints: the totals, every job, what keeps batchd waiting."""

    @abstractmethod
    def job(self, word: str) -> Mapping[str, Json]:
        """What `batchd status JOB --json` prints. Raises BatchdError if no job, or more than one, is meant."""

    @property
    @abstractmethod
    def state_folder(self) -> Path:
        """A folder for the command alone, made by this."""

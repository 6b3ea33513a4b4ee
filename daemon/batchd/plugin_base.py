"""What every plugin is: an object made from checked settings."""

from __future__ import annotations

from abc import ABC
from pathlib import Path
from typing import Any, ClassVar, Generic

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

PLUGIN_STATE = "plugins"
"""The folder in the state folder that holds the folders of plugins."""


class Settings(BaseModel):
    """The table of a plugin in config.toml. Subclass it, and name the subclass: `Settings = MineSettings` in
    the plugin, `Sink[MineSettings]` as its base. Unknown keys are errors.

    Use `batchd.Secret` for anything that must not be shown and `batchd.Duration` for times such as `"30s"`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


SettingsT = TypeVar("SettingsT", bound=Settings, default=Settings)
"""`class Mine(Sink)` has no settings of its own; `class Mine(Sink[MineSettings])` has those."""


class Plugin(ABC, Generic[SettingsT]):
    """The base of all roles: keeps the validated settings in `self.settings`."""

    Settings: ClassVar[type[Any]] = Settings
    """The model of its table. Annotated as any class, so that type checkers accept `Mine.Settings(key=…)`."""
    _state_folder: Path | None = None

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    @property
    def state_folder(self) -> Path:
        """A folder for this object alone, made on first use; the same after a restart, by the name of its table.

        For providers, sinks, observers and executors. Readers and prompt builders have none: they run in several
        processes, and their results must depend on the row and the settings alone.
        """
        if self._state_folder is None:
            raise RuntimeError(f"{type(self).__name__} has a folder of its own once it was made, and as no other role.")
        self._state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._state_folder


def give_state_folder(plugin: Plugin[Any], folder: Path) -> None:
    """Set where the folder of the plugin is. The folder is made when the plugin asks for it."""
    plugin._state_folder = folder  # noqa: SLF001  # the other half of `state_folder`


def state_folder_of(state: Path, role: str, name: str) -> Path:
    """The folder of the plugin in this role and of this name, below the state folder."""
    return state / PLUGIN_STATE / f"{role}s" / name


def overrides_last(plugin: object, quick: str, plain: str) -> bool:
    """Whether its `quick` method fits its `plain` one: False if a subclass has overridden `plain` alone."""
    for each in type(plugin).__mro__:
        if quick in vars(each):
            return True
        if plain in vars(each):
            break
    return False

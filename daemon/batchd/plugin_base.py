"""What every plugin is: an object made from checked settings."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, Generic

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar


class Settings(BaseModel):
    """The table of a plugin in config.toml. Subclass it, nested as `Settings`; unknown keys are errors.

    Use `batchd.Secret` for anything that must not be shown and `batchd.Duration` for times such as `"30s"`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


SettingsT = TypeVar("SettingsT", bound=Settings, default=Settings)
"""`class Mine(Sink)` has no settings of its own; `class Mine(Sink[MineSettings])` has those."""


class Plugin(ABC, Generic[SettingsT]):
    """The base of all roles: keeps the validated settings in `self.settings`."""

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings


def overrides_last(plugin: object, quick: str, plain: str) -> bool:
    """Whether its `quick` method belongs to its `plain` one, and is not that of a base whose plain one it changed."""
    for each in type(plugin).__mro__:
        if quick in vars(each):
            return True
        if plain in vars(each):
            break
    return False

"""The paths of the config file, and of the folders that commands need before the config is checked as a whole.

Commands that call no provider must start at once, so nothing here imports pydantic.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..errors import ConfigError
from . import toml as toml_text

DEFAULT_FOLDERS: Final[Mapping[str, str]] = {
    name: name for name in ("inbox", "outbox", "archive", "rejected", "held", "state")
}


def find_config(option: str | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The config file: `option`, else BATCHD_CONFIG, else ./config.toml. Raises ConfigError if it does not exist."""
    named = option or environment.get("BATCHD_CONFIG") or "config.toml"
    path = Path(named).expanduser().absolute()
    if path.is_dir():
        raise ConfigError(f"{path} is a folder. Name the file: {path / 'config.toml'}")
    if not path.is_file():
        raise ConfigError(f"There is no configuration at {path}. Write one with: batchd init")
    return path


def state_folder(path: Path) -> Path:
    """The state folder in the config at `path`, without a check of other keys."""
    document = toml_text.read(path)
    folders = document.data.get("folders", {})
    named = folders.get("state", DEFAULT_FOLDERS["state"]) if isinstance(folders, dict) else None
    if not isinstance(named, str) or not named:
        raise ConfigError(f"{path}:{document.line(('folders', 'state'))}: [folders] state: write the name of a folder.")
    return resolved(named, path)


def plugin_folder(path: Path) -> Path | None:
    """The `plugin_dir` in the config at `path`, None if it is not set. Checks no other key: that needs the plugins."""
    document = toml_text.read(path)
    named = document.data.get("plugin_dir")
    if named is None:
        return None
    if not isinstance(named, str) or not named:
        raise ConfigError(f"{path}:{document.line(('plugin_dir',))}: plugin_dir: write the name of a folder.")
    return resolved(named, path)


def plugin_choice(path: Path) -> tuple[Path | None, frozenset[str]]:
    """The `plugin_dir` in the config at `path`, and the names in `[plugins] disabled`."""
    document = toml_text.read(path)
    section = document.data.get("plugins", {})
    names = section.get("disabled", []) if isinstance(section, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        line = document.line(("plugins", "disabled"))
        raise ConfigError(f"{path}:{line}: [plugins] disabled: write a list of names, in quotes.")
    return plugin_folder(path), frozenset(names)


def resolved(named: str, config: Path) -> Path:
    """A path of the config as an absolute path; a relative one is relative to the config file."""
    return Path(os.path.normpath(config.absolute().parent / Path(named).expanduser()))

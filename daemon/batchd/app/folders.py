"""The folders of a configuration: made where they are missing, and as the engine knows them."""

from __future__ import annotations

import os
from pathlib import Path

from ..config.load import Config
from ..engine.context import PeopleFolders
from ..files import make_folder


def make_folders(config: Config) -> list[Path]:
    """Make the folders that people see and the state; returns those that were not there."""
    folders = config.folders
    wanted = [folders.inbox, folders.outbox, folders.archive, folders.rejected, folders.held, folders.state]
    for route in config.routes:
        for pattern in route.match:
            name, slash, _ = pattern.partition("/")
            if slash and not any(sign in name for sign in "*?["):
                wanted.append(folders.inbox / name)
    made = [folder for folder in wanted if not folder.is_dir()]
    for folder in made:
        make_folder(folder, mode=0o700 if folder == folders.state else 0o770)
    return made


def people_folders(config: Config) -> PeopleFolders:
    """The folders that people see, and which of them have a file system of their own now."""
    folders = config.folders
    seen = (folders.inbox, folders.outbox, folders.archive, folders.rejected, folders.held)
    return PeopleFolders(*seen, mounted=frozenset(folder for folder in seen if os.path.ismount(folder)))


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder

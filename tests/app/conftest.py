"""Configurations with plugins of their own."""

from __future__ import annotations

from pathlib import Path

from batchd.app.folders import make_folders
from batchd.app.load import load
from batchd.config.load import Config
from batchd.plugin.catalogue import Catalogue


def prepared(folder: Path, text: str, plugins: str) -> tuple[Config, Catalogue]:
    """This configuration and these plugins, written there and read; the folders are made."""
    (folder / "plugins.d").mkdir(exist_ok=True)
    (folder / "plugins.d" / "ours.py").write_text(plugins)
    (folder / "config.toml").write_text(text)
    config, catalogue = load(folder / "config.toml")
    make_folders(config)
    return config, catalogue

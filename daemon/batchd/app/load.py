"""The configuration and the plugins it names, read and checked together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..config import load as configuration
from ..config.load import Config
from ..config.locations import plugin_choice
from ..plugin.catalogue import Catalogue


def load(path: Path, off: Mapping[str, str] | None = None) -> tuple[Config, Catalogue]:
    """Return the checked configuration, and the plugins it was checked against: all but those in `off`.

    Changes the working folder of the process, and so of its workers, to that of the config file: relative paths in a
    plugin's table are then relative to the config file, as its folders are.
    """
    catalogue = Catalogue.load(*plugin_choice(path), off=off)
    config = configuration.load(path, catalogue)
    os.chdir(config.path.parent)
    return config, catalogue

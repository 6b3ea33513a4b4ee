"""Modules that the plugins of a folder share: `_tables.py`, or a folder `_tables`, beside them, imported by its name.

Only names that begin with an underscore, and only if no other module has the name: a plugin called `json.py` must not
replace the json of other modules.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


class _Neighbours:
    """Finds the shared modules of one folder. The last one on `sys.meta_path`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or not name.startswith("_"):
            return None
        return PathFinder.find_spec(name, [str(self.folder)], target)


def share(folder: Path | None) -> None:
    """Let plugins import the shared modules of this folder in their present state, and none of an earlier folder."""
    for finder in [each for each in sys.meta_path if isinstance(each, _Neighbours)]:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if name.startswith("_") and str(getattr(module, "__file__", "")).startswith(f"{finder.folder}{os.sep}"):
                del sys.modules[name]
    if folder is not None:
        # A module may have come since the folder was looked through last.
        PathFinder.invalidate_caches()
        sys.meta_path.append(_Neighbours(folder))

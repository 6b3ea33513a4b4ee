"""Modules that the plugins of a folder share: `_tables.py`, or a folder `_tables`, beside them, imported by its name.

Only names that begin with an underscore, and only if no other module has the name: a plugin called `json.py` must not
replace the json of other modules.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from pathlib import Path
from types import ModuleType

_COMPILED = "__pycache__"


class _Neighbours:
    """Finds the shared modules of one folder. The last one on `sys.meta_path`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or not name.startswith("_"):
            return None
        spec = PathFinder.find_spec(name, [str(self.folder)], target)
        if spec is not None:
            self.found.add(name)
        return spec


def share(folder: Path | None) -> None:
    """Let plugins import the shared modules of this folder as they are now, and none of an earlier folder."""
    for finder in [each for each in sys.meta_path if isinstance(each, _Neighbours)]:
        sys.meta_path.remove(finder)
        for name in list(sys.modules) if finder.found else ():
            if name.partition(".")[0] in finder.found:
                del sys.modules[name]
    if folder is not None:
        # A module may have been added since the folder was last listed.
        PathFinder.invalidate_caches()
        sys.meta_path.append(_Neighbours(folder))


def modules_of(folder: Path) -> Sequence[Path]:
    """The files of this folder that may be imported: plugins, and what they share, also in folders.

    No other files: a plugin may write those, and what it wrote is no change of its code. Nor what Python compiles.
    """
    beside = [path for path in folder.glob("*") if not path.name.startswith(".") and path.name != _COMPILED]
    shared = [path for path in beside if path.name.startswith("_") and path.is_dir()]
    inside = [path for each in shared for path in each.rglob("*") if _COMPILED not in path.relative_to(folder).parts]
    return sorted(path for path in (*beside, *inside) if path.name.endswith(tuple(all_suffixes())))
